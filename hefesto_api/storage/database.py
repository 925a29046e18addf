"""The two doors to the data: `read()`, which cannot write, and `write()`, which does all or nothing."""

from __future__ import annotations

import os
import threading
import time
import weakref
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sa

from hefesto_api.domain import audit
from hefesto_api.domain.errors import StorageError, UsageError
from hefesto_api.storage import generations, postgresql, sqlite, testimony
from hefesto_api.storage.base import QUEUED, RINGS, Session
from hefesto_api.storage.doors import Doors, driver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_SCHEMES = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "sqlite": "sqlite",
}
_LOOK_AGAIN = 0.002  # seconds
# After these SQLite's connections are made anew: one that was opened while the file could not be written
# stays as it is for ever, and one of a file that was replaced goes on with the old one.
_RENEWING = frozenset({"damaged", "io_error", "read_only", "unreachable"})


class Observer(Protocol):
    """Who counts what the database does (`adapters.metrics`)."""

    def wrote(self, waited: float, held: float) -> None:
        """Take in a write: the seconds it waited for its turn, and those it had it."""

    def failed(self, reason: str) -> None:
        """Take in that something was refused, and why."""


class Database:
    """A database and this process's connections to it, which are opened when first used.

    It may be made before a fork: each process opens its own connections. `witness`, where there is one,
    writes what each transaction of `write()` does into the audit log, right before it is committed. `bell`,
    where there is one, is called after each commit of events, for those on other hosts who wait for them;
    `dispatch` with the ids of jobs that were queued, once they are committed.
    """

    def __init__(self, url: sa.URL, *, connections: int = 8, patience: float = 10) -> None:
        self.url = url
        self.witness: testimony.Witness | None = None
        self.observer: Observer | None = None
        self.was_refused = False  # whether SQLite's files can be written is looked at before the next write
        self.met_damage = False  # a statement was told that the file is damaged (`storage.integrity`)
        self.bell: Callable[[], None] | None = None
        self.dispatch: Callable[[Sequence[str]], None] | None = None
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._connections = connections
        self._patience = patience
        self._opening = threading.Lock()
        self._doors: Doors | None = None
        _all.add(self)

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)!r})"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that sees one moment of the data and cannot change it."""
        try:
            if not self.is_sqlite:
                with self._open().readers.connect() as session:
                    yield session
                return
            doors = self._open()
            session = doors.take_reader()
            try:
                driver(session).execute("BEGIN")
                yield session
            except BaseException:
                session.close()
                raise
            doors.give_back(session)
        except StorageError as error:
            self._notice(error)
            raise

    @contextmanager
    def write(self, *, durable: bool = True, witnessed: bool = True) -> Iterator[Session]:
        """Open the session that may write: committed at the end, rolled back by an exception.

        Keep it short: on SQLite it is the only writer of all processes. `durable=False` saves SQLite the
        wait for the disk: a power cut (not a crash) may then lose the commit. Progress, heartbeats and
        caches may; what a client was told is done may not. `witnessed=False` is for machinery (a claim, a
        counter): it stands in the audit log only if it is noted. Raises StorageError.
        """
        if self.witness is not None:
            self.witness.prepare()
        with audit.transaction() as act:
            with self._observed(durable=durable) as session:
                before = testimony.changes(session)
                for name in (RINGS, QUEUED):  # what was rolled back on this connection told nobody anything
                    session.info.pop(name, None)
                generations.begin(session)
                yield session
                notes = list(act.notes)
                if self.witness is not None and (witnessed or notes):
                    notes = testimony.due(session, act, before)
                if self.witness is not None and notes:
                    testimony.testify(self.witness, session, act, notes)
                generations.move(session)  # the last of all: from here on it waits for nobody
                rings = session.info.pop(RINGS, False)
                queued = session.info.pop(QUEUED, ())
            if rings and self.bell is not None:
                self.bell()
            if queued and self.dispatch is not None:
                self.dispatch(queued)
            if notes:
                act.notes.clear()
                act.told = True

    @contextmanager
    def _observed(self, *, durable: bool) -> Iterator[Session]:
        """Open the session that may write, under the eyes of the observer."""
        asked = time.perf_counter()
        try:
            if self.was_refused:
                sqlite.expect_writable(self.url)
            with self._writing(durable=durable) as session:
                opened = time.perf_counter()
                yield session
        except StorageError as error:
            self._notice(error)
            raise
        self.was_refused = False
        if self.observer is not None:
            self.observer.wrote(opened - asked, time.perf_counter() - opened)

    def _notice(self, error: StorageError) -> None:
        """Take notice of what the database refused."""
        reason = str(error.details.get("reason", "failed"))
        self.met_damage = self.met_damage or reason == "damaged"
        if self.observer is not None:
            self.observer.failed(reason)
        if self.is_sqlite and reason in _RENEWING:
            self.was_refused = True
            self.close()

    @contextmanager
    def _writing(self, *, durable: bool) -> Iterator[Session]:
        if self.is_sqlite:
            with self._turn(), self._open().writer.connect() as session:
                driver(session).execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                self._begin_to_write(session)
                yield session
                session.commit()
        else:
            with self._open().writer.connect() as session:
                if not durable:
                    session.exec_driver_sql("SET LOCAL synchronous_commit = off")
                yield session
                postgresql.commit(session)

    @contextmanager
    def schema(self) -> Iterator[Session]:
        """Open a session that may rebuild tables: as `write()`, with SQLite's foreign keys unenforced."""
        if not self.is_sqlite:
            with self._open().writer.begin() as session:
                session.exec_driver_sql("SET LOCAL lock_timeout = 0")
                yield session
                _move_everything(session)
            return
        with self._turn(), self._open().writer.connect() as session:
            driver(session).execute("PRAGMA foreign_keys=OFF")
            session.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield session
                _move_everything(session)
                session.commit()
            finally:
                session.invalidate()  # the next one is made afresh, with foreign keys on

    def data_version(self) -> str:
        """Return a value that differs after any commit of anybody; costs microseconds on SQLite.

        On PostgreSQL it may also differ when nothing was changed here.
        """
        return self._open().data_version()

    def generation_mark(self) -> str:
        """Return a value that differs once any generation was moved (`storage.generations`); quickly."""
        return self._open().generation_mark()

    def is_writing(self) -> bool:
        """Tell whether this thread is inside SQLite's `write()`, where no other one may be opened."""
        return self.is_sqlite and self._open().turn.is_mine

    def writer_wait(self) -> tuple[int, float, int]:
        """Return this process's write() calls, the seconds they waited in all, and how many wait now."""
        lock = self._open().turn
        return lock.acquisitions, lock.seconds_waited, lock.queue_length

    def refusal(self) -> str:
        """Look whether SQLite's files can be written; return why not, "" where they can."""
        if self.is_sqlite:
            try:
                sqlite.expect_writable(self.url)
            except StorageError as error:
                return str(error.details["reason"])
        return ""

    @property
    def is_open(self) -> bool:
        """Whether this process has used it."""
        return self._doors is not None

    def close(self) -> None:
        """Close the idle connections; the next use opens new ones."""
        if self._doors is not None and self._doors.pid == os.getpid():
            self._doors.close()

    def _begin_to_write(self, session: Session) -> None:
        """Become SQLite's one writer, before whom another process may stand.

        SQLite's own waiting looks again after up to 100 ms, and so missed the moments that an import leaves
        between its stages: others waited for half a second and more.
        """
        session.begin()
        connection = driver(session)
        until = time.monotonic() + self._patience
        connection.execute("PRAGMA busy_timeout=0")
        try:
            while sqlite.is_taken(connection, "BEGIN IMMEDIATE") and time.monotonic() < until:
                time.sleep(_LOOK_AGAIN)
            if not connection.in_transaction:
                session.exec_driver_sql("BEGIN IMMEDIATE")  # says what is wrong, in the words of the domain
        finally:
            connection.execute(f"PRAGMA busy_timeout={self._patience * 1000:.0f}")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        turn = self._open().turn
        if not turn.acquire(self._patience):
            raise StorageError("The database is busy; try again.", service="database", reason="busy")
        try:
            yield
        finally:
            turn.release()

    def _open(self) -> Doors:
        doors = self._doors
        if doors is None:
            with self._opening:
                doors = self._doors = self._doors or Doors(self.url, self._connections, self._patience)
        return doors

    def forget(self) -> None:
        """After a fork, in the child: what was open belongs to the parent, whose locks it would drop."""
        if self._doors is not None:
            _inherited.append(self._doors)
        self._opening = threading.Lock()
        self._doors = None


def open_database(url: str, *, connections: int = 8, patience: float = 10) -> Database:
    """Return the database of a URL, unopened.

    `connections` is how many threads read at once; `patience` how many seconds to wait for a lock.

    `sqlite:///relative/path.db`, `sqlite:////absolute/path.db`, `postgresql://` (or `postgres://`).
    Raises UsageError for a URL that is none of these.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise UsageError("DATABASE_URL is not a database URL; try sqlite:///instance/hefesto.db") from None
    scheme = _SCHEMES.get(parsed.drivername)
    if scheme is None:
        message = f"DATABASE_URL: {parsed.drivername}:// is not supported; use sqlite:/// or postgresql://"
        raise UsageError(message)
    parsed = parsed.set(drivername=scheme)
    if scheme == "sqlite":
        if parsed.database in {None, "", ":memory:"} or parsed.host:
            raise UsageError("DATABASE_URL: SQLite needs a file, as in sqlite:///instance/hefesto.db")
        parsed = parsed.set(database=str(Path(str(parsed.database)).absolute()))
    return Database(parsed, connections=connections, patience=patience)


def _move_everything(session: Session) -> None:
    """After a change of the schema, let no answer from before be good."""
    if sa.inspect(session).has_table("generations"):
        generations.move_to(session, [(generations.EVERYTHING, "")])


_all: weakref.WeakSet[Database] = weakref.WeakSet()
_inherited: list[Doors] = []  # kept, since dropping them would close the parent's files in the child


def _before_fork() -> None:
    for database in _all:
        database.close()


def _after_fork() -> None:
    for database in _all:
        database.forget()


os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
