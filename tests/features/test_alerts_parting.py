"""Parting what one alert wrongly holds and merging two, remembered for what comes next."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain import clock
from hefesto_api.features.alerts.schemas import AlertSchema
from hefesto_api.storage import jobs, outbox
from tests.answers import data_of, error_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service
    from werkzeug.test import TestResponse

PLACE = "/api/v1/alerts"
TRACE = """\
Traceback (most recent call last):
  File "/srv/shop/db.py", line 4, in load
    return read(key)
  File "/srv/lib/{library}.py", line 9, in {library}
    raise KeyError(key)
KeyError: {message}
"""


@pytest.fixture
def quiet(make_service: Callable[..., Service], db_url: str) -> Service:
    """A service on each database in turn, whose jobs nobody works off."""
    return make_service(db_url)


def post(service: Service, name: str, message: str = "lost", **fields: Any) -> dict[str, Any]:
    """Send an occurrence; without a group or a stack of its own it is of the one trouble."""
    body = {"alert_id": name, "group_id": "g", "project": "shop", "error_message": message, **fields}
    answer = service.client.post(PLACE, json=body)
    assert answer.status_code in {200, 201}, answer.get_json()
    told: dict[str, Any] = data_of(answer)
    return told


def occurrences(service: Service, alert: dict[str, Any]) -> dict[str, str]:
    """Return the ids of an alert's occurrences by the sender's."""
    found = service.get(f"/alerts/{alert['id']}/occurrences")["occurrences"]
    return {one["alert_id"]: one["id"] for one in found}


def split(service: Service, alert: dict[str, Any], **body: Any) -> TestResponse:
    return service.client.post(f"{PLACE}/{alert['id']}/split", json=body)


def merge(service: Service, alert: dict[str, Any], into: dict[str, Any], **body: Any) -> TestResponse:
    return service.client.post(f"{PLACE}/{alert['id']}/merge", json={"into": into["id"], **body})


def parted(service: Service, alert: dict[str, Any], *names: str, **body: Any) -> dict[str, Any]:
    known = occurrences(service, alert)
    answer = split(service, alert, occurrences=[known[name] for name in names], **body)
    assert answer.status_code == 201, answer.get_json()
    told: dict[str, Any] = data_of(answer)
    assert answer.headers["Location"] == f"{PLACE}/{told['id']}"
    assert AlertSchema().validate(told) == {}
    return told


def events(service: Service) -> list[tuple[str, str]]:
    """Return what happened to alerts, but that they came again: how often that is told hangs on the clock."""
    with service.runtime.db.read() as session:
        told = [(one.type, one.data["id"]) for one in outbox.after(session, 0)]
    return [one for one in told if one[0].startswith("alert.") and one[0] != "alert.repeated"]


def test_what_was_parted_stands_for_itself_and_so_does_the_next_like_it(quiet: Service) -> None:
    alert = post(quiet, "a1", "disk is full", severity="low")
    post(quiet, "a2", "disk is full")
    post(quiet, "b1", "no route to host 17", severity="critical", affected_users=5)
    made = parted(quiet, alert, "b1", comment="the network")
    assert (made["occurrence_count"], made["severity"], made["affected_users"]) == (1, "CRITICAL", 5)
    assert (made["message"], made["status"], made["split_from"]) == (
        "no route to host 17", "pending", alert["id"],
    )  # fmt: skip
    (decision,) = made["grouping"]["decisions"]
    assert (decision["trait"], decision["value"]) == ("message", "no route to host #")
    assert "'no route to host #'" in decision["reason"]
    rest = quiet.get(f"/alerts/{alert['id']}")
    assert (rest["occurrence_count"], rest["severity"], rest["affected_users"]) == (2, "MEDIUM", None)
    assert rest["history"][-1]["action"] == "split"
    assert "the network" in rest["history"][-1]["details"]
    assert post(quiet, "b2", "no route to host 18")["id"] == made["id"]
    assert post(quiet, "a3", "disk is full")["id"] == alert["id"]
    assert post(quiet, "c1", "something new")["id"] == alert["id"]
    assert set(occurrences(quiet, made)) == {"b1", "b2"}
    assert events(quiet) == [
        ("alert.created", alert["id"]), ("alert.split", alert["id"]), ("alert.created", made["id"]),
    ]  # fmt: skip
    with quiet.runtime.db.read() as session:
        asked = {job.payload["alert_id"] for job in jobs.page(session, kind="correlation")}
    assert asked == {alert["id"], made["id"]}


def test_after_its_end_the_next_like_it_is_a_regression_of_what_was_parted(quiet: Service) -> None:
    alert = post(quiet, "a1", "one")
    post(quiet, "b1", "two")
    made = parted(quiet, alert, "b1")
    quiet.client.post(f"{PLACE}/{made['id']}/resolve")
    again = post(quiet, "b2", "two")
    assert (again["regression_of"], again["fingerprint"]) == (made["id"], made["fingerprint"])
    assert again["id"] not in {alert["id"], made["id"]}


@pytest.mark.parametrize(
    ("trait", "fields"),
    [("service_name", {"service_name": "pay"}), ("environment", {"environment": "staging"}),
     ("error_type", {"error_type": "ValueError"})],
)  # fmt: skip
def test_the_first_trait_that_tells_them_apart_is_taken(
    quiet: Service, trait: str, fields: dict[str, str]
) -> None:
    alert = post(quiet, "a1")
    post(quiet, "b1", **fields)
    made = parted(quiet, alert, "b1")
    assert [one["trait"] for one in made["grouping"]["decisions"]] == [trait]
    assert post(quiet, "b2", **fields)["id"] == made["id"]
    assert post(quiet, "a2")["id"] == alert["id"]


def test_stacks_that_differ_in_libraries_are_parted(quiet: Service) -> None:
    def crash(name: str, library: str) -> dict[str, Any]:
        trace = TRACE.format(library=library, message="1").replace(
            "/srv/lib", "/usr/lib/python3/site-packages"
        )
        return post(quiet, name, "1", stacktrace=trace)

    alert = crash("a1", "redis")
    assert crash("b1", "mysql")["id"] == alert["id"]
    made = parted(quiet, alert, "b1")
    assert "mysql" in made["stacktrace"]
    assert made["grouping"]["by"] == "stack"
    assert crash("b2", "mysql")["id"] == made["id"]
    assert crash("a2", "redis")["id"] == alert["id"]


def test_what_nothing_tells_apart_is_not_parted(quiet: Service) -> None:
    alert = post(quiet, "a1", "same 1")
    post(quiet, "a2", "same 2")
    answer = split(quiet, alert, occurrences=[occurrences(quiet, alert)["a1"]])
    assert answer.status_code == 409
    assert "message" in error_of(answer, "CONFLICT")["traits"]
    post(quiet, "b1", "same", service_name="pay")
    answer = split(quiet, alert, occurrences=[occurrences(quiet, alert)["b1"]], by="environment")
    assert error_of(answer, "CONFLICT")["traits"] == ["environment"]
    assert quiet.get(f"/alerts/{alert['id']}")["occurrence_count"] == 3
    assert parted(quiet, alert, "b1", by="service_name")["occurrence_count"] == 1


def test_something_must_remain(quiet: Service) -> None:
    alert = post(quiet, "a1")
    assert split(quiet, alert, occurrences=list(occurrences(quiet, alert).values())).status_code == 409
    assert split(quiet, alert, fingerprint=alert["fingerprint"]).status_code == 409


@pytest.mark.parametrize(
    "body",
    [{}, {"occurrences": []}, {"occurrences": ["x"]}, {"fingerprint": ""}, {"fingerprint": "unknown"},
     {"occurrences": ["01a1feeb-5e08-7042-8dde-7e4556de83f6"]}, {"fingerprint": "f", "by": "message"},
     {"occurrences": ["01a1feeb-5e08-7042-8dde-7e4556de83f6"], "fingerprint": "f"},
     {"occurrences": ["01a1feeb-5e08-7042-8dde-7e4556de83f6"], "by": "release"}],
)  # fmt: skip
def test_choices_that_do_not_fit_are_refused(idle: Service, body: dict[str, Any]) -> None:
    alert = post(idle, "a1")
    assert split(idle, alert, **body).status_code == 422


def test_the_sender_ends_what_was_parted_from_its_other_group(quiet: Service) -> None:
    trace = TRACE.format(library="redis", message="1")
    alert = post(quiet, "a1", "one", group_id="g1", stacktrace=trace)
    assert post(quiet, "b1", "two", group_id="g2", stacktrace=trace)["id"] == alert["id"]
    made = parted(quiet, alert, "b1")
    ended = quiet.client.post(
        PLACE, json={"alert_id": "b1", "alert_type": "error.resolved", "group_id": "g2", "project": "shop"}
    )
    assert (data_of(ended)["id"], data_of(ended)["status"]) == (made["id"], "resolved")
    assert quiet.get(f"/alerts/{alert['id']}")["status"] == "pending"


def test_two_alerts_become_one_and_what_is_like_both_goes_there(quiet: Service) -> None:
    hour = timedelta(hours=1)
    early = clock.rfc3339(clock.now() - hour)
    stays = post(quiet, "a1", severity="low")
    gone = post(quiet, "b1", group_id="h", severity="high", affected_users=3, timestamp=early)
    post(quiet, "b2", group_id="h")
    told = data_of(merge(quiet, gone, stays, comment="same outage"))
    assert AlertSchema().validate(told) == {}
    assert (told["id"], told["occurrence_count"], told["severity"]) == (stays["id"], 3, "HIGH")
    assert (told["first_seen"], told["affected_users"]) == (gone["first_seen"], 3)
    assert [one["fingerprint"] for one in told["grouping"]["decisions"]] == [gone["fingerprint"]]
    former = quiet.get(f"/alerts/{gone['id']}")
    assert (former["status"], former["merged_into"]) == ("resolved", stays["id"])
    assert "same outage" in former["history"][-1]["details"]
    assert post(quiet, "b3", group_id="h")["id"] == stays["id"]
    assert set(occurrences(quiet, stays)) == {"a1", "b1", "b2", "b3"}
    assert events(quiet)[-1] == ("alert.merged", gone["id"])
    assert quiet.get("/alerts/stats/summary")["mean_time_to_resolve_seconds"] is None


def test_a_merger_is_undone_by_its_fingerprint(quiet: Service) -> None:
    stays = post(quiet, "a1")
    gone = post(quiet, "b1", group_id="h")
    merge(quiet, gone, stays)
    post(quiet, "b2", group_id="h")
    made = data_of(split(quiet, stays, fingerprint=gone["fingerprint"]))
    assert (made["fingerprint"], made["occurrence_count"]) == (gone["fingerprint"], 2)
    assert quiet.get(f"/alerts/{stays['id']}")["occurrence_count"] == 1
    assert post(quiet, "b3", group_id="h")["id"] == made["id"]
    assert post(quiet, "a2")["id"] == stays["id"]


def test_what_was_parted_can_be_put_back(quiet: Service) -> None:
    alert = post(quiet, "a1", "one")
    post(quiet, "b1", "two")
    made = parted(quiet, alert, "b1")
    assert data_of(merge(quiet, made, alert))["occurrence_count"] == 2
    assert post(quiet, "b2", "two")["id"] == alert["id"]


def test_a_decision_outlives_a_merger(quiet: Service) -> None:
    alert = post(quiet, "a1", "one")
    post(quiet, "b1", "two")
    made = parted(quiet, alert, "b1")
    other = post(quiet, "c1", group_id="h")
    merge(quiet, alert, other)
    assert post(quiet, "b2", "two")["id"] == made["id"]
    assert post(quiet, "a2", "one")["id"] == other["id"]


def test_what_cannot_be_one_is_not_merged(quiet: Service) -> None:
    alert, elsewhere = post(quiet, "a1"), post(quiet, "c1", project="pay")
    over, other = post(quiet, "b1", group_id="h"), post(quiet, "d1", group_id="i")
    quiet.client.post(f"{PLACE}/{over['id']}/resolve")
    for one, into in ((alert, alert), (alert, elsewhere), (over, alert), (alert, over)):
        assert merge(quiet, one, into).status_code == 409
    assert merge(quiet, other, alert).status_code == 200
    answer = split(quiet, other, fingerprint=other["fingerprint"])
    assert error_of(answer, "CONFLICT")["merged_into"] == alert["id"]
    assert merge(quiet, other, alert).status_code == 409
    nobody = {"id": "01a1feeb-5e08-7042-8dde-7e4556de83f6"}
    assert merge(quiet, alert, nobody).status_code == 404
    assert quiet.client.post(f"{PLACE}/{alert['id']}/merge", json={}).status_code == 422
