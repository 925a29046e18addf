"""How a command ends when something goes wrong: one line on standard error, and a status that tells why."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import click

from hefesto_api.domain.errors import HefestoError, Invalid, InvalidFilePath, NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

CLEAN, GATE_FAILED, USAGE, FAILED = 0, 1, 2, 3
_USAGE_ERRORS = (UsageError, InvalidFilePath, Invalid, NotFound)


PATIENCE = 10.0
"""Seconds within which interrupted work comes to its next safe place; later it is simply ended."""


class Interruption:
    """Ctrl-C or SIGTERM: KeyboardInterrupt at once, or noted for work that looks out for it.

    An exception out of a signal handler may strike inside a lock's own code and leave it locked for ever,
    and the threads of an analysis share queues: such work is `deferred` and asks `is_set` between its steps.
    Asked a second time the process just ends: nothing is lost by that, some work is done again.
    """

    def __init__(self) -> None:
        self.number = 0
        self._deferred = False

    def is_set(self) -> bool:
        """Tell whether somebody asked to stop."""
        return self.number != 0

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Run work that ends by itself, in good time, once `is_set`."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            if self.number:
                raise KeyboardInterrupt

    def asked(self, number: int, _frame: FrameType | None) -> None:
        """Be the handler of the signals, and of the timer behind them."""
        if self.number:
            self._end()
        self.number = number
        if not self._deferred:
            raise KeyboardInterrupt
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)

    def _end(self) -> NoReturn:
        os.write(2, b"\nhefesto: interrupted.\n")
        os._exit(128 + self.number)


def say(message: str) -> None:
    """Tell something on standard error, in one line that drives no terminal."""
    from hefesto_api.formats.safe import one_line  # noqa: PLC0415 - nothing to say is the usual case

    click.echo(f"hefesto: {one_line(message)}", err=True)


def warn(warnings: Iterable[str]) -> None:
    """Tell what was ignored."""
    for warning in warnings:
        say(f"warning: {warning}")


def status_of(error: HefestoError) -> int:
    """Return the status of a command that ends by one of our errors."""
    return USAGE if isinstance(error, _USAGE_ERRORS) else FAILED


def leave(status: int) -> NoReturn:
    """End the command with a status."""
    click.get_current_context().exit(status)


@contextmanager
def told() -> Iterator[Interruption]:
    """Turn our errors, Ctrl-C and SIGTERM into a line and a status."""
    interruption = Interruption()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    previous = {number: signal.signal(number, interruption.asked) for number in numbers}
    try:
        yield interruption
    except HefestoError as error:
        say(error.message)
        leave(status_of(error))
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # one is enough: what follows only cleans up
        click.echo("\nhefesto: interrupted.", err=True)
        sys.exit(128 + (interruption.number or signal.SIGINT))
    finally:
        for number in (signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, previous[number])
        if not interruption.is_set():
            signal.signal(signal.SIGINT, previous[signal.SIGINT])
