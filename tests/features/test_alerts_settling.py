"""Alerts whose fix was deployed are resolved with the proof, and come back when they occur again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain import clock
from hefesto_api.domain.silence import CHANCE, Silence
from hefesto_api.features.alerts import settling
from hefesto_api.features.alerts.schemas import AlertSchema
from hefesto_api.storage import outbox, schedules
from hefesto_api.worker import SCHEDULES
from tests.answers import data_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.features.conftest import Service

PLACE = "/api/v1/alerts"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TRACE = 'Traceback (most recent call last):\n  File "shop/db.py", line 1, in load\nKeyError: 1\n'
BAD, GOOD = "a" * 40, "b" * 40


@pytest.fixture
def quiet(make_service: Callable[..., Service], db_url: str) -> Service:
    """A service on each database in turn, whose jobs nobody works off."""
    return make_service(db_url)


def ago(days: float) -> str:
    return clock.rfc3339(clock.now() - days * DAY)


def crash(service: Service, *days: float, **fields: Any) -> dict[str, Any]:
    """Send a crash for each of several times, so many days ago."""
    for one in days:
        body = {"alert_id": f"a{one}", "project": "shop", "stacktrace": TRACE, "timestamp": ago(one)}
        answer = service.client.post(PLACE, json={**body, **fields})
        assert answer.status_code in {200, 201}, answer.get_json()
        told: dict[str, Any] = data_of(answer)
    return told


def deploy(service: Service, days: float, commit: str, **fields: Any) -> dict[str, Any]:
    body = {"project": "shop", "commit_hash": commit, "deployed_at": ago(days), **fields}
    made: dict[str, Any] = data_of(service.client.post("/api/v1/deployments", json=body))
    return made


def settle(service: Service, policy: str = "pending") -> int:
    return settling.settle(service.runtime.db, policy)


def fixed(service: Service, **fields: Any) -> dict[str, Any]:
    """Have a crash of every two hours, and a deployment after which there was none for five days."""
    deploy(service, 9, BAD)
    alert = crash(service, *(6 - number / 12 for number in range(10)), **fields)
    deploy(service, 5, GOOD)
    return alert


def test_what_was_fixed_is_resolved_with_the_proof(quiet: Service) -> None:
    alert = fixed(quiet)
    assert alert["resolution"] is None
    assert settle(quiet) == 1
    told = quiet.get(f"/alerts/{alert['id']}")
    assert AlertSchema().validate(told) == {}
    assert (told["status"], told["resolved_by"], told["resolution"]["by"]) == ("resolved", "system", "system")
    proof = told["resolution"]["proof"]
    assert [one["commit_hash"] for one in proof["deployments"]] == [GOOD]
    assert told["resolved_at"] == proof["deployed_at"]
    assert (proof["occurrences"], proof["longest_gap_seconds"]) == (10, pytest.approx(7200, abs=1))
    assert proof["quiet_seconds"] == pytest.approx(5 * 86400, abs=600)
    assert proof["needed_seconds"] <= proof["quiet_seconds"]
    assert proof["chance"] < CHANCE
    assert told["history"][-1]["action"] == "resolved"
    assert told["history"][-1]["user"] == "system"
    assert "quiet for 5.0 days" in told["history"][-1]["details"]
    with quiet.runtime.db.read() as session:
        event = outbox.after(session, 0)[-1]
    assert (event.type, event.data["user"]) == ("alert.resolved", "system")
    (entry,) = quiet.get("/audit-logs", action="alert.resolved")["audit_logs"]
    assert (entry["user_id"], entry["resource_id"]) == ("system", alert["id"])
    assert settle(quiet) == 0


def test_what_comes_back_is_a_regression_of_it(quiet: Service) -> None:
    alert = fixed(quiet)
    settle(quiet)
    again = crash(quiet, 0)
    assert (again["status"], again["regression_of"]) == ("pending", alert["id"])
    assert again["history"][-1]["action"] == "regressed"
    assert alert["id"] in again["history"][-1]["details"]
    assert settle(quiet) == 0


def test_acknowledged_alerts_are_left_to_people_unless_the_setting_says_so(quiet: Service) -> None:
    alert = fixed(quiet)
    quiet.client.post(f"{PLACE}/{alert['id']}/ack")
    assert (settle(quiet), settle(quiet, "off")) == (0, 0)
    assert settle(quiet, "all") == 1


def test_switched_off_nothing_is_resolved(quiet: Service) -> None:
    fixed(quiet)
    assert settle(quiet, "off") == 0


def test_what_a_person_resolved_stays_as_it_is(quiet: Service) -> None:
    alert = fixed(quiet)
    quiet.client.post(f"{PLACE}/{alert['id']}/resolve", json={"comment": "done"})
    assert settle(quiet, "all") == 0
    told = quiet.get(f"/alerts/{alert['id']}")["resolution"]
    assert told == {"by": "person", "user": "anonymous", "proof": None}


@pytest.mark.parametrize(
    ("deployed", "crashed"),
    [
        ([(5, GOOD)], (6, 5.9)),  # nobody knows what it replaced
        ([(9, BAD), (5, BAD)], (6, 5.9)),  # the same again
        ([(9, BAD), (5, GOOD), (4, BAD)], (6, 5.9)),  # rolled back
        ([(9, BAD), (5, GOOD)], (6, 4.9)),  # it occurred afterwards
        ([(9, BAD), (0.9, GOOD)], (1.1, 1.0)),  # a night may be quiet
        ([(90, BAD), (5, GOOD)], (85, 45, 6)),  # that quiet it often was
        ([(9, BAD), (5, GOOD)], (8,)),  # once in three days is no rate
        ([(9, BAD)], (6, 5.9)),
    ],
    ids=["first", "same", "back", "since", "day", "gap", "once", "none"],
)
def test_without_a_proof_nothing_is_resolved(
    idle: Service, deployed: Sequence[tuple[float, str]], crashed: Sequence[float]
) -> None:
    for days, commit in deployed:
        deploy(idle, days, commit)
    crash(idle, *crashed)
    assert settle(idle) == 0


def test_it_must_be_fixed_wherever_it_occurred(quiet: Service) -> None:
    alert = fixed(quiet)
    deploy(quiet, 9, BAD, environment="staging")
    crash(quiet, 5.5, environment="staging")
    assert settle(quiet) == 0
    deploy(quiet, 4.9, GOOD, environment="staging")
    assert settle(quiet) == 1
    proof = quiet.get(f"/alerts/{alert['id']}")["resolution"]["proof"]
    assert [one["environment"] for one in proof["deployments"]] == ["production", "staging"]


def test_what_its_sender_says_goes_on_is_not_taken_for_quiet(quiet: Service) -> None:
    fixed(quiet, stacktrace=None, group_id="disk", title="The disk is full")
    assert settle(quiet, "all") == 0


def test_the_worker_looks_after_it(quiet: Service) -> None:
    alert = fixed(quiet)
    with quiet.runtime.db.write() as session:
        schedules.ensure(session, "alert_upkeep", SCHEDULES["alert_upkeep"])
    assert "alert_upkeep" in schedules.tick(quiet.runtime.db)
    quiet.worker.drain()
    assert quiet.get(f"/alerts/{alert['id']}")["status"] == "resolved"


@pytest.mark.parametrize(("occurrences", "watched"), [(1, 1), (3, 10), (50, 30), (100_000, 300)])
def test_the_needed_silence_is_as_improbable_as_it_is_said_to_be(occurrences: int, watched: int) -> None:
    before = Silence(occurrences, watched * DAY, timedelta(0), timedelta(0))
    assert before.chance == 1
    after = Silence(occurrences, watched * DAY, timedelta(0), before.needed)
    assert after.is_proof
    assert after.chance <= CHANCE * 1.0001
    assert not Silence(occurrences, watched * DAY, timedelta(0), before.needed - HOUR).is_proof
