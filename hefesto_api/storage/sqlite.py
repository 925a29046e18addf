"""SQLite: which library, how a connection is prepared, and the two engines (readers, one writer)."""

from __future__ import annotations

import importlib
import logging
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from hefesto_api.domain.errors import StorageError
from hefesto_api.storage.base import dump_json
from hefesto_api.storage.failures import storage_error, translate

_SOUND = (3, 51, 3)  # before it, two writers that reset the WAL at once could damage the file
_BUSY = 5  # https://sqlite.org/rescode.html
DAMAGED = frozenset({11, 26})

__all__ = ("DAMAGED", "create_file", "engine", "is_taken", "library", "storage_error")
_log = logging.getLogger(__name__)


@cache
def library() -> Any:
    """Return the DB-API module to use: the newer SQLite that comes as a wheel, else the system's."""
    try:
        module = importlib.import_module("pysqlite3.dbapi2")
    except ImportError:
        module = importlib.import_module("sqlite3.dbapi2")
    if module.sqlite_version_info < _SOUND:
        _log.warning(
            "SQLite %s has a rare bug that damages files, fixed in 3.51.3; install pysqlite3 if you can",
            module.sqlite_version,
        )
    return module


def engine(url: sa.URL, *, readers: int | None, patience: float) -> sa.Engine:
    """Return an engine of `readers` connections that cannot write, or (None) of the one that can."""
    built = sa.create_engine(
        url,
        module=library(),
        connect_args={"isolation_level": None, "timeout": patience, "check_same_thread": False},
        pool_size=readers or 1,
        max_overflow=0 if readers is None else readers,
        pool_timeout=patience,
        pool_use_lifo=True,  # at little load few connections are in use, and fill their caches of pages
        json_serializer=dump_json,
        json_deserializer=orjson.loads,
        hide_parameters=True,
    )
    sa.event.listen(built, "connect", _prepare_writer if readers is None else _prepare_reader)
    sa.event.listen(built, "handle_error", translate)
    return built


def is_taken(connection: Any, begin: str) -> bool:
    """Try to begin a transaction; tell whether another one is in the way."""
    try:
        connection.execute(begin)
    except library().OperationalError as error:
        return int(error.sqlite_errorcode) & 0xFF == _BUSY
    return False


def create_file(url: sa.URL) -> None:
    """Make the file and its folder where they are missing, for the owner alone."""
    path = Path(url.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o600))
    except OSError as error:
        message = f"The database file {path} cannot be opened: {error.strerror}."
        raise StorageError(message, service="database", reason="unreachable") from error


def expect_writable(url: sa.URL) -> None:
    """Make sure that the files can be opened to be written, where lately they could not.

    SQLite finds that out, too: on a WAL that it cannot write it tries for ten seconds. Raises StorageError.
    """
    path = Path(url.database or "")
    for file in (path, path.with_name(f"{path.name}-wal")):
        try:
            os.close(os.open(file, os.O_RDWR | os.O_CLOEXEC))
        except FileNotFoundError:
            continue
        except OSError as error:
            message = f"The database cannot be written to: {error.strerror}."
            raise StorageError(message, service="database", reason="read_only") from error


def _prepare_writer(connection: Any, _record: Any) -> None:
    _prepare(connection)
    connection.execute("PRAGMA cache_size=-16384")


def _prepare_reader(connection: Any, _record: Any) -> None:
    _prepare(connection)
    connection.execute("PRAGMA query_only=ON")


def _prepare(connection: Any) -> None:
    # busy_timeout comes first, from the driver (`timeout`): the others may meet a lock
    _ensure_wal(connection)
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA journal_size_limit=67108864")
    connection.execute("PRAGMA trusted_schema=OFF")


def _ensure_wal(connection: Any) -> None:
    """Switch to WAL; SQLite does not wait here for another process that does so, so we do."""
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    deadline = time.monotonic() + 10
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except library().OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
