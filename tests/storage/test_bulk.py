"""Rows that are handed straight to the driver arrive as SQLAlchemy would have written them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hefesto_api.domain import ids
from hefesto_api.domain.errors import Conflict
from hefesto_api.storage import bulk, contents, projects
from hefesto_api.storage.base import Session, upsert
from hefesto_api.storage.database import Database
from hefesto_api.storage.findings import findings
from msgspec import structs
from tests.storage.factories import THEN, finding_record

INSERT = sa.insert(findings)


@pytest.fixture
def project(db: Database) -> str:
    with db.write() as session:
        return projects.create(session, "shop", name="Shop").id


def row(project_id: str, **fields: Any) -> dict[str, Any]:
    return structs.asdict(finding_record(project_id, **fields))


def written(session: Session) -> dict[str, dict[str, Any]]:
    return {one["id"]: dict(one) for one in session.execute(sa.select(findings)).mappings()}


def test_every_type_arrives_as_it_does_without_the_short_cut(db: Database, project: str) -> None:
    rows = [
        row(project, description="plain", cwe=[79, 80], metadata={"lines": 12, "other": [{"path": "é"}]}),
        row(project, resolved_at=THEN, function_name="f", confidence=0.95, prints=b"\x00\xff"),
        row(project, suppression={"kind": "noqa", "reason": None}, reason="fixed", status="resolved"),
    ]
    with db.write() as session:
        bulk.execute(session, INSERT, rows)
        short = written(session)
        session.execute(sa.delete(findings))
        for one in rows:
            session.execute(INSERT, one)
        assert short == written(session)
    assert [short[one["id"]]["resolved_at"] for one in rows] == [None, THEN, None]


def test_texts_that_no_database_takes_are_cleaned(db: Database, project: str) -> None:
    odd = row(project, file_path="a\udcff.py", description="nul \0 in it", metadata={"key": "\0"})
    with db.write() as session:
        bulk.execute(session, INSERT, [odd])
        (kept,) = written(session).values()
    assert kept["file_path"] == "a\\udcff.py"
    assert kept["description"] == "nul \ufffd in it"
    assert kept["metadata"] == {"key": "\ufffd"}


def test_values_follow_their_names_not_their_order(db: Database, project: str) -> None:
    first, second = row(project, line=3, column=7), row(project, line=30, column=70)
    with db.write() as session:
        bulk.execute(session, INSERT, [first, dict(reversed(second.items()))])
        places = {one["id"]: (one["line"], one["column"]) for one in written(session).values()}
    assert places == {first["id"]: (3, 7), second["id"]: (30, 70)}


def test_a_row_that_is_there_already_is_left_or_refused_as_the_statement_says(
    db: Database, project: str
) -> None:
    record: dict[str, Any] = {
        "sha256": "0" * 64,
        "variant": "python",
        "engine": "one",
        "language": None,
        "flaw": None,
    }
    record |= {"lines_of_code": 1, "functions_count": 0, "report": b"first", "shingles": None}
    record |= {"created_at": THEN, "last_used_at": THEN}
    with db.write() as session:
        once = upsert(session.dialect.name, contents.contents).on_conflict_do_nothing()
        bulk.execute(session, once, [record, record | {"report": b"second"}])
        reports = session.execute(sa.select(contents.contents.c.report)).scalars().all()
    assert reports == [b"first"]
    twice = row(project, id=ids.new_id())
    with pytest.raises(Conflict), db.write() as session:
        bulk.execute(session, INSERT, [twice, twice])


def test_a_row_that_lacks_a_column_of_the_first_is_refused(db: Database, project: str) -> None:
    whole = row(project)
    lacking = {name: value for name, value in row(project).items() if name != "line"}
    with pytest.raises(KeyError), db.write() as session:
        bulk.execute(session, INSERT, [whole, lacking])
    with db.read() as session:
        assert written(session) == {}


def test_rows_are_updated_by_the_parameters_of_a_statement(db: Database, project: str) -> None:
    first, second = row(project, line=3), row(project, line=30)
    update = (
        sa.update(findings)
        .where(findings.c.id == sa.bindparam("new_id"))
        .values(
            line=sa.bindparam("new_line", type_=findings.c.line.type),
            last_seen=sa.bindparam("new_last_seen", type_=findings.c.last_seen.type),
            occurrence_count=findings.c.occurrence_count + sa.literal_column("1"),
        )
    )
    later = THEN + timedelta(days=1)
    changes = [{"id": first["id"], "line": 4, "last_seen": later}]
    changes += [{"last_seen": later + timedelta(hours=1), "line": 31, "id": second["id"]}]
    with db.write() as session:
        bulk.execute(session, INSERT, [first, second])
        bulk.execute(session, update, changes, prefix="new_")
        kept = written(session)
    seen = [(kept[one["id"]]["line"], kept[one["id"]]["last_seen"]) for one in (first, second)]
    assert seen == [(4, later), (31, later + timedelta(hours=1))]
    assert {one["occurrence_count"] for one in kept.values()} == {first["occurrence_count"] + 1}


def test_no_rows_are_no_statement(db: Database) -> None:
    with db.read() as session:  # where any INSERT is an error
        bulk.execute(session, INSERT, [])
