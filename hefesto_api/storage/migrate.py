"""Bringing a database to the schema of this version, safely also when several processes start at once."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from hefesto_api.domain.errors import StorageError, UsageError
from hefesto_api.storage.base import Session, metadata
from hefesto_api.storage.database import Database, open_database
from hefesto_api.storage.doors import driver

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = "0022"
"""The revision this version needs (a test compares it with the newest file in `migrations/versions`)."""
_REVISION = sa.text("SELECT version_num FROM alembic_version")
_STAMP = """CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)"""
STORED = Path(__file__).with_name("migrations") / "sqlite.json"
_WRITTEN_DOWN = (
    "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY rowid"
)
_LOCK = 0x6865666573746F  # of PostgreSQL's advisory locks, ours: "hefesto" in ASCII


def current(db: Database) -> str | None:
    """Return the revision a database is at; None for one that has no tables of ours."""
    try:
        with db.read() as session:
            return session.execute(_REVISION).scalar_one_or_none()
    except StorageError as error:
        if error.details.get("reason") == "not_migrated":
            return None
        raise


def is_current(db: Database) -> bool:
    """Tell whether a database has this version's schema: one row read, Alembic not imported."""
    return current(db) == HEAD


def serves(revision: str | None) -> bool:
    """Tell whether this version can work on a schema: its own, or a later one.

    While hosts are upgraded one by one the last ones meet a schema that the first one brought. A revision
    leaves what the version before it uses; that goes in a later one.
    """
    return revision is not None and revision >= HEAD


def upgrade(db: Database, revision: str = "head") -> bool:
    """Bring a database to a revision; False when there was nothing to do.

    Raises StorageError when the database is of a newer version than this.
    """
    target = HEAD if revision == "head" else revision
    if current(db) == target:
        return False
    with _alone(db) as session:
        return _advance(session, target)


def downgrade(db: Database, revision: str) -> None:
    """Take a database back to an older revision; `base` removes everything."""
    with _alone(db) as session:
        run_alembic(session, "downgrade", revision)


def _advance(session: Session, target: str) -> bool:
    at = _at(session)
    if at == target:  # another process was first
        return False
    if target == HEAD and session.dialect.name == "sqlite" and not sa.inspect(session).get_table_names():
        _create(session)
    else:
        run_alembic(session, "upgrade", target)
    return True


def _create(session: Session) -> None:
    """Make a new SQLite file's tables at once: importing Alembic would take most of the first run.

    They are stored as SQLite wrote them down: importing the modules of all tables, to have SQLAlchemy say
    the same, took a twentieth of a first analysis. Tests hold both, and the revisions, to the same schema.
    """
    stored = orjson.loads(STORED.read_bytes())
    if stored["revision"] == HEAD:
        connection = driver(session)
        for statement in stored["statements"]:
            connection.execute(statement)
    else:
        create_all(session)
    session.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (HEAD,))


def create_all(session: Session) -> None:
    """Make the tables, indexes and triggers as this version's code describes them."""
    import_module("hefesto_api.storage.tables")
    metadata.create_all(session, checkfirst=False)
    import_module("hefesto_api.storage.migrations.triggers").create(session)
    session.exec_driver_sql(_STAMP)


def store_schema() -> None:
    """Write the schema down for `_create`; to be called after every change of it."""
    with tempfile.TemporaryDirectory() as folder:
        db = open_database(f"sqlite:///{folder}/new.db")
        with db.schema() as session:
            create_all(session)
            statements = list(session.exec_driver_sql(_WRITTEN_DOWN).scalars())
        db.close()
    stored = {"revision": HEAD, "statements": statements}
    STORED.write_bytes(orjson.dumps(stored, option=orjson.OPT_INDENT_2) + b"\n")


def _at(session: Session) -> str | None:
    if not sa.inspect(session).has_table("alembic_version"):
        return None
    found: str | None = session.execute(_REVISION).scalar_one_or_none()
    return found


@contextmanager
def _alone(db: Database) -> Iterator[Session]:
    """Open a transaction that no other process migrates beside, with SQLite's foreign keys off.

    They cannot be switched inside a transaction, and with them on, rebuilding a table deletes the rows
    that refer to it.
    """
    with db.schema() as session:
        if session.dialect.name == "postgresql":
            session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        yield session
        if session.dialect.name == "sqlite" and session.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise StorageError("The migration would leave rows that refer to nothing; nothing was changed.")


def run_alembic(session: Session, command: str, revision: str) -> None:
    """Run Alembic's `upgrade` or `downgrade` in a transaction that is open (see `Database.schema`).

    Raises StorageError when the database is of a newer version, UsageError for an unknown revision.
    """
    util: Any = import_module("alembic.util")
    try:
        getattr(import_module("alembic.command"), command)(config(session), revision)
    except util.CommandError as error:
        if _at(session) not in known_revisions():
            message = "The database is of a newer version of Hefesto than this; upgrade Hefesto."
            raise StorageError(message, service="database", reason="newer") from error
        raise UsageError(f"The database cannot be brought to revision {revision}: {error}.") from error


def known_revisions() -> set[str | None]:
    """Return the revisions this version knows; None stands for a database without tables."""
    folder = Path(__file__).with_name("migrations") / "versions"
    return {None, *(path.name.partition("_")[0] for path in folder.glob("[0-9]*.py"))}


def config(session: Session | None = None) -> Any:
    """Return Alembic's configuration, for what `migrate` does not offer (a new revision, heads)."""
    made = import_module("alembic.config").Config()
    made.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    made.attributes["connection"] = session
    return made


if __name__ == "__main__":
    store_schema()
