"""Group commit: small independent writes of many threads share a transaction, and its wait for the disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from hefesto_api.storage.base import Session
from hefesto_api.storage.database import Database

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Who comes first writes for all who came meanwhile; each gets the result of his own, or the error.

    `write` takes the items of a group and returns a result for each, in order; what it raises is raised to
    everybody in the group, whose items are then not written. A group is at most `most` items, and of
    `most_size` as `size` measures them, but for a single one that is larger.
    """

    def __init__(
        self,
        db: Database,
        write: Callable[[Session, Sequence[Item]], Sequence[Result]],
        *,
        size: Callable[[Item], int],
        most: int = 64,
        most_size: int = 4 * 1024 * 1024,
    ) -> None:
        self._db = db
        self._write = write
        self._size = size
        self._most = most
        self._most_size = most_size
        self._lock = threading.Lock()
        self._waiting: list[_Ticket[Item, Result]] = []
        self._led = False

    def do(self, item: Item) -> Result:
        """Write an item, durably, and return its result."""
        ticket: _Ticket[Item, Result] = _Ticket(item)
        with self._lock:
            self._waiting.append(ticket)
            leads, self._led = not self._led, True
        if not leads:
            ticket.called.wait()
        if ticket.result is None and ticket.error is None:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        return ticket.result  # type: ignore[return-value] # there is one: the group was written

    @property
    def queue_length(self) -> int:
        """How many wait for the next group."""
        return len(self._waiting)

    def _lead(self) -> None:
        """Write one group, the oldest first, and call who leads the next."""
        with self._lock:
            group = self._taken()
        try:
            with self._db.write(witnessed=False) as session:  # each item's own is noted by `write`
                results = self._write(session, [ticket.item for ticket in group])
        except BaseException as error:
            for ticket in group:
                ticket.error = error
            raise
        else:
            for ticket, result in zip(group, results, strict=True):
                ticket.result = result
        finally:
            self._dismiss(group)

    def _taken(self) -> list[_Ticket[Item, Result]]:
        total = count = 0
        for ticket in self._waiting[: self._most]:
            total += self._size(ticket.item)
            if count and total > self._most_size:
                break
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    def _dismiss(self, group: Sequence[_Ticket[Item, Result]]) -> None:
        with self._lock:
            successor = self._waiting[0] if self._waiting else None
            self._led = successor is not None
        for ticket in group:
            ticket.called.set()
        if successor is not None:
            successor.called.set()


class _Ticket(Generic[Item, Result]):
    """One who waits: called when his item is written, or when it is his turn to write."""

    __slots__ = ("called", "error", "item", "result")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.called = threading.Event()
        self.result: Result | None = None
        self.error: BaseException | None = None
