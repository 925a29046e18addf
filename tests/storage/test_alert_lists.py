"""Lists of alerts and what they add up to are the same on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain import clock
from hefesto_api.domain.alert import IncomingAlert
from hefesto_api.domain.finding import Severity
from hefesto_api.storage import alert_changes, alert_lists, alert_stats, alerts, projects
from hefesto_api.storage.alert_lists import SORTS, Filter
from tests.storage.factories import THEN

if TYPE_CHECKING:
    from hefesto_api.storage.database import Database

HOUR = timedelta(hours=1)


@pytest.fixture
def shop(db: Database) -> str:
    """A project with seven alerts a0 to a6, an hour apart, of which a6 is resolved and a5 acknowledged."""
    with db.write() as session:
        project = projects.ensure(session, "shop").id
        made = [alerts.record(session, project, _alert(number), f"f{number}").alert_id for number in range(7)]
        alert_changes.acknowledge(session, made[5], "ann")
        alert_changes.resolve(session, made[6], "ann")
    return project


def _alert(number: int) -> IncomingAlert:
    return IncomingAlert(
        alert_id=f"a{number}",
        source="native",
        timestamp=THEN + number * HOUR,
        severity=list(Severity)[number % 4],
        service_name="web" if number % 2 else None,
        environment="production",
        error_message=f"100%_sure {number}",
    )


def names(db: Database, **wanted: Any) -> list[str]:
    with db.read() as session:
        return [one.alert_id for one in alert_lists.page(session, Filter(**wanted), limit=10)[0]]


@pytest.mark.parametrize("sort", sorted(SORTS))
@pytest.mark.parametrize("descending", [False, True])
def test_pages_by_key_and_by_offset_are_the_same(
    db: Database, shop: str, sort: str, descending: bool
) -> None:
    with db.read() as session:
        whole, key = alert_lists.page(session, Filter(), limit=7, sort=sort, descending=descending)
        assert key is None
        assert len({one.id for one in whole}) == 7
        paged, after = [], None
        for _ in range(4):
            items, after = alert_lists.page(
                session, Filter(), limit=2, after=after, sort=sort, descending=descending
            )
            paged += items
        assert after is None
        assert paged == whole
        by_offset, _ = alert_lists.page(
            session, Filter(), limit=3, offset=2, sort=sort, descending=descending
        )
        assert by_offset == whole[2:5]


def test_times_are_written_as_they_go_over_the_wire(db: Database, shop: str) -> None:
    with db.read() as session:
        found = alert_lists.page(session, Filter(alert_id="a1"), limit=1)[0][0]
    assert (found.first_seen, found.resolved_at) == ("2026-01-01T13:00:00.000000Z", None)
    assert found.project == "shop"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"status": ("pending",), "service_name": "web"}, ["a3", "a1"]),
        ({"status": ("resolved", "acknowledged")}, ["a6", "a5"]),
        ({"severity": ("CRITICAL",)}, ["a3"]),
        ({"q": "100%_SURE 4"}, ["a4"]),
        ({"q": "100_"}, []),
        ({"start": THEN + 5 * HOUR, "end": THEN + 6 * HOUR}, ["a6", "a5"]),
        ({"fingerprint": "f2", "source": "native", "environment": "production"}, ["a2"]),
        ({"project_ids": ()}, []),
    ],
)
def test_filters_narrow_lists_and_counts(
    db: Database, shop: str, wanted: dict[str, Any], expected: list[str]
) -> None:
    assert names(db, **wanted) == expected
    with db.read() as session:
        assert alert_lists.count(session, Filter(**wanted)) == (len(expected), True)


def test_a_count_has_an_end(db: Database, shop: str) -> None:
    with db.read() as session:
        assert alert_lists.count(session, Filter(), exact_to=5) == (5, False)


def test_alerts_add_up(db: Database, shop: str) -> None:
    wanted = Filter(project_ids=(shop,))
    with db.read() as session:
        counted = alert_stats.counts(session, wanted)
        to_acknowledge, to_resolve = alert_stats.mean_times(session, wanted)
        standing = alert_stats.standing(session, wanted, clock.now())
        assert alert_stats.flapping(session, wanted, clock.now()) == []
        assert len(alert_stats.top(session, wanted)) == 6
    assert counted["by_status"] == {"pending": 5, "acknowledged": 1, "resolved": 1}
    assert counted["by_severity"] == {"HIGH": 2, "LOW": 2, "MEDIUM": 2, "CRITICAL": 1}
    assert counted["by_service"] == {"web": 3}
    assert counted["by_project"] == {"shop": 7}
    assert to_acknowledge is not None
    assert 0 <= to_acknowledge < 600
    since = (clock.now() - THEN - 6 * HOUR).total_seconds()
    assert to_resolve == pytest.approx(since, abs=600)
    assert len(standing) == 6


def test_what_began_three_times_in_a_week_flaps(db: Database, shop: str) -> None:
    with db.write() as session:
        for number in range(3):
            told = IncomingAlert(alert_id=f"x{number}", source="native", timestamp=THEN)
            made = alerts.record(session, shop, told, "flap")
            alert_changes.resolve(session, made.alert_id, "ann")
    with db.read() as session:
        (row,) = alert_stats.flapping(session, Filter(), clock.now())
    assert (row.fingerprint, row.times, row.id) == ("flap", 3, made.alert_id)


def test_none_adds_up_to_none(db: Database) -> None:
    with db.read() as session:
        assert alert_stats.mean_times(session, Filter()) == (None, None)
        assert alert_stats.counts(session, Filter())["by_status"] == {}
