"""A lock that serves its callers in the order they came: nobody starves before the writer's door."""

from __future__ import annotations

import threading
from collections import deque
from time import perf_counter


class FairLock:
    """First come, first served, between the threads of one process; not reentrant."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._holder: int | None = None
        self.acquisitions = 0
        self.seconds_waited = 0.0

    def acquire(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for the turn; RuntimeError when this thread has it already."""
        started = perf_counter()
        me = threading.get_ident()
        if self._holder == me:
            raise RuntimeError("write() inside write(): hand the session down instead")
        if not (self._take(me) or self._queue(me, timeout)):
            return False
        self.acquisitions += 1
        self.seconds_waited += perf_counter() - started
        return True

    def release(self) -> None:
        """Hand the turn to the one who has waited longest."""
        with self._mutex:
            self._holder = None
            if self._waiting:
                self._holder = -1  # promised: nobody may slip in before the one being woken
                self._waiting.popleft().release()

    @property
    def is_mine(self) -> bool:
        """Tell whether this thread has the turn."""
        return self._holder == threading.get_ident()

    @property
    def queue_length(self) -> int:
        """How many wait now."""
        return len(self._waiting)

    def _take(self, me: int) -> bool:
        with self._mutex:
            if self._holder is None:
                self._holder = me
            return self._holder == me

    def _queue(self, me: int, timeout: float) -> bool:
        turn = threading.Lock()
        turn.acquire()
        with self._mutex:
            if self._holder is None:
                self._holder = me
                return True
            self._waiting.append(turn)
        if turn.acquire(timeout=timeout) or self._promised(turn):
            self._holder = me
            return True
        return False

    def _promised(self, turn: threading.Lock) -> bool:
        """Leave the queue after a timeout; True when the turn came in that very moment."""
        with self._mutex:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return False
            return True
