"""Backups hold everything, restoring is safe, and damage is seen."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hefesto_api.domain.errors import Conflict, StorageError, UsageError
from hefesto_api.storage import maintenance, migrate, projects
from hefesto_api.storage.database import Database, open_database
from tests.databases import empty_database


@pytest.fixture
def file_db(tmp_path: Path) -> Database:
    db = open_database(f"sqlite:///{tmp_path / 'hefesto.db'}")
    migrate.upgrade(db)
    return db


def _add(db: Database, *slugs: str) -> None:
    with db.write() as session:
        for slug in slugs:
            projects.create(session, slug)


def _slugs(db: Database) -> list[str]:
    with db.read() as session:
        return [one.slug for one in projects.page(session, limit=10)[0]]


def test_what_is_backed_up_is_restored(db: Database, db_kind: str, tmp_path: Path) -> None:
    if db_kind == "postgresql" and not shutil.which("pg_dump"):
        pytest.skip("pg_dump is not installed")
    _add(db, "shop")
    copy = tmp_path / "copy.backup"
    maintenance.backup(db, copy)
    assert copy.stat().st_mode & 0o777 == 0o600
    with empty_database(db_kind, tmp_path, "restored") as url:
        other = open_database(url)
        maintenance.restore(copy, other)
        assert _slugs(other) == ["shop"]
        assert maintenance.check(other).problems == []
        other.close()
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_a_backup_of_an_older_schema_is_restored_over_a_newer_one(db_kind: str, tmp_path: Path) -> None:
    if db_kind == "postgresql" and not (shutil.which("pg_dump") and shutil.which("psql")):
        pytest.skip("PostgreSQL's programs are not installed")
    with empty_database(db_kind, tmp_path, "older") as url:
        database = open_database(url)
        migrate.upgrade(database, "0013")
        maintenance.backup(database, tmp_path / "older.backup")
        migrate.upgrade(database)
        maintenance.restore(tmp_path / "older.backup", database)
        assert migrate.current(database) == "0013"
        migrate.upgrade(database)
        assert maintenance.check(database).problems == []
        database.close()


def test_a_backup_while_somebody_writes_holds_one_moment(file_db: Database, tmp_path: Path) -> None:
    _add(file_db, "before")
    with file_db.write() as session:
        projects.create(session, "during")
        maintenance.backup(file_db, tmp_path / "copy.db")
    assert _slugs(open_database(f"sqlite:///{tmp_path / 'copy.db'}")) == ["before"]


def test_a_backup_overwrites_nothing(file_db: Database, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("precious")
    with pytest.raises(Conflict):
        maintenance.backup(file_db, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "precious"


def test_a_backup_into_nowhere(file_db: Database, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"):
        maintenance.backup(file_db, tmp_path / "nowhere" / "copy.db")


def test_the_former_file_is_kept_aside(file_db: Database, tmp_path: Path) -> None:
    _add(file_db, "old")
    maintenance.backup(file_db, tmp_path / "copy.db")
    _add(file_db, "new")
    aside = maintenance.restore(tmp_path / "copy.db", file_db)
    assert _slugs(file_db) == ["old"]
    assert aside is not None
    assert _slugs(open_database(f"sqlite:///{aside}")) == ["new", "old"]


def test_a_database_in_use_is_not_replaced(file_db: Database, tmp_path: Path) -> None:
    _add(file_db, "old")
    maintenance.backup(file_db, tmp_path / "copy.db")
    other = open_database(str(file_db.url))
    assert _slugs(other) == ["old"]
    with pytest.raises(Conflict, match="in use"):
        maintenance.restore(tmp_path / "copy.db", file_db)
    other.close()
    assert maintenance.restore(tmp_path / "copy.db", file_db) is not None


@pytest.mark.parametrize("wrong", ["missing", "text", "strange", "newer", "damaged"])
def test_what_is_no_good_backup_is_refused(file_db: Database, tmp_path: Path, wrong: str) -> None:
    _add(file_db, "kept")
    bad = tmp_path / "bad.db"
    if wrong == "text":
        bad.write_text("to whom it may concern " * 500)
    elif wrong != "missing":
        maintenance.backup(file_db, bad)
        _spoil(bad, wrong)
    with pytest.raises(UsageError):
        maintenance.restore(bad, file_db)
    assert _slugs(file_db) == ["kept"]


def _spoil(path: Path, how: str) -> None:
    if how == "damaged":
        content = bytearray(path.read_bytes())
        content[4096 * 3 : 4096 * 8] = b"\xff" * 4096 * 5
        path.write_bytes(content)
        return
    other = open_database(f"sqlite:///{path}")
    with other.write() as session:
        if how == "newer":
            session.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        else:
            session.exec_driver_sql("DROP TABLE alembic_version")
    other.close()


def test_a_damaged_database_can_be_restored_over(file_db: Database, tmp_path: Path) -> None:
    _add(file_db, "old")
    maintenance.backup(file_db, tmp_path / "copy.db")
    file_db.close()
    (tmp_path / "hefesto.db").write_bytes(b"ruin" * 5000)
    assert maintenance.restore(tmp_path / "copy.db", file_db) is not None
    assert _slugs(file_db) == ["old"]


def test_checking_counts_and_knows_the_revision(db: Database) -> None:
    _add(db, "one", "two")
    health = maintenance.check(db)
    assert (health.problems, health.current, health.revision) == ([], True, migrate.HEAD)
    assert health.rows["projects"] == 2


def test_checking_sees_damage_and_dangling_rows(file_db: Database, tmp_path: Path) -> None:
    with file_db.schema() as session:
        session.exec_driver_sql(
            "INSERT INTO finding_history (finding_id, timestamp, action, details) VALUES ('x', 'y', 'z', '')"
        )
    assert "finding_history" in maintenance.check(file_db).problems[0]
    file_db.close()
    _spoil(tmp_path / "hefesto.db", "damaged")
    assert maintenance.check(open_database(str(file_db.url))).problems


def test_passwords_stay_off_the_command_line(tmp_path: Path) -> None:
    if not shutil.which("pg_dump"):
        pytest.skip("pg_dump is not installed")
    db = open_database("postgresql://user:hush@127.0.0.1:9/x")
    with pytest.raises(StorageError) as said:
        maintenance.backup(db, tmp_path / "x")
    assert "hush" not in said.value.message
    assert not (tmp_path / "x").exists()
