"""The course of an alert over HTTP: its occurrences, and how often it occurred beside deployments."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain import clock
from hefesto_api.features.alerts.schemas import OccurrenceListSchema, TimelineSchema
from hefesto_api.storage import alert_occurrences
from tests.answers import data_of, error_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service

PLACE = "/api/v1/alerts"
NOBODY = "01a1feeb-5e08-7042-8dde-7e4556de83f6"
HOUR = timedelta(hours=1)


@pytest.fixture
def quiet(make_service: Callable[..., Service], db_url: str) -> Service:
    """A service on each database in turn, whose jobs nobody works off."""
    return make_service(db_url)


def post(service: Service, number: int, **fields: Any) -> dict[str, Any]:
    """Send an occurrence of the one trouble."""
    body = {"alert_id": f"a{number}", "group_id": "g", "project": "shop", "error_message": f"{number} left"}
    answer = service.client.post(PLACE, json={**body, **fields})
    assert answer.status_code in {200, 201}, answer.get_json()
    told: dict[str, Any] = data_of(answer)
    return told


def ago(hours: float) -> str:
    return clock.rfc3339(clock.now() - hours * HOUR)


def test_each_occurrence_is_listed(quiet: Service) -> None:
    for number in range(5):
        alert = post(quiet, number, timestamp=ago(5 - number), environment="staging", release=f"r{number}")
    post(quiet, 4, timestamp=alert["last_seen"])  # told before
    whole = quiet.get(f"/alerts/{alert['id']}/occurrences")
    assert OccurrenceListSchema().validate(whole) == {}
    assert whole["total_count"] == 5
    found = whole["occurrences"]
    assert [one["alert_id"] for one in found] == ["a4", "a3", "a2", "a1", "a0"]
    assert [one["release"] for one in found] == ["r4", "r3", "r2", "r1", "r0"]
    assert found[0]["timestamp"] == alert["last_seen"]
    assert (found[0]["message"], found[0]["environment"], found[0]["group"]) == (
        "4 left", "staging", "native:g",
    )  # fmt: skip
    assert {one["fingerprint"] for one in found} == {alert["fingerprint"]}


def test_occurrences_are_paged_by_cursor_and_offset(quiet: Service) -> None:
    for number in range(5):
        alert = post(quiet, number, timestamp=ago(1))
    path = f"/alerts/{alert['id']}/occurrences"
    whole = quiet.get(path)["occurrences"]
    by_offset = [one for start in (0, 2, 4) for one in quiet.get(path, limit=2, offset=start)["occurrences"]]
    assert by_offset == whole
    by_cursor: list[Any] = []
    cursor: dict[str, Any] = {}
    for _ in range(3):
        page = quiet.get(path, limit=2, **cursor)
        by_cursor += page["occurrences"]
        cursor = {"cursor": page["pagination"]["next_cursor"]}
    assert (by_cursor, cursor) == (whole, {"cursor": None})


@pytest.mark.parametrize("what", ["occurrences", "timeline"])
def test_of_an_unknown_alert_there_is_no_course(idle: Service, what: str) -> None:
    answer = idle.client.get(f"{PLACE}/{NOBODY}/{what}")
    assert error_of(answer, "RESOURCE_NOT_FOUND") == {"resource_type": "alert", "resource_id": NOBODY}


@pytest.mark.parametrize(
    "query",
    ["occurrences?cursor=x", "occurrences?sort=message", "occurrences?fields=secret", "timeline?start_date=x",
     "timeline?start_date=2026-02-01&end_date=2026-01-01", "timeline?bucket=1"],
)  # fmt: skip
def test_queries_that_do_not_fit_are_refused(idle: Service, query: str) -> None:
    alert = post(idle, 1)
    assert idle.client.get(f"{PLACE}/{alert['id']}/{query}").status_code == 422


def test_occurrences_of_other_lists_cursors_are_refused(idle: Service) -> None:
    for number in range(2):
        alert = post(idle, number, group_id=f"g{number}")
    cursor = idle.get("/alerts", sort="occurrence_count", limit=1)["pagination"]["next_cursor"]
    assert idle.client.get(f"{PLACE}/{alert['id']}/occurrences?cursor={cursor}").status_code == 422


def test_the_rate_stands_beside_deployments_and_changes(quiet: Service) -> None:
    for number, hours in enumerate((9.5, 9.4, 5.0, 0.5)):
        alert = post(quiet, number, timestamp=ago(hours))
    marker = {"project": "shop", "commit_hash": "3f1c9e7", "deployed_at": ago(4)}
    shipped = data_of(quiet.client.post("/api/v1/deployments", json=marker))
    quiet.client.post("/api/v1/deployments", json={**marker, "project": "other"})
    quiet.client.post("/api/v1/deployments", json={**marker, "deployed_at": ago(40)})
    quiet.client.post(f"{PLACE}/{alert['id']}/ack")
    told = quiet.get(f"/alerts/{alert['id']}/timeline")
    assert TimelineSchema().validate(told) == {}
    assert (told["bucket_seconds"], told["total"]) == (300, 4)
    counts = {one["start"]: one["count"] for one in told["buckets"] if one["count"]}
    assert sum(counts.values()) == 4
    assert len(told["buckets"]) in range(115, 121)
    for start, count in counts.items():
        assert count <= 2
        assert start.endswith(":00.000000Z")
    assert told["period"]["start"] <= alert["first_seen"] < next(iter(counts))[:14] + "59:59.999999Z"
    assert [one["id"] for one in told["deployments"]] == [shipped["id"]]
    assert [one["action"] for one in told["changes"]] == ["created", "acknowledged"]


def test_each_occurrence_is_in_the_bucket_of_its_time(quiet: Service) -> None:
    hour = clock.now().replace(minute=0, second=0, microsecond=0) - 100 * HOUR
    for number, hours in enumerate((0, 1, 1, 3, 99)):
        alert = post(quiet, number, timestamp=clock.rfc3339(hour + hours * HOUR))
    query = {"start_date": clock.rfc3339(hour), "end_date": clock.rfc3339(hour + 3.5 * HOUR)}
    told = quiet.get(f"/alerts/{alert['id']}/timeline", **query)
    assert (told["bucket_seconds"], told["total"]) == (300, 4)
    where = [(at, one["count"]) for at, one in enumerate(told["buckets"]) if one["count"]]
    assert where == [(0, 1), (12, 2), (36, 1)]
    assert told["period"] == {
        "start": clock.rfc3339(hour),
        "end": clock.rfc3339(hour + 3.5 * HOUR + timedelta(minutes=5)),
    }


def test_occurrences_are_forgotten_after_a_while(quiet: Service) -> None:
    alert = post(quiet, 1)
    db = quiet.runtime.db
    for age, gone in ((HOUR, 0), (-HOUR, 1)):
        with db.write() as session:
            assert alert_occurrences.purge(session, clock.now() - age) == gone
    assert quiet.get(f"/alerts/{alert['id']}/occurrences")["occurrences"] == []
    assert quiet.get(f"/alerts/{alert['id']}")["occurrence_count"] == 1
