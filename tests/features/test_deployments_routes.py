"""Deployments over HTTP: markers, what came with them, and verdicts from the alerts that followed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain.alert import IncomingAlert
from hefesto_api.domain.finding import Severity
from hefesto_api.features.deployments import judging
from hefesto_api.storage import alerts, outbox, projects, schedules
from tests.answers import data_of, error_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hefesto_api.storage.database import Database
    from tests.features.conftest import Service

URL = "/api/v1/deployments"
HOUR = timedelta(hours=1)
THEN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def shop(make_service: Callable[..., Service], db_url: str) -> Service:
    """A service on each database in turn, at which nothing happens in the background."""
    return make_service(db_url)


def _deploy(service: Service, commit: str | None = "a" * 40, at: datetime | None = THEN, **more: Any) -> Any:
    wanted = {"project": "shop", "commit_hash": commit, "deployed_at": at and at.isoformat(), **more}
    answer = service.client.post(URL, json=wanted)
    assert answer.status_code == 201, answer.get_json()
    return data_of(answer)


def _alert(db: Database, name: str, at: datetime, severity: Severity = Severity.MEDIUM, **more: Any) -> None:
    incoming = IncomingAlert(
        alert_id=f"{name} {at}", source="native", severity=severity, timestamp=at, title=name, **more
    )
    with db.write() as session:
        alerts.record(session, projects.ensure(session, "shop").id, incoming, fingerprint=name)


def test_a_marker_is_answered_listed_and_shown(shop: Service) -> None:
    made = _deploy(shop, release="shop@1.2")
    assert (made["project"], made["environment"], made["release"]) == ("shop", "production", "shop@1.2")
    assert made["deployed_at"] == "2026-03-01T12:00:00.000000Z"
    assert made["previous"] is None
    assert made["commits_known"] is False
    assert made["verdicts"] == []
    assert shop.get(f"/deployments/{made['id']}") == made
    assert shop.get("/deployments")["deployments"][0]["id"] == made["id"]
    later = _deploy(shop, "b" * 40, THEN + HOUR)
    assert later["previous"]["id"] == made["id"]
    assert later["is_running"] is True
    assert shop.get(f"/deployments/{made['id']}")["is_running"] is False


def test_where_it_was_made_is_told(shop: Service) -> None:
    answer = shop.client.post(URL, json={"commit_hash": "abc1234"})
    made = data_of(answer)
    assert answer.headers["Location"] == f"{URL}/{made['id']}"
    assert made["project"] == "default"


def test_the_same_marker_twice_is_one_deployment_and_one_event(shop: Service) -> None:
    first = _deploy(shop)
    assert _deploy(shop)["id"] == first["id"]
    assert _deploy(shop, at=None)["id"] == first["id"]
    assert shop.get("/deployments")["total_count"] == 1
    with shop.runtime.db.read() as session:
        told = [event for event in outbox.after(session, 0) if event.type == "deployment.created"]
    assert [event.data["id"] for event in told] == [first["id"]]


def test_a_marker_must_say_what_was_deployed(shop: Service) -> None:
    for wanted in ({}, {"commit_hash": None, "release": None}, {"environment": "production"}):
        details = error_of(shop.client.post(URL, json=wanted), "VALIDATION_ERROR")
        assert details["errors"][0]["field"] == "commit_hash"
    for wanted in ({"commit_hash": "not a hash"}, {"release": ""}, {"release": "1", "deployed_at": "soon"}):
        answer = shop.client.post(URL, json=wanted)
        assert answer.status_code == 422, wanted


def test_the_list_is_filtered_and_paged(shop: Service) -> None:
    made = [_deploy(shop, f"{at:040x}", THEN + at * HOUR)["id"] for at in range(5)]
    staging = _deploy(shop, "f" * 40, THEN, environment="staging")["id"]
    _deploy(shop, "f" * 40, THEN, project="other")

    def ids(**query: Any) -> list[str]:
        return [one["id"] for one in shop.get("/deployments", **query)["deployments"]]

    assert ids(project="shop", environment="production") == made[::-1]
    assert ids(environment="staging") == [staging]
    assert ids(project="shop", since=(THEN + 3 * HOUR).isoformat()) == [made[4], made[3]]
    assert ids(project="nothing") == []
    assert ids(project="shop", environment="production", limit=2, offset=2) == [made[2], made[1]]
    page = shop.get("/deployments", project="shop", environment="production", limit=2)
    assert page["total_count"] == 5
    rest = ids(environment="production", project="shop", cursor=page["pagination"]["next_cursor"])
    assert rest == made[2::-1]
    picked = shop.get("/deployments", fields="id,commit_hash", limit=1)["deployments"]
    assert [set(one) for one in picked] == [{"id", "commit_hash"}]


def test_strange_cursors_and_ids_are_refused(shop: Service) -> None:
    assert shop.client.get(f"{URL}?cursor=abc").status_code == 422
    assert shop.client.get(f"{URL}?cursor=WzEsMl0").status_code == 422  # [1,2]
    assert shop.client.get(f"{URL}?sort=release").status_code == 422
    error_of(shop.client.get(f"{URL}/0198c0de-0000-7000-8000-000000000000"), "RESOURCE_NOT_FOUND")


def test_findings_that_were_seen_first_since_the_deployment_before_came_with_it(service: Service) -> None:
    service.write("old.py", "eval(input())\n")
    service.analyze(project="shop")
    _deploy(service, "a" * 40, None)
    service.write("new.py", "import pickle\npickle.loads(input())\n")
    service.analyze(project="shop")
    second = _deploy(service, "b" * 40, None)
    assert {one["file_path"] for one in second["findings"]} == {"new.py"}
    assert second["findings_total"] == len(second["findings"]) >= 1
    assert {one["status"] for one in second["findings"]} == {"open"}
    service.write("later.py", "exec(input())\n")
    service.analyze(project="shop")
    assert service.get(f"/deployments/{second['id']}")["findings"] == second["findings"]
    listed = service.get("/deployments", project="shop")["deployments"]
    assert listed[0]["findings"] == second["findings"]


def test_findings_that_an_analysis_of_the_commit_saw_first_came_with_it(service: Service) -> None:
    service.write("old.py", "eval(input())\n")
    service.analyze(project="shop", commit_hash="a" * 40)
    _deploy(service, "a" * 40, THEN)
    second = _deploy(service, "b" * 40, THEN + HOUR)
    service.write("new.py", "exec(input())\n")
    service.analyze(project="shop", commit_hash="b" * 40)
    shown = service.get(f"/deployments/{second['id']}")
    assert {one["file_path"] for one in shown["findings"]} == {"new.py"}


def test_with_the_first_deployment_came_what_stands(service: Service) -> None:
    service.write("old.py", "eval(input())\n")
    service.analyze(project="shop")
    made = _deploy(service, "a" * 40, None)
    assert {one["file_path"] for one in made["findings"]} == {"old.py"}


def _verdicts(service: Service, made: dict[str, Any]) -> list[tuple[Any, ...]]:
    names = ("after_hours", "verdict", "alerts_before", "alerts_after", "new_alerts")
    told = service.get(f"/deployments/{made['id']}")["verdicts"]
    return [tuple(one[name] for name in names) for one in told]


def test_verdicts_come_after_an_hour_and_a_day_each_once(shop: Service) -> None:
    db = shop.runtime.db
    made = _deploy(shop)
    _alert(db, "old", THEN - HOUR / 2)
    _alert(db, "new", THEN + HOUR / 2)
    _alert(db, "much later", THEN + 5 * HOUR)
    assert judging.judge_due(db, now=THEN + HOUR / 2) == 0
    assert judging.judge_due(db, now=THEN + HOUR) == 1
    assert judging.judge_due(db, now=THEN + HOUR) == 0
    assert _verdicts(shop, made) == [(1, "degraded", 1, 1, 1)]
    assert judging.judge_due(db, now=THEN + 99 * HOUR) == 1
    assert _verdicts(shop, made) == [(1, "degraded", 1, 1, 1), (24, "degraded", 1, 2, 2)]
    assert judging.judge_due(db, now=THEN + 999 * HOUR) == 0


def _standing(service: Service, made: dict[str, Any]) -> tuple[str, bool, int]:
    """Tell how a deployment does, whether a verdict was given, and how many alerts are new since."""
    told = service.get(f"/deployments/{made['id']}")["standing"]
    (listed,) = service.get("/deployments", fields="standing")["deployments"]
    assert listed == {"standing": told}
    return told["verdict"], told["decided_at"] is not None, told["new_alerts_since"]


def test_between_verdicts_it_is_told_how_it_does_by_now(shop: Service) -> None:
    """A verdict stays as it was given; what came since is judged by the same measure beside it."""
    db = shop.runtime.db
    made = _deploy(shop)
    assert _standing(shop, made) == ("watching", False, 0)
    _alert(db, "first", THEN + HOUR / 2, Severity.LOW)
    assert _standing(shop, made) == ("watching", False, 1)
    judging.judge_due(db, now=THEN + HOUR)
    assert _standing(shop, made) == ("healthy", True, 0)
    _alert(db, "since", THEN + 5 * HOUR, Severity.CRITICAL)
    assert _standing(shop, made) == ("failing", True, 1)
    assert _verdicts(shop, made) == [(1, "healthy", 0, 1, 1)]
    judging.judge_due(db, now=THEN + 24 * HOUR)
    assert _standing(shop, made) == ("failing", True, 0)


def test_what_became_due_while_nothing_ran_is_caught_up_on(shop: Service) -> None:
    made = _deploy(shop)
    shop.worker.adopt()
    schedules.tick(shop.runtime.db)
    shop.worker.drain()  # now it is months later
    assert _verdicts(shop, made) == [(1, "healthy", 0, 0, 0), (24, "healthy", 0, 0, 0)]


@pytest.mark.parametrize(
    ("severities", "verdict"),
    [
        ([Severity.LOW], "healthy"),
        ([Severity.HIGH], "degraded"),
        ([Severity.HIGH] * 3, "failing"),
        ([Severity.CRITICAL], "failing"),
        ([Severity.LOW] * 5, "failing"),
    ],
)
def test_new_alerts_decide_by_how_bad_and_how_many_they_are(
    idle: Service, severities: list[Severity], verdict: str
) -> None:
    made = _deploy(idle)
    for number, severity in enumerate(severities):
        _alert(idle.runtime.db, f"new {number}", THEN + HOUR / 4, severity)
    judging.judge_due(idle.runtime.db, now=THEN + HOUR)
    assert _verdicts(idle, made)[0][1] == verdict


def test_a_deployment_answers_for_its_own_time_and_place_alone(idle: Service) -> None:
    db = idle.runtime.db
    first = _deploy(idle, "a" * 40)
    _deploy(idle, "b" * 40, THEN + HOUR / 3)
    _alert(db, "of the second", THEN + HOUR / 2, Severity.CRITICAL)
    _alert(db, "of staging", THEN + HOUR / 4, Severity.CRITICAL, environment="staging")
    judging.judge_due(db, now=THEN + HOUR)
    assert _verdicts(idle, first) == [(1, "healthy", 0, 0, 0)]
    assert idle.get(f"/deployments/{first['id']}")["verdicts"][0]["window_seconds"] == 1200


def test_an_alert_that_went_on_before_and_after_is_not_new(idle: Service) -> None:
    db = idle.runtime.db
    made = _deploy(idle)
    _alert(db, "standing", THEN - HOUR / 2, Severity.CRITICAL)
    _alert(db, "standing", THEN + HOUR / 2, Severity.CRITICAL)
    judging.judge_due(db, now=THEN + HOUR)
    assert _verdicts(idle, made) == [(1, "healthy", 1, 1, 0)]
