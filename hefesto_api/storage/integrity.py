"""Whether a SQLite file is damaged, as far as somebody met damage or a quick look finds some.

SQLite keeps no sums of its pages: a look finds what does not fit together, not what reads like other data.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import Any

from msgspec import Struct

from hefesto_api.storage import sqlite
from hefesto_api.storage.database import Database

SECONDS = 3.0  # that a look may take; a database that needs longer is looked through by `hefesto db check`
FRESH_SECONDS = 60.0
_STEPS = 20_000  # of SQLite's machine, between looks at the clock
_MOST = 5  # problems that are told
_INTERRUPTED = 9  # https://sqlite.org/rescode.html


class Outcome(Struct, frozen=True):
    """What is known: `problems` are SQLite's words for them; a look that was cut short is not `complete`."""

    problems: tuple[str, ...] = ()
    complete: bool = False


class Integrity:
    """The latest look at a database's file; threads that ask meanwhile are told of the one before."""

    def __init__(self, db: Database, *, seconds: float = SECONDS, fresh: float = FRESH_SECONDS) -> None:
        self._db = db
        self._seconds = seconds
        self._fresh = fresh
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._latest = Outcome()

    def known(self) -> Outcome:
        """Return what is known without looking: the latest outcome, and damage that a statement met since."""
        if self._db.met_damage and not self._latest.problems:
            return Outcome(("a page that was read is damaged",), complete=False)
        return self._latest

    def look(self) -> Outcome:
        """Look, unless somebody did within the last minute; raises StorageError when it cannot be opened."""
        late = time.monotonic() - self._looked > self._fresh or self._db.met_damage
        if self._db.is_sqlite and late and self._lock.acquire(blocking=False):
            try:
                self._latest = self._looked_through()
                self._looked = time.monotonic()
                if self._latest.complete and not self._latest.problems:
                    self._db.met_damage = False
            finally:
                self._lock.release()
        return self.known()

    def _looked_through(self) -> Outcome:
        until = time.monotonic() + self._seconds
        library = sqlite.library()
        with closing(library.connect(f"file:{_quoted(self._db)}?mode=ro", uri=True, timeout=1)) as connection:
            connection.set_progress_handler(lambda: int(time.monotonic() > until), _STEPS)
            try:
                return _outcome(connection)
            except library.DatabaseError as error:
                code = getattr(error, "sqlite_errorcode", 0) & 0xFF
                if code == _INTERRUPTED:
                    return Outcome()
                if code in sqlite.DAMAGED:
                    return Outcome((str(error),), complete=True)
                raise sqlite.storage_error(error) from error


def _outcome(connection: Any) -> Outcome:
    lines = [row[0] for row in connection.execute(f"PRAGMA quick_check({_MOST})")]
    return Outcome(tuple(line for line in lines if line != "ok"), complete=True)


def _quoted(db: Database) -> str:
    return str(db.url.database).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
