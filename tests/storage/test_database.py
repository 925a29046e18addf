"""The doors: reading cannot write, writing is all or nothing, and nothing is lost between processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hefesto_api.domain.errors import Conflict, Invalid, StorageError, UsageError
from hefesto_api.storage import analyses, findings, migrate, projects, workers
from hefesto_api.storage.base import wire
from hefesto_api.storage.database import Database, open_database


def _slugs(db: Database) -> list[str]:
    with db.read() as session:
        return [project.slug for project in projects.page(session, limit=10)[0]]


def test_what_is_written_is_read(db: Database) -> None:
    with db.write() as session:
        made = projects.create(session, "shop", name="The shop", service_names=["cart"])
    with db.read() as session:
        assert projects.get(session, "shop") == made


def test_an_exception_rolls_back(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), db.write() as session:
        projects.create(session, "shop")
        raise ZeroDivisionError
    assert _slugs(db) == []


def test_a_reader_cannot_write(db: Database) -> None:
    with pytest.raises(StorageError) as refused, db.read() as session:
        projects.create(session, "shop")
    assert refused.value.details["reason"] == "read_only"
    with db.write() as session:  # and the connection is as good as before
        projects.create(session, "shop")
    assert _slugs(db) == ["shop"]


def test_a_reader_sees_one_moment(db: Database) -> None:
    with db.read() as session:
        assert projects.page(session, limit=10)[1] == 0
        with db.write() as writer:
            projects.create(writer, "shop")
        assert projects.page(session, limit=10)[1] == 0
    assert _slugs(db) == ["shop"]


def test_writing_inside_writing_is_refused_instead_of_hanging(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    with db.write(), pytest.raises(RuntimeError, match="inside"), db.write():
        pass
    with db.write():
        pass
    db.close()


def test_the_same_slug_twice_is_a_conflict(db: Database) -> None:
    with db.write() as session:
        row = projects.create(session, "shop")
    with pytest.raises(Conflict), db.write() as session:
        projects.create(session, "shop")
    with pytest.raises(Conflict) as said, db.write() as session:
        session.execute(sa.insert(projects.projects), {**_columns(row), "id": "another"})
    assert said.value.details["reason"] == "exists"


def _columns(record: projects.ProjectRecord) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


def test_a_reference_to_nothing_is_a_conflict(db: Database) -> None:
    with pytest.raises(Conflict) as said, db.write() as session:
        analyses.create(session, kind="path", path="src", project_id="nowhere")
    assert said.value.details["reason"] == "reference"


def test_errors_tell_no_sql_and_no_values(db: Database) -> None:
    with pytest.raises(StorageError) as said, db.read() as session:
        session.execute(sa.text("SELECT hush FROM nowhere WHERE a = :a"), {"a": "s3cret"})
    assert said.value.details == {"service": "database", "reason": "not_migrated"}
    told = said.value.message + str(said.value.__cause__)
    assert "SELECT" not in said.value.message
    assert "s3cret" not in told


def test_numbers_beyond_64_bits_are_invalid(db: Database) -> None:
    with pytest.raises(Invalid), db.write() as session:
        workers.register(session, "host", 2**70, 1)


def test_text_is_cleaned_on_the_way_in(db: Database) -> None:
    dirty: Any = {"a\0b": "c\0d \udcff", "deep": ["\ud800"]}
    with db.write() as session:
        projects.create(session, "x\0y", name="\udcff.py", root_path="naïve/日本.py", service_names=[dirty])
    with db.read() as session:
        found = projects.get(session, "x\0y")
    assert (found.slug, found.name, found.root_path) == ("x\ufffdy", "\\udcff.py", "naïve/日本.py")
    names: Any = found.service_names
    assert names == [{"a\ufffdb": "c\ufffdd \\udcff", "deep": ["\\ud800"]}]


def test_times_come_back_aware_in_utc_to_the_microsecond(db: Database) -> None:
    moment = datetime(2026, 3, 1, 1, 30, 0, 7, tzinfo=timezone(timedelta(hours=5)))
    with db.write() as session:
        created = analyses.create(session, kind="path", path="src", started_at=moment)
        assert analyses.get(session, created.id).started_at == moment
        found = analyses.get(session, created.id).started_at
        assert found is not None
        assert found.tzinfo is UTC or found.utcoffset() == timedelta(0)
        text = session.execute(sa.select(wire(analyses.analyses.c.started_at))).scalar_one()
        assert text == "2026-02-28T20:30:00.000007Z"


def test_naive_times_are_refused(db: Database) -> None:
    with pytest.raises(sa.exc.StatementError, match="zone"), db.write() as session:
        analyses.create(session, kind="path", path="src", started_at=datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("table", "record"),
    [
        (projects.projects, projects.ProjectRecord),
        (analyses.analyses, analyses.AnalysisRecord),
        (analyses.batches, analyses.BatchRecord),
        (findings.findings, findings.FindingRecord),
        (workers.workers, workers.Worker),
    ],
)
def test_records_have_the_columns_in_order(table: sa.Table, record: type) -> None:
    assert tuple(column.name for column in table.columns) == record.__struct_fields__  # type: ignore[attr-defined]


def test_the_version_of_the_data_changes_with_every_commit(db: Database, db_url: str) -> None:
    before = db.data_version()
    if db.is_sqlite:
        assert db.data_version() == before
    with db.write() as session:
        projects.create(session, "here")
    mine = db.data_version()
    other = open_database(db_url)
    with other.write() as session:
        projects.create(session, "there")
    other.close()
    theirs = db.data_version()
    assert len({before, mine, theirs}) == 3


_COUNT_UP = """
import os
import sys
import sqlalchemy as sa
from hefesto_api.storage.database import open_database
from hefesto_api.storage.workers import workers
started = []
for _ in range(6):  # one process imports for all; each opens the database for itself
    child = os.fork()
    if not child:
        break
    started.append(child)
else:
    sys.exit(sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 for child in started))
db = open_database(sys.argv[1])
for _ in range(100):
    with db.write() as session:
        slots = session.execute(sa.select(workers.c.slots).with_for_update()).scalar_one()
        session.execute(sa.update(workers).values(slots=slots + 1))
"""


def test_no_update_of_600_by_6_processes_is_lost(db: Database, db_url: str) -> None:
    with db.write() as session:
        workers.register(session, "host", 1, 0)
    subprocess.run([sys.executable, "-c", _COUNT_UP, db_url], check=True, timeout=100)
    with db.read() as session:
        assert session.execute(sa.select(workers.workers.c.slots)).scalar_one() == 600


def test_no_update_of_threads_is_lost(db: Database) -> None:
    with db.write() as session:
        workers.register(session, "host", 1, 0)

    def count_up() -> None:
        for _ in range(25):
            with db.write(durable=False) as session:
                slots = session.execute(sa.select(workers.workers.c.slots).with_for_update()).scalar_one()
                session.execute(sa.update(workers.workers).values(slots=slots + 1))

    threads = [threading.Thread(target=count_up) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.read() as session:
        assert session.execute(sa.select(workers.workers.c.slots)).scalar_one() == 200


def test_a_child_that_forks_away_opens_its_own_doors(db: Database) -> None:
    with db.write() as session:
        projects.create(session, "parent")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with db.write() as session:
                projects.create(session, "child")
            code = 0 if _slugs(db) == ["child", "parent"] else 2
            db.close()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert _slugs(db) == ["child", "parent"]


def test_one_sqlite_library_per_process(tmp_path: Path) -> None:
    pytest.importorskip("pysqlite3")
    code = """
import sys
from hefesto_api.storage import migrate
from hefesto_api.storage.database import open_database
db = open_database(sys.argv[1])
migrate.upgrade(db)
assert "pysqlite3" in sys.modules and "_sqlite3" not in sys.modules, "two libraries"
with db.read() as session:
    assert session.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    assert session.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert session.exec_driver_sql("PRAGMA synchronous").scalar() == 2
"""
    argv = [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'x.db'}"]
    subprocess.run(argv, check=True, timeout=60, env={})  # coverage would load a library of its own


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path / 'new' / 'x.db'}")
    migrate.upgrade(db)
    db.close()
    assert (tmp_path / "new" / "x.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("mysql://u:hush@h/x", "mysql"),
        ("sqlite://", "file"),
        ("sqlite:///:memory:", "file"),
        ("not a url", "DATABASE_URL"),
    ],
)
def test_urls_that_cannot_be(url: str, named: str) -> None:
    with pytest.raises(UsageError, match=named) as refused:
        open_database(url)
    assert "hush" not in refused.value.message


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_names_platforms_give_postgresql(scheme: str) -> None:
    db = open_database(f"{scheme}://user:hush@host/name")
    assert db.url.drivername == "postgresql+psycopg"
    assert "hush" not in repr(db)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"this is a shopping list, not a database " * 100)
    with pytest.raises(StorageError) as said, open_database(f"sqlite:///{path}").read():
        pass
    assert said.value.details["reason"] == "damaged"


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as said, open_database(f"sqlite:///{tmp_path}").read():
        pass
    assert said.value.details["reason"] == "unreachable"


def test_a_server_that_is_not_there() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StorageError) as said, open_database("postgresql://127.0.0.1:9/x").read():
        pass
    assert said.value.details["reason"] == "unreachable"


@pytest.mark.parametrize("db_kind", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_a_connection_that_dies_is_told_and_replaced(db: Database) -> None:
    with pytest.raises(StorageError) as said, db.write() as session:
        pid = session.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with db.write() as killer:
            killer.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
        projects.create(session, "shop")
    assert said.value.details["reason"] == "connection_lost"
    with db.write() as session:
        projects.create(session, "shop")


def test_a_full_disk(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    migrate.upgrade(db)
    with pytest.raises(StorageError) as said, db.write() as session:
        session.exec_driver_sql("PRAGMA max_page_count=10")
        for number in range(10_000):
            projects.create(session, f"project-{number}", name="x" * 1000)
    assert said.value.details["reason"] == "disk_full"
    db.close()


def test_a_database_kept_by_another_process_is_busy(tmp_path: Path) -> None:
    first, second = (open_database(f"sqlite:///{tmp_path / 'x.db'}", patience=wait) for wait in (5, 0.05))
    with first.write(), pytest.raises(StorageError) as said, second.write():
        pass
    assert said.value.details["reason"] == "busy"
    with second.write():
        pass
    first.close()
    second.close()


def test_a_thread_that_waits_too_long_is_told(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path / 'x.db'}", patience=0.05)
    said: list[StorageError] = []

    def impatient() -> None:
        try:
            with db.write():
                pass
        except StorageError as error:
            said.append(error)

    with db.write():
        thread = threading.Thread(target=impatient)
        thread.start()
        thread.join()
    assert [error.details["reason"] for error in said] == ["busy"]
    assert db.writer_wait()[2] == 0
    db.close()
