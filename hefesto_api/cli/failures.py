"""How a command ends when something goes wrong: one line on standard error, and a status that tells why."""

from __future__ import annotations

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


class Terminated(KeyboardInterrupt):
    """SIGTERM came: the same way out as Ctrl-C."""


def say(message: str) -> None:
    """Tell something on standard error, in one line that drives no terminal."""
    from hefesto_api.formats.safe import one_line  # noqa: PLC0415 - nothing to say is the usual case

    click.echo(f"hefesto: {one_line(message)}", err=True)


def warn(warnings: Iterable[str]) -> None:
    """Tell what was ignored."""
    for warning in warnings:
        say(f"warning: {warning}")


def leave(status: int) -> NoReturn:
    """End the command with a status."""
    click.get_current_context().exit(status)


@contextmanager
def told() -> Iterator[None]:
    """Turn our errors, Ctrl-C and SIGTERM into a line and a status."""
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except HefestoError as error:
        say(error.message)
        leave(USAGE if isinstance(error, _USAGE_ERRORS) else FAILED)
    except KeyboardInterrupt as interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # one is enough: what follows only cleans up
        click.echo("\nhefesto: interrupted.", err=True)
        number = signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT
        sys.exit(128 + number)
    finally:
        signal.signal(signal.SIGTERM, previous)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated
