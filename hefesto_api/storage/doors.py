"""One process's connections to a database: those that read, the one that writes, the one that watches."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from hefesto_api.domain.errors import StorageError
from hefesto_api.storage import generations, postgresql, sqlite
from hefesto_api.storage.fairlock import FairLock

if TYPE_CHECKING:
    import sqlalchemy as sa

    from hefesto_api.storage.base import Session


class Doors:
    """The engines of one process."""

    def __init__(self, url: sa.URL, connections: int, patience: float) -> None:
        self.pid = os.getpid()
        self.turn = FairLock()
        self._watch_lock = threading.Lock()
        self._watching: Any = None
        self._watchers = 0
        self._idle: deque[Session] = deque()
        self._most_idle = connections
        if url.get_backend_name() == "sqlite":
            sqlite.create_file(url)
            self.readers = sqlite.engine(url, readers=connections, patience=patience)
            self.writer = sqlite.engine(url, readers=None, patience=patience)
        else:
            self.writer = postgresql.engine(url, connections, patience)
            self.readers = postgresql.readers(self.writer)
        generations.watch(self.writer)

    def take_reader(self) -> Session:
        """Return a session of SQLite's readers, kept open: the pool took longer than the queries."""
        try:
            return self._idle.pop()
        except IndexError:
            return self.readers.connect()

    def give_back(self, session: Session) -> None:
        """End what a reader sees, and keep it for the next."""
        if session.in_transaction():
            session.rollback()
        else:
            driver(session).rollback()
        if len(self._idle) < self._most_idle:
            self._idle.append(session)
        else:
            session.close()

    def data_version(self) -> str:
        """Return a value that differs after any commit of anybody."""
        if self.writer.dialect.name == "postgresql":
            with self.readers.connect() as session:
                return str(session.exec_driver_sql("SELECT pg_current_snapshot()::text").scalar_one())
        with self._watch_lock:  # the number only compares within one connection, so it has its own
            if self._watching is None:
                self._watching = self.readers.raw_connection()
                self._watching.detach()
                self._watchers += 1
            found = self._watching.dbapi_connection.execute("PRAGMA data_version").fetchone()[0]
            return f"{self._watchers} {found}"

    def generation_mark(self) -> str:
        """As `data_version`; on PostgreSQL it is one row, read through a connection of its own."""
        if self.writer.dialect.name == "sqlite":
            return self.data_version()
        with self._watch_lock:
            for attempt in range(2):
                try:
                    if self._watching is None:
                        self._watching = self.writer.raw_connection()
                        self._watching.detach()
                        self._watching.dbapi_connection.autocommit = True
                    connection = self._watching.dbapi_connection
                    row = connection.execute(generations.HEAD_VALUE, prepare=True).fetchone()
                except self.writer.dialect.loaded_dbapi.Error as error:
                    self._watching = None  # its server went away; another connection may find it again
                    if attempt:
                        message = "The database cannot be reached."
                        raise StorageError(message, service="database", reason="unreachable") from error
                else:
                    return str(row[0]) if row else "none"
        return ""

    def close(self) -> None:
        """Close what is idle."""
        with self._watch_lock:
            if self._watching is not None:
                self._watching.close()
                self._watching = None
        while self._idle:
            self._idle.pop().close()
        self.readers.dispose()
        self.writer.dispose()


def driver(session: Session) -> Any:
    """Return the driver's own connection beneath a session."""
    return session.connection.dbapi_connection
