"""The list answers what was asked, each finding once, however it is paged."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hefesto_api.domain.errors import Invalid
from hefesto_api.storage import finding_list, projects
from hefesto_api.storage.database import Database
from hefesto_api.storage.finding_list import Filter, ListedFinding
from tests.storage.factories import THEN, finding


@pytest.fixture
def shop(db: Database) -> str:
    """Keep findings that differ in everything; their lines are their names."""
    with db.write() as session:
        one, two = projects.create(session, "shop").id, projects.create(session, "other").id
        finding(session, one, line=1, file_path="src/app.py", severity="HIGH", cwe=[79, 89])
        finding(session, one, line=2, file_path="src/app.py.orig", analyzer="complexity", status="ignored")
        finding(
            session, one, line=3, file_path="src/Lib/x.py", severity="CRITICAL", description="100% sure_thing"
        )
        finding(session, one, line=4, file_path="srcx/y.py", rule_id="HEF-CPX-LONG", function_name="Cart.pay")
        finding(session, two, line=5, cwe=[8], last_seen=THEN + timedelta(days=1))
    return one


@pytest.mark.parametrize(
    ("wanted", "lines"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"project_ids": ()}, []),
        ({"file_path": "src/app.py"}, [1, 5]),
        ({"file_path": "src/"}, [1, 2, 3, 5]),
        ({"file_path": "src/Lib/"}, [3]),
        ({"analyzer": ("complexity",)}, [2]),
        ({"severity": ("HIGH", "CRITICAL")}, [1, 3]),
        ({"min_rank": 3}, [1, 3]),
        ({"status": ("open",)}, [1, 3, 4, 5]),
        ({"status": ("open", "ignored"), "min_rank": 4}, [3]),
        ({"rule_id": "HEF-CPX-LONG"}, [4]),
        ({"cwe": 89}, [1]),
        ({"cwe": 8}, [5]),
        ({"q": "100% sure_"}, [3]),
        ({"q": "0%_"}, []),
        ({"q": "CART.PAY"}, [4]),
        ({"q": "lib/X"}, [3]),
        ({"start": THEN + timedelta(seconds=1)}, [5]),
        ({"end": THEN}, [1, 2, 3, 4]),
        ({"start": THEN, "end": THEN + timedelta(days=1)}, [1, 2, 3, 4, 5]),
    ],
)
def test_filters(db: Database, shop: str, wanted: dict[str, Any], lines: list[int]) -> None:
    with db.read() as session:
        items, following = finding_list.page(session, Filter(**wanted), limit=50)
        assert sorted(item.line for item in items) == lines
        assert following is None
        found = finding_list.written(session, Filter(**wanted), limit=50)
        assert found[:3] == _as_written(items, None)
        assert found.counted in {None, (len(lines), True)}
        assert finding_list.count(session, Filter(**wanted)) == (len(lines), True)
        assert len(finding_list.ids(session, Filter(**wanted), limit=50)) == len(lines)


def _as_written(items: list[ListedFinding], key: tuple[Any, ...] | None) -> tuple[Any, ...]:
    return msgspec.json.encode(items), len(items), key


@pytest.mark.parametrize("sort", ["last_seen", "severity", "confidence"])
def test_what_is_written_is_the_page(db: Database, sort: str) -> None:
    hostile = 'a"b\\c/</script>\x1e\x1f\x00\x7f\u2028\n\t\U0001f600\ud800 100%'
    with db.write() as session:
        shop = projects.create(session, "shop").id
        for number in range(5):
            finding(session, shop, description=hostile, function_name=hostile, confidence=0.1 + number / 5)
    with db.read() as session:
        for limit in (2, 5):
            items, key = finding_list.page(session, Filter(), limit=limit, sort=sort)
            found = finding_list.written(session, Filter(), limit=limit, sort=sort)
            assert msgspec.json.decode(found.json, type=list[ListedFinding]) == items
            assert (found.many, found.next_key) == (limit, key)


def test_a_project_sees_its_own(db: Database, shop: str) -> None:
    with db.read() as session:
        items, _ = finding_list.page(session, Filter(project_ids=(shop,)), limit=50)
    assert {item.project for item in items} == {"shop"}
    assert len(items) == 4


def test_items_are_in_wire_form(db: Database, shop: str) -> None:
    with db.read() as session:
        items, _ = finding_list.page(session, Filter(cwe=8), limit=1)
    assert items[0].last_seen == items[0].timestamp == "2026-01-02T12:00:00.000000Z"
    assert items[0].first_seen == "2026-01-01T12:00:00.000000Z"


_FOLDERS = [({"file_path": "src/"}, [1, 2, 3, 5]), ({"file_path": "src/app.py"}, [1, 5])]


@pytest.mark.parametrize(("wanted", "lines"), _FOLDERS)
@pytest.mark.parametrize("few", [0, 5_000])
def test_files_of_many_findings_and_of_few(
    db: Database,
    shop: str,
    monkeypatch: pytest.MonkeyPatch,
    few: int,
    wanted: dict[str, Any],
    lines: list[int],
) -> None:
    monkeypatch.setattr(finding_list, "FEW", few)
    with db.read() as session:
        items, _ = finding_list.page(session, Filter(**wanted, project_ids=None), limit=50)
        in_shop, _ = finding_list.page(session, Filter(**wanted, project_ids=(shop,)), limit=50)
    assert sorted(item.line for item in items) == lines
    assert sorted(item.line for item in in_shop) == [line for line in lines if line != 5]
    assert items[0].line == 5  # seen last


@pytest.mark.parametrize("many", [1, 4, 60])
def test_severities_of_one_project_and_of_many(db: Database, shop: str, many: int) -> None:
    others = tuple(f"nobody-{number}" for number in range(many - 1))
    wanted = Filter(project_ids=(shop, *others), severity=("LOW", "HIGH", "CRITICAL"), min_rank=3)
    with db.read() as session:
        items, after = finding_list.page(session, wanted, limit=1)
        assert [item.severity for item in items] == ["CRITICAL"]  # the same moment: made later
        items, after = finding_list.page(session, wanted, limit=1, after=after)
    assert [item.severity for item in items] == ["HIGH"]
    assert after is None


def test_a_severity_below_the_least_asks_for_nothing(db: Database, shop: str) -> None:
    with db.read() as session:
        assert finding_list.page(session, Filter(severity=("LOW",), min_rank=3), limit=5) == ([], None)


_LISTS = ({"status": ("open",)}, {"min_rank": 3}, {"project_ids": ("x",), "status": ("open", "ignored")})


@pytest.mark.parametrize("db_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("wanted", _LISTS)
@pytest.mark.parametrize("sort", ["last_seen", "severity"])
def test_a_page_is_read_from_ranges_of_an_index(db: Database, wanted: dict[str, Any], sort: str) -> None:
    plan: list[str] = []
    with db.read() as session:
        driver: Any = session.connection.dbapi_connection
        driver.set_trace_callback(plan.append)
        finding_list.page(session, Filter(**wanted), limit=2, sort=sort)
        driver.set_trace_callback(None)
        steps = [row[3] for row in session.exec_driver_sql(f"EXPLAIN QUERY PLAN {plan[-1]}")]
    ranges = [step for step in steps if step.startswith("SEARCH") and "ix_findings_of_" in step]
    assert len(ranges) > 1
    assert all("COVERING" in step and "severity_rank=?" in step for step in ranges)
    assert not [step for step in steps if step.startswith("SCAN") and "page" not in step]


def _walk(db: Database, by_key: bool, **order: Any) -> list[int]:
    lines: list[int] = []
    after: tuple[Any, ...] | None = None
    with db.read() as session:
        while True:
            place = {"after": after} if by_key else {"offset": len(lines)}
            items, after = finding_list.page(session, Filter(), limit=2, **place, **order)
            lines += [item.line for item in items]
            if after is None:
                return lines


@pytest.mark.parametrize("sort", sorted(finding_list.SORTS))
@pytest.mark.parametrize("descending", [True, False])
def test_pages_show_each_once_in_order_by_key_as_by_offset(
    db: Database, shop: str, sort: str, descending: bool
) -> None:
    by_key = _walk(db, True, sort=sort, descending=descending)
    assert sorted(by_key) == [1, 2, 3, 4, 5]
    assert by_key == _walk(db, False, sort=sort, descending=descending)


def test_orders(db: Database, shop: str) -> None:
    assert _walk(db, True, sort="severity", descending=True)[:2] == [3, 1]
    assert _walk(db, True, sort="file_path", descending=False)[:1] == [3]  # by code point, on every database
    assert _walk(db, True)[0] == 5


@pytest.mark.parametrize(
    "key",
    [(), (1, 2, 3), ("x", "y"), (5, "id"), ("2026-01-01T00:00:00", "id"), ("2026-01-01", 1)],
)
def test_keys_that_are_none(db: Database, key: tuple[Any, ...]) -> None:
    with pytest.raises(Invalid), db.read() as session:
        finding_list.page(session, Filter(), limit=2, after=key)


def test_a_count_stops_at_the_cap(db: Database, shop: str) -> None:
    with db.read() as session:
        assert finding_list.count(session, Filter(tool="hefesto"), exact_to=4) == (4, False)
        assert finding_list.count(session, Filter(tool="hefesto"), exact_to=5) == (5, True)


def test_what_the_rollup_tells_apart_is_counted_beyond_any_cap(db: Database, shop: str) -> None:
    with db.read() as session:
        assert finding_list.count(session, Filter(), exact_to=4) == (5, True)
        assert finding_list.count(session, Filter(project_ids=(shop,)), exact_to=3) == (4, True)
        assert finding_list.count(session, Filter(project_ids=()), exact_to=4) == (0, True)
        assert finding_list.count(session, Filter(severity=("LOW",), min_rank=2)) == (0, True)
