"""The history of findings: every status, the trend of a period, the time to a fix."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.storage import projects
from tests.answers import error_of
from tests.storage.factories import finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def shop(make_service: Callable[..., Service], db_url: str) -> Service:
    """A service on each database in turn, with no findings."""
    return make_service(db_url)


def add(service: Service, day: float, resolved: float | None = None, **fields: Any) -> str:
    """Add a finding that was seen first on a day of March, and perhaps resolved on another."""
    seen = START + day * DAY
    dull: dict[str, Any] = {"first_seen": seen, "last_seen": seen}
    if resolved is not None:
        dull |= {"status": "resolved", "resolved_at": START + resolved * DAY}
    with service.runtime.db.write() as session:
        project = projects.ensure(session, fields.pop("project", "shop"))
        return finding(session, project.id, **{**dull, **fields}).id


def history(service: Service, **query: Any) -> Any:
    """Ask for the history in March 2026."""
    return service.get(
        "/iris/findings-history", **{"start_date": "2026-03-01", "end_date": "2026-03-10", **query}
    )


def test_findings_of_every_status_are_told_newest_first(shop: Service) -> None:
    fixed = add(shop, 1, resolved=3, severity="HIGH")
    standing = add(shop, 4, analyzer="complexity")
    add(shop, 2, status="ignored")
    told = history(shop)
    assert [one["id"] for one in told["findings"]][::2] == [standing, fixed]
    assert told["findings"][0] == {
        "id": standing,
        "timestamp": "2026-03-05T00:00:00.000000Z",
        "file_path": "src/app.py",
        "finding_type": "complexity",
        "severity": "LOW",
        "description": "eval of input",
        "resolved": False,
        "resolution_date": None,
    }
    assert (told["findings"][2]["resolved"], told["findings"][2]["resolution_date"]) == (
        True,
        "2026-03-04T00:00:00.000000Z",
    )
    assert told["total_count"] == 3
    assert told["summary"] == {
        "total_findings": 3,
        "resolved_findings": 1,
        "open_findings": 1,
        "average_resolution_time_hours": 48.0,
        "findings_by_severity": {"CRITICAL": 0, "HIGH": 1, "MEDIUM": 0, "LOW": 2},
    }


def test_the_time_to_a_fix_is_the_mean_of_all_fixes(shop: Service) -> None:
    add(shop, 1, resolved=2)
    add(shop, 1, resolved=4)
    add(shop, 1)
    assert history(shop)["summary"]["average_resolution_time_hours"] == 48.0


@pytest.mark.parametrize(
    ("days", "direction", "change"),
    [
        ([1, 2, 7], "improving", -50.0),
        ([1, 7, 8], "degrading", 100.0),
        ([1, 8], "stable", 0.0),
        ([], "stable", 0.0),
        ([8], "degrading", 100.0),
        ([1], "improving", -100.0),
    ],
)
def test_the_trend_compares_what_is_new_in_the_halves_of_the_period(
    idle: Service, days: list[int], direction: str, change: float
) -> None:
    for day in days:
        add(idle, day)
    trend = history(idle)["trend"]
    assert (trend["direction"], trend["change_percentage"], trend["period_days"]) == (direction, change, 10)
    assert trend["description"]


def test_the_list_is_narrowed_down(shop: Service) -> None:
    here = add(shop, 1, file_path="pkg/a.py")
    add(shop, 1, file_path="pkg/b.py", analyzer="complexity")
    add(shop, 20, file_path="pkg/a.py")
    add(shop, 1, file_path="pkg/a.py", project="other")

    def ids(**query: Any) -> list[str]:
        return [one["id"] for one in history(shop, **query)["findings"]]

    assert ids(file_path="pkg/a.py", project="shop") == [here]
    assert len(ids(file_path="pkg/a.py")) == 2
    assert len(ids(file_path="pkg/")) == 3
    assert len(ids(finding_type="complexity")) == 1
    assert len(ids(limit=1)) == 1
    assert history(shop, limit=1)["total_count"] == 3
    assert ids(project="nothing") == []


def test_what_makes_no_sense_is_refused(idle: Service) -> None:
    for query in (
        {"finding_type": "sql_injection"},
        {"limit": "0"},
        {"start_date": "soon"},
        {"start_date": "2026-03-02", "end_date": "2026-03-01"},
        {"strange": "1"},
    ):
        answer = idle.client.get("/api/v1/iris/findings-history", query_string=query)
        error_of(answer, "VALIDATION_ERROR")
