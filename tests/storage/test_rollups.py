"""The rollups say what the findings say, whoever writes those, and after every migration."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hefesto_api.storage import contents, findings, measures, migrate, projects, rollups, upkeep
from hefesto_api.storage.base import Session
from hefesto_api.storage.contents import FileRecord
from hefesto_api.storage.database import Database, open_database
from hefesto_api.storage.measures import Standing, TopFile
from msgspec import structs
from tests.databases import empty_database
from tests.storage.factories import THEN, content, finding, finding_record

NEXT_DAY = THEN + timedelta(days=1)


def _shop(db: Database) -> str:
    with db.write() as session:
        return projects.create(session, "shop").id


def _rows(db: Database, table: sa.Table) -> list[tuple[Any, ...]]:
    """Return the rows of a rollup that say something, without the project."""
    with db.read() as session:
        numbers = [column.name for column in table.columns if isinstance(column.type, sa.BigInteger)]
        rows = session.execute(sa.select(table)).mappings()
        told = [row for row in rows if any(row[name] for name in numbers)]
        return sorted(tuple(value for name, value in row.items() if name != "project_id") for row in told)


def _all(db: Database) -> dict[str, list[tuple[Any, ...]]]:
    return {table.name: _rows(db, table) for table in rollups.TABLES}


def _change(session: Session, one: findings.FindingRecord, **fields: Any) -> None:
    findings.change(session, one.id, one.revision, **fields)


def test_a_new_finding_is_counted_everywhere(db: Database) -> None:
    shop = _shop(db)
    with db.write() as session:
        finding(session, shop, severity="HIGH", confidence=0.75)
        finding(session, shop, severity="HIGH", confidence=0.5, file_path="src/b.py")
        finding(session, shop, status="ignored", reason="suppressed_in_source")
    assert _all(db) == {
        "finding_counts": [
            ("ignored", "LOW", "security", "HEF-SEC-EVAL", "suppressed_in_source", 1, 500),
            ("open", "HIGH", "security", "HEF-SEC-EVAL", "", 2, 1250),
        ],
        "daily_counts": [("2026-01-01", "security", "HIGH", 2, 0, 2, 1250)],
        # A HIGH one weighs 8.
        "file_counts": [("src/app.py", 0, 1, 0, 0, 6000), ("src/b.py", 0, 1, 0, 0, 4000)],
        "line_counts": [],
    }


def test_a_resolved_finding_leaves_on_the_day_it_was_resolved(db: Database) -> None:
    shop = _shop(db)
    with db.write() as session:
        one = finding(session, shop, confidence=1.0)
    with db.write() as session:
        _change(session, one, status="resolved", reason="fixed", resolved_at=NEXT_DAY, updated_at=NEXT_DAY)
    assert _rows(db, rollups.daily_counts) == [
        ("2026-01-01", "security", "LOW", 1, 0, 1, 1000),
        ("2026-01-02", "security", "LOW", 0, 1, -1, -1000),
    ]
    assert _rows(db, rollups.file_counts) == []
    with db.read() as session:
        assert measures.standing(session, None) == []
        assert measures.count(session, [shop], status=["resolved"]) == 1


def test_a_finding_that_comes_back_is_opened_again(db: Database) -> None:
    shop = _shop(db)
    with db.write() as session:
        one = finding(session, shop, status="wontfix")
        _change(session, one, status="open", updated_at=NEXT_DAY)
    assert _rows(db, rollups.daily_counts) == [("2026-01-02", "security", "LOW", 1, 0, 1, 500)]


def test_an_acknowledged_finding_still_stands(db: Database) -> None:
    shop = _shop(db)
    with db.write() as session:
        one = finding(session, shop)
        _change(session, one, status="acknowledged", updated_at=NEXT_DAY)
    with db.read() as session:
        assert measures.standing(session, None) == [Standing("security", "LOW", 1, 500)]
    assert _rows(db, rollups.daily_counts) == [("2026-01-01", "security", "LOW", 1, 0, 1, 500)]


def test_a_finding_that_gets_worse_and_moves_is_counted_where_it_is_now(db: Database) -> None:
    shop = _shop(db)
    with db.write() as session:
        one = finding(session, shop)
        _change(
            session, one, severity="CRITICAL", severity_rank=4, confidence=1.0,
            file_path="src/new.py", last_seen=NEXT_DAY,
        )  # fmt: skip
    assert _rows(db, rollups.daily_counts) == [
        ("2026-01-01", "security", "LOW", 1, 0, 1, 500),
        ("2026-01-02", "security", "CRITICAL", 0, 0, 1, 1000),
        ("2026-01-02", "security", "LOW", 0, 0, -1, -500),
    ]
    with db.read() as session:
        assert measures.top_files(session, [shop], 5) == [TopFile("shop", "src/new.py", 1, 0, 0, 0, 20_000)]


def test_lines_follow_the_files(db: Database) -> None:
    shop = _shop(db)
    with db.write() as session:
        stored = contents.store(session, "e1", [content(1, lines_of_code=100), content(2, lines_of_code=30)])
        first, second = sorted(stored.values())
        old, new = (
            FileRecord("a.py", held, 1, 1, 1, 1, "a", day)
            for held, day in ((first, THEN), (second, NEXT_DAY))
        )
        contents.save_files(session, shop, "", [old])
        contents.save_files(session, shop, "", [new])
    assert _rows(db, rollups.line_counts) == [("", "2026-01-01", 100), ("", "2026-01-02", -70)]
    with db.write() as session:
        contents.drop_files(session, shop, "", ["a.py"])
    with db.read() as session:
        assert sum(one.lines for one in measures.line_changes(session, [shop])) == 0


def test_deleting_a_project_takes_its_counts_along(db: Database) -> None:
    shop = _shop(db)
    with db.write() as session:
        other = projects.create(session, "other").id
        for project in (shop, other):
            finding(session, project)
        stored = contents.store(session, "e1", [content(1)])
        file = FileRecord("a.py", next(iter(stored.values())), 1, 1, 1, 1, "a", THEN)
        contents.save_files(session, shop, "", [file])
    with db.write() as session:
        projects.delete(session, shop)
    with db.read() as session:
        for table in rollups.TABLES:
            assert set(session.execute(sa.select(table.c.project_id)).scalars()) <= {other}
        assert measures.count(session, None) == 1


def _totals_are_sums(db: Database) -> bool:
    """Tell whether the totals say what the counts of all projects add up to, in whatever way we add."""
    for table, total in rollups.TOTALS.items():
        keys = [column.name for column in total.primary_key]
        numbers = [column.name for column in total.columns if column.name not in keys]
        with db.read() as session:
            counts = list(session.execute(sa.select(table)).mappings())
            totals = list(session.execute(sa.select(total)).mappings())
        sums: dict[tuple[str, ...], list[int]] = {}
        for row in counts:
            place = sums.setdefault(tuple(row[key] for key in keys), [0] * len(numbers))
            place[:] = [old + row[name] for old, name in zip(place, numbers, strict=True)]
        told = {tuple(row[key] for key in keys): [row[name] for name in numbers] for row in totals}
        if {key: row for key, row in sums.items() if any(row)} != {
            key: row for key, row in told.items() if any(row)
        }:
            return False
    return True


def test_totals_are_those_of_all_projects_whatever_happens_to_one(db: Database) -> None:
    shop = _shop(db)
    with db.write() as session:
        other = projects.create(session, "other").id
        for project in (shop, other):
            _life(session, project)
    with db.read() as session:
        assert measures.count(session, None) == 2 * measures.count(session, [shop]) == 8
    assert _totals_are_sums(db)
    with db.write() as session:
        projects.delete(session, shop)
    assert _totals_are_sums(db)
    with db.read() as session:
        assert measures.count(session, None) == measures.count(session, [other]) == 4
        assert measures.daily_changes(session, None, "") == measures.daily_changes(session, [other], "")


def test_upkeep_mends_totals_that_are_wrong(db: Database) -> None:
    shop = _shop(db)
    with db.write() as session:
        _life(session, shop)
    with db.write() as session:
        session.execute(sa.update(rollups.daily_totals).values(opened=77))
    assert not _totals_are_sums(db)
    upkeep.run(db)
    assert _totals_are_sums(db)


def test_a_write_that_fails_counts_nothing(db: Database) -> None:
    shop = _shop(db)
    with pytest.raises(RuntimeError), db.write() as session:
        finding(session, shop)
        raise RuntimeError
    assert set(map(len, _all(db).values())) == {0}


def _life(session: Session, shop: str) -> None:
    """Write findings of every kind that rollups tell apart."""
    one = finding(session, shop, severity="HIGH", confidence=0.333)
    two = finding(session, shop, severity="MEDIUM", file_path="b.py", analyzer="complexity")
    finding(session, shop, status="acknowledged", rule_id="X", confidence=0.9)
    finding(session, shop, status="ignored", reason="suppressed_in_source")
    _change(session, one, status="resolved", reason="fixed", resolved_at=NEXT_DAY, updated_at=NEXT_DAY)
    _change(session, two, status="wontfix", reason="false_positive", updated_at=NEXT_DAY)
    stored = contents.store(session, "e1", [content(1)])
    contents.save_files(
        session, shop, "", [FileRecord("a.py", next(iter(stored.values())), 1, 1, 1, 1, "a", THEN)]
    )


def test_counting_anew_finds_what_the_triggers_counted(db: Database) -> None:
    shop = _shop(db)
    with db.write() as session:
        _life(session, shop)
    kept = _all(db)
    assert all(kept.values())
    with db.write() as session:
        session.execute(sa.update(rollups.finding_counts).values(findings=77))
        session.execute(sa.delete(rollups.daily_counts))
        rollups.rebuild(session)
    assert _all(db) == kept


def test_upkeep_mends_counts_that_are_wrong(db: Database) -> None:
    shop = _shop(db)
    with db.write() as session:
        _life(session, shop)
    kept = _all(db)
    with db.write() as session:
        session.execute(sa.update(rollups.finding_counts).values(findings=77))
        assert not rollups.are_right(session)
    upkeep.run(db)
    assert _all(db) == kept


def test_a_populated_database_goes_up_and_down(db_kind: str, tmp_path: Path) -> None:
    with empty_database(db_kind, tmp_path, "populated") as url:
        db = open_database(url)
        migrate.upgrade(db)
        shop = _shop(db)
        with db.write() as session:
            _life(session, shop)
        kept = _all(db)
        migrate.downgrade(db, "0001")
        with db.schema() as session:  # what `write` keeps besides has no tables yet
            assert not sa.inspect(session).has_table("finding_counts")
            # The schema of then lacks columns of now.
            columns = {column["name"] for column in sa.inspect(session).get_columns("findings")}
            row = structs.asdict(finding_record(shop, rule_id="NEW"))
            session.execute(sa.insert(findings.findings), {name: row[name] for name in columns})
        migrate.upgrade(db)
        counted = _all(db)
        fresh = ("open", "LOW", "security", "NEW", "", 1, 500)
        assert counted["finding_counts"] == sorted([*kept["finding_counts"], fresh])
        assert counted["line_counts"] == kept["line_counts"]
        with db.read() as session:
            assert rollups.are_right(session)
        assert _totals_are_sums(db)
        with db.write() as session:  # and the triggers are there again
            findings.insert(session, [finding_record(shop, rule_id="NEW")])
        assert ("open", "LOW", "security", "NEW", "", 2, 1000) in _rows(db, rollups.finding_counts)
        db.close()
