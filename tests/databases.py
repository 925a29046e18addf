"""The databases that tests run on: SQLite in a temporary folder, PostgreSQL where a server answers.

A conftest takes the fixtures with `from tests.databases import db, db_kind, db_template, db_url`.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from hefesto_api.storage import migrate
from hefesto_api.storage.database import Database, open_database
from hefesto_api.storage.tables import metadata

SERVER = os.environ.get("HEFESTO_TEST_POSTGRESQL", "postgresql+psycopg://postgres@127.0.0.1:5432/")


@pytest.fixture(
    scope="session",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)],
)
def db_kind(request: pytest.FixtureRequest) -> str:
    """Name each database in turn; skip PostgreSQL where no server answers."""
    name: str = request.param
    if name == "postgresql" and not server_answers():
        pytest.skip(f"no PostgreSQL server answers at {SERVER}")
    return name


@pytest.fixture(scope="session")
def db_template(db_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a migrated database that this test process shares."""
    with empty_database(db_kind, tmp_path_factory.mktemp("databases"), "shared") as url:
        made = open_database(url)
        migrate.upgrade(made)
        made.close()
        yield url


@pytest.fixture
def db_url(db_kind: str, db_template: str, tmp_path: Path) -> str:
    """Give the URL of a migrated database without rows."""
    if db_kind == "sqlite":
        shutil.copy(str(sa.make_url(db_template).database), tmp_path / "hefesto.db")
        return f"sqlite:///{tmp_path / 'hefesto.db'}"
    _empty(db_template)
    return db_template


@pytest.fixture
def db(db_url: str) -> Iterator[Database]:
    """Give a migrated database without rows."""
    opened = open_database(db_url)
    yield opened
    opened.close()


def server_answers() -> bool:
    """Tell whether the PostgreSQL server for tests is there."""
    url = sa.make_url(SERVER)
    with suppress(OSError), socket.create_connection((url.host or "127.0.0.1", url.port or 5432), timeout=1):
        return True
    return False


@contextmanager
def empty_database(kind: str, folder: Path, name: str) -> Iterator[str]:
    """Give the URL of a database without tables, which is gone afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / name}.db"
        return
    database = f"hefesto_test_{os.getpid()}_{name}"
    _on_server(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)', f'CREATE DATABASE "{database}"')
    try:
        yield sa.make_url(SERVER).set(database=database).render_as_string(hide_password=False)
    finally:
        _on_server(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


def _on_server(*statements: str) -> None:
    server = sa.create_engine(SERVER, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with server.connect() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def _empty(url: str) -> None:
    """Delete all rows of a PostgreSQL database, also of the histories that refuse it.

    Truncating every table makes hundreds of files anew each time; most tests fill a few tables by a few rows.
    """
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        connection.execute(sa.text("SET LOCAL synchronous_commit = off"))
        for name in connection.execute(sa.text(_FILLED)).scalars().all():
            connection.execute(sa.text(f'DELETE FROM "{name}"'))  # noqa: S608 - a table of ours
        for name in connection.execute(sa.text(_COUNTED_ON)).scalars().all():
            connection.execute(sa.text(f'ALTER SEQUENCE "{name}" RESTART'))


_FILLED = " UNION ALL ".join(
    f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM \"{name}\")"  # noqa: S608 - tables of ours
    for name in metadata.tables
)
_COUNTED_ON = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL"
