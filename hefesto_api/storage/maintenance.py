"""Backups, restoring them, and checking that a database is sound."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain import clock
from hefesto_api.domain.errors import Conflict, StorageError, UsageError
from hefesto_api.storage import migrate, sqlite
from hefesto_api.storage.base import Session
from hefesto_api.storage.database import Database
from hefesto_api.storage.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator


_CLEANLY = ("--clean", "--if-exists", "--no-owner")
_AT_ONCE = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1")


class Health(Struct, frozen=True):
    """What `check` found: `problems` is empty when all is well; `rows` counts each table's."""

    revision: str | None
    current: bool
    problems: list[str]
    rows: dict[str, int]


def backup(db: Database, target: Path) -> None:
    """Write a copy of a database as it is at one moment, while it is in use.

    SQLite: a database file; PostgreSQL: the custom format of pg_dump, which has to be installed. The file
    appears whole or not at all, for its owner alone. Raises Conflict when it exists, StorageError.
    """
    if target.exists():
        raise Conflict(f"{target} exists already; a backup overwrites nothing.", reason="exists")
    with _appearing(target) as path:
        if db.is_sqlite:
            _copy_file(db, path)
        else:
            _run("pg_dump", db, "--format=custom", "--no-owner", f"--file={path}")


def restore(source: Path, db: Database) -> Path | None:
    """Replace a database by a backup; return where the former file of SQLite is kept.

    The backup is checked before anything is touched. Raises UsageError when it is no backup of ours,
    Conflict while another process has the SQLite database open.
    """
    if not source.is_file():
        raise UsageError(f"There is no backup at {source}.")
    if not db.is_sqlite:
        _replace(source, db)
        return None
    path = Path(str(db.url.database))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _appearing(path) as copy:
        shutil.copyfile(source, copy)
        _examine(copy, source)
        db.close()
        return _set_aside(path)


def check(db: Database) -> Health:
    """Look for damage: SQLite's integrity check and dangling references, the revision, and count the rows."""
    revision = migrate.current(db)
    with db.read() as session:
        problems = _damage(session.connection.dbapi_connection) if db.is_sqlite else []
        there = set(sa.inspect(session).get_table_names())
        names = [name for name in metadata.tables if name in there]
        rows = _counts(session, names, problems)
    if revision == migrate.HEAD:
        problems += [f"the table {name} is missing" for name in metadata.tables if name not in there]
    return Health(revision, revision == migrate.HEAD, problems, rows)


def _counts(session: Session, names: list[str], problems: list[str]) -> dict[str, int]:
    rows = {}
    for name in names:
        statement = sa.select(sa.func.count()).select_from(metadata.tables[name])
        try:
            rows[name] = int(session.execute(statement).scalar_one())
        except StorageError:
            problems.append(f"the table {name} cannot be read")
    return rows


def _copy_file(db: Database, path: Path) -> None:
    connection = sqlite.library().connect(db.url.database, isolation_level=None)
    try:
        connection.execute("VACUUM INTO ?", (str(path),))
    except sqlite.library().Error as error:
        raise StorageError(f"The backup failed: {error}.", service="database", reason="failed") from error
    finally:
        connection.close()


def _damage(connection: Any) -> list[str]:
    try:
        return list(_damages(connection))
    except sqlite.library().DatabaseError as error:
        return [str(error)]


def _damages(connection: Any) -> Iterator[str]:
    lines = [row[0] for row in connection.execute("PRAGMA integrity_check(20)")]
    dangling = connection.execute("PRAGMA foreign_key_check").fetchmany(20)
    yield from (line for line in lines if line != "ok")
    yield from (f"a row of {row[0]} refers to a row of {row[2]} that is not there" for row in dangling)


def _examine(copy: Path, source: Path) -> None:
    """Refuse a backup that is damaged, not ours, or of a newer version."""
    try:
        connection = sqlite.library().connect(copy)
        try:
            problems = _damage(connection)
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
    except sqlite.library().DatabaseError as error:
        raise UsageError(f"{source} is not a backup of Hefesto's database.") from error
    if problems:
        raise UsageError(f"{source} is damaged: {problems[0]}.")
    if revision is None or revision[0] not in migrate.known_revisions():
        raise UsageError(f"{source} is of a newer version of Hefesto than this; upgrade Hefesto first.")


def _set_aside(path: Path) -> Path | None:
    """Give the present database a second name before it loses its own, unless somebody uses it."""
    if not path.exists():
        return None
    _make_sure_unused(path)
    aside = path.with_name(f"{path.name}.before-restore-{clock.now():%Y%m%dT%H%M%S%fZ}")
    aside.hardlink_to(path)
    for suffix in ("-wal", "-shm"):  # left by a damaged one; SQLite would replay them into the new file
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    return aside


def _make_sure_unused(path: Path) -> None:
    """Leave WAL mode, which SQLite only lets the last connection do; this also empties the WAL."""
    library = sqlite.library()
    connection = library.connect(path, timeout=0.2, isolation_level=None)
    try:
        mode = connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
    except library.OperationalError:
        mode = "locked"
    except library.DatabaseError:
        return  # damaged: perhaps the very reason for restoring
    finally:
        connection.close()
    if mode != "delete":
        raise Conflict(f"{path} is in use; stop the service (and its workers) first.", reason="in_use")


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """Give a path to write to, that becomes the target's, safely on disk, when all went well."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        message = f"{target} cannot be written: {error.strerror}."
        raise StorageError(message, service="database", reason="io_error") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(source: Path, db: Database) -> None:
    """Put a backup in the place of PostgreSQL's tables, in one transaction.

    All tables that this version knows go first: what is newer than the backup would hold on to the rest.
    """
    names = ", ".join(f'"{name}"' for name in (*metadata.tables, "alembic_version"))
    with TemporaryDirectory(prefix="hefesto-restore-") as folder:
        script = Path(folder, "script.sql")
        _run("pg_restore", None, *_CLEANLY, f"--file={script}", str(source))
        _run("psql", db, *_AT_ONCE, f"--command=DROP TABLE IF EXISTS {names} CASCADE", f"--file={script}")


def _run(program: str, db: Database | None, *arguments: str) -> None:
    """Run one of PostgreSQL's programs, on a database; the password goes through the environment."""
    found = shutil.which(program)
    if found is None:
        raise UsageError(f"{program} is not installed; install PostgreSQL's client programs.")
    environment = {"PATH": os.defpath, "PGCONNECT_TIMEOUT": "10"}
    command = [found, *arguments]
    if db is not None:
        environment["PGPASSWORD"] = str(db.url.password or "")
        address = db.url.set(drivername="postgresql", password=None).render_as_string()
        command[1:1] = ["--no-password", f"--dbname={address}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise StorageError(f"{program} failed: {said}", service="database", reason="failed")
