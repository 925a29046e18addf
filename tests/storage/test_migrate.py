"""A database gets the schema of this version, keeps its rows, and nobody trips over anybody."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hefesto_api.domain.errors import StorageError
from hefesto_api.storage import migrate, projects
from hefesto_api.storage.database import Database, open_database
from hefesto_api.storage.tables import metadata
from tests.databases import empty_database


def test_the_head_is_the_newest_revision() -> None:
    assert ScriptDirectory.from_config(migrate.config()).get_current_head() == migrate.HEAD


def test_tables_and_revisions_agree(db: Database) -> None:
    with db.schema() as session:
        context = MigrationContext.configure(session, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def _schema(db: Database) -> dict[str, list[str]]:
    """Return the words of each table, index and trigger, whatever their order."""
    with db.read() as session:
        rows = session.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return {name: sorted(re.findall(r"[^\s(),]+", sql)) for name, sql in rows}


def test_a_new_file_gets_what_the_revisions_would_have_made(tmp_path: Path) -> None:
    quick, stepwise = (open_database(f"sqlite:///{tmp_path / name}") for name in ("quick.db", "stepwise.db"))
    migrate.upgrade(quick)
    with stepwise.schema() as session:
        migrate.run_alembic(session, "upgrade", "head")
    assert _schema(quick) == _schema(stepwise)
    assert len(_schema(quick)) > len(metadata.tables)


def test_what_is_stored_of_the_schema_is_what_the_code_describes(tmp_path: Path) -> None:
    stored, described = (
        open_database(f"sqlite:///{tmp_path / name}") for name in ("stored.db", "described.db")
    )
    migrate.upgrade(stored)
    with described.schema() as session:
        migrate.create_all(session)
    again = "the schema was changed: run `python -m hefesto_api.storage.migrate`"
    assert _schema(stored) == _schema(described), again
    # An outdated one would cost every first start its time, and nothing else.
    assert orjson.loads(migrate.STORED.read_bytes())["revision"] == migrate.HEAD, again


def test_up_and_down_and_up_again(db_kind: str, tmp_path: Path) -> None:
    with empty_database(db_kind, tmp_path, "updown") as url:
        db = open_database(url)
        assert migrate.current(db) is None
        assert migrate.upgrade(db)
        assert migrate.is_current(db)
        assert not migrate.upgrade(db)
        migrate.downgrade(db, "base")
        assert migrate.current(db) is None
        with db.read() as session:
            assert set(sa.inspect(session).get_table_names()) <= {"alembic_version"}
        assert migrate.upgrade(db)
        with db.write() as session:
            projects.create(session, "shop")
        db.close()


def test_a_database_of_a_newer_version_is_left_alone(db: Database) -> None:
    with db.write() as session:
        session.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    try:
        with pytest.raises(StorageError, match="newer"):
            migrate.upgrade(db)
        assert migrate.current(db) == "9999"
    finally:
        with db.write() as session:
            session.execute(sa.text("UPDATE alembic_version SET version_num = :head"), {"head": migrate.HEAD})


_UPGRADE = """
import sys
from hefesto_api.storage import migrate
from hefesto_api.storage.database import open_database
print(migrate.upgrade(open_database(sys.argv[1])))
"""


def test_of_processes_that_start_at_once_one_migrates(db_kind: str, tmp_path: Path) -> None:
    with empty_database(db_kind, tmp_path, "together") as url:
        started = [
            subprocess.Popen([sys.executable, "-c", _UPGRADE, url], stdout=subprocess.PIPE, text=True)
            for _ in range(5)
        ]
        said = sorted(process.communicate(timeout=60)[0].strip() for process in started)
        assert said == ["False"] * 4 + ["True"]


def test_the_usual_start_imports_no_alembic(db_url: str) -> None:
    code = f"{_UPGRADE}\nassert not [name for name in sys.modules if name.split('.')[0] == 'alembic']"
    subprocess.run([sys.executable, "-c", code, db_url], check=True, capture_output=True, timeout=60)
