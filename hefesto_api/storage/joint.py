"""Changes of many threads in one transaction: each by itself all or nothing, with the audit notes of its own.

On SQLite, which has one writer, they share its turn and the wait for the disk (`group_commit`); who waits
for a turn of his own keeps a thread of the server from everybody else. On PostgreSQL each has a transaction
of its own: there writers wait for each other only where they change the same.
"""

from __future__ import annotations

import contextvars
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import structs

from hefesto_api.domain import audit
from hefesto_api.domain.errors import StorageError
from hefesto_api.storage import direct
from hefesto_api.storage.group_commit import GroupCommit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database

T = TypeVar("T")
MOST_ROWS = 200
"""Of one transaction: others wait for its end."""


def write(db: Database, change: Callable[[Session], T], *, rows: int = 1) -> T:
    """Have a change made, durably, perhaps with those of others, and return what it returns.

    It runs in a thread of any of them, in the context (the request) of its own; what it raises is raised
    here, and nothing of it is done. `rows` is how many rows it changes, about. Queue no jobs in it.
    """
    if not db.is_sqlite:
        with db.write() as session:
            return change(session)
    deed = _Deed(change, rows)
    _of(db).do(deed)
    deed.settle()
    if deed.error is not None:
        raise deed.error
    return deed.result  # type: ignore[return-value] # there is one: it was carried out


class _Deed(Generic[T]):
    """A change on its way: what it makes of the session, and then its result, or its error."""

    def __init__(self, change: Callable[[Session], T], rows: int) -> None:
        self.rows = rows
        self.result: T | None = None
        self.error: Exception | None = None
        self._change = change
        self._context = contextvars.copy_context()
        self._act = audit.current()
        self._was_told = self._act is not None and self._act.told
        self._is_noted = False

    def carry_out(self, session: Session) -> list[audit.Note]:
        """Make the change, or leave all as it was; return its notes, which say who did it."""
        direct.run(session, "SAVEPOINT deed")
        try:
            notes = self._context.run(self._carried_out, session)
        except StorageError:
            raise  # nobody knows what is left of the transaction
        except Exception as error:
            direct.run(session, "ROLLBACK TO deed")
            self.error, notes = error, []
        direct.run(session, "RELEASE deed")
        self._is_noted = bool(notes)
        return notes

    def settle(self) -> None:
        """Note, once all is committed, whether the audit log has been told of what the act at hand does."""
        if self._act is not None:
            self._act.told = self._was_told or self._is_noted

    def _carried_out(self, session: Session) -> list[audit.Note]:
        with audit.transaction() as act:
            before = len(act.notes)
            self.result = self._change(session)
            notes = act.notes[before:]
            del act.notes[before:]
            return [structs.replace(note, actor=note.actor or act.who()) for note in notes]


def _carry_out(session: Session, deeds: Sequence[_Deed[Any]]) -> list[bool]:
    """Make the changes of a group in its transaction, which writes all notes."""
    leading = audit.current()
    for deed in deeds:
        notes = deed.carry_out(session)
        if leading is not None:  # there always is one within a transaction
            leading.notes += notes
    return [True] * len(deeds)


class _Doors:
    """The groups of a process, one for each database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: weakref.WeakKeyDictionary[Database, GroupCommit[_Deed[Any], bool]] = (
            weakref.WeakKeyDictionary()
        )

    def of(self, db: Database) -> GroupCommit[_Deed[Any], bool]:
        with self._lock:
            found = self._known.get(db)
            if found is None:
                # The group must not keep the database: it is forgotten with it.
                made = GroupCommit(
                    weakref.proxy(db), _carry_out, size=lambda deed: deed.rows, most_size=MOST_ROWS
                )
                found = self._known[db] = made
            return found


_doors = _Doors()


def _of(db: Database) -> GroupCommit[_Deed[Any], bool]:
    return _doors.of(db)


def _after_fork() -> None:
    global _doors
    _doors = _Doors()


os.register_at_fork(after_in_child=_after_fork)
