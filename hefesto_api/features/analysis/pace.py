"""Giving way: how much one transaction of an import takes, and how soon other threads get their turn."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

AIM = 0.02  # seconds of the processor that a transaction takes, while all other writers wait
FIRST = 150
LEAST, MOST = 50, 250
_SWITCH = 0.001  # seconds after which a thread that computes is asked to let another have its turn


class Pace:
    """How many results a transaction takes, by what the former ones took of the processor.

    A slow machine gets smaller transactions, down to LEAST results: with fewer, what each costs by itself
    would outweigh what it writes. It goes by the processor's time, not the clock's: on a machine that is
    busy smaller ones do not end sooner, they wait more often, and an import took three times as long.
    """

    def __init__(self) -> None:
        self.results = FIRST
        self._each = AIM / FIRST

    def took(self, results: int, seconds: float) -> None:
        """Take in the processor's seconds that a transaction of so many results took."""
        if results:
            self._each = (self._each + seconds / results) / 2
            self.results = min(max(int(AIM / max(self._each, 1e-6)), LEAST), MOST)


@contextmanager
def giving_way() -> Iterator[None]:
    """Let this process's other threads have the interpreter sooner than usual.

    A request that changes something goes to the database a dozen times, and after each it waits for the
    interpreter: 5 ms, where another thread computes all the while, and its transaction is open meanwhile.
    """
    global _guests, _usual
    with _counting:
        if not _guests:
            _usual = sys.getswitchinterval()
            sys.setswitchinterval(min(_usual, _SWITCH))
        _guests += 1
    try:
        yield
    finally:
        with _counting:
            _guests -= 1
            if not _guests:
                sys.setswitchinterval(_usual)


_counting = threading.Lock()
_guests = 0
_usual = 0.0
