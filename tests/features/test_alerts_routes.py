"""Alerts over HTTP: lists, one, what people do about them, what they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.features.alerts.schemas import AlertListSchema, AlertSchema, AlertSummarySchema
from hefesto_api.storage import jobs, outbox
from tests.answers import data_of, error_of

if TYPE_CHECKING:
    from tests.features.conftest import Service
    from werkzeug.test import TestResponse

PLACE = "/api/v1/alerts"
NOBODY = "01a1feeb-5e08-7042-8dde-7e4556de83f6"
TRACE = 'Traceback (most recent call last):\n  File "shop/db.py", line {line}, in {name}\nKeyError: 1\n'


def post(service: Service, alert_id: str = "a1", **fields: Any) -> TestResponse:
    told = {
        "timestamp": "2026-01-01T10:00:00Z",
        "error_type": "KeyError",
        "error_message": alert_id,
        **fields,
    }
    return service.client.post(PLACE, json={"alert_id": alert_id, **told})


def made(service: Service, alert_id: str = "a1", **fields: Any) -> dict[str, Any]:
    """Send an alert of a cause of its own."""
    answer = post(service, alert_id, **{"group_id": alert_id, **fields})
    assert answer.status_code == 201, answer.get_json()
    told: dict[str, Any] = data_of(answer)
    return told


def do(service: Service, alert: dict[str, Any], what: str, **body: Any) -> TestResponse:
    return service.client.post(f"{PLACE}/{alert['id']}/{what}", json=body)


def events(service: Service) -> list[tuple[str, str | None]]:
    with service.runtime.db.read() as session:
        found = outbox.after(session, 0, limit=1000)
    return [(event.type, event.data["user"]) for event in found if event.type.startswith("alert.")]


def listed(service: Service, **query: Any) -> list[str]:
    return [alert["alert_id"] for alert in service.get("/alerts", **query)["alerts"]]


def test_an_alert_that_is_sent_is_recorded_at_once(idle: Service) -> None:
    given: dict[str, Any] = {
        "severity": "error", "service_name": "web", "environment": "production", "affected_users": 7,
        "project": "shop", "release": "shop@3f1c9e7", "stacktrace": TRACE.format(line=1, name="load"),
        "metadata": {"region": "eu"},
    }  # fmt: skip
    answer = post(idle, **given)
    assert answer.status_code == 201
    told = data_of(answer)
    assert AlertSchema().validate(told) == {}
    assert answer.headers["Location"] == f"{PLACE}/{told['id']}"
    assert idle.get(f"/alerts/{told['id']}") == told
    assert told["metadata"] == {"region": "eu"}
    assert (told["alert_id"], told["source"], told["project"]) == ("a1", "native", "shop")
    assert (told["severity"], told["status"], told["affected_users"]) == ("HIGH", "pending", 7)
    assert (told["first_seen"], told["occurrence_count"]) == ("2026-01-01T10:00:00.000000Z", 1)
    assert (told["release"], told["commit_hash"]) == ("shop@3f1c9e7", "3f1c9e7")
    assert [entry["action"] for entry in told["history"]] == ["created"]
    assert events(idle) == [("alert.created", None)]
    with idle.runtime.db.read() as session:
        assert [job.payload for job in jobs.page(session, kind="correlation")] == [{"alert_id": told["id"]}]


def test_an_alert_needs_but_an_id(idle: Service) -> None:
    answer = idle.client.post(PLACE, json={"alert_id": "x"})
    assert answer.status_code == 201
    assert (data_of(answer)["title"], data_of(answer)["severity"]) == ("x", "MEDIUM")
    answer = idle.client.post(PLACE, json={"error_message": "x"})
    assert [error["field"] for error in error_of(answer, "VALIDATION_ERROR")["errors"]] == ["alert_id"]


def test_the_fields_may_stand_in_a_payload(idle: Service) -> None:
    body = {"alert_id": "x", "payload": {"error_type": "KeyError", "service_name": "web"}}
    told = data_of(idle.client.post(PLACE, json=body))
    assert (told["error_type"], told["service_name"]) == ("KeyError", "web")


@pytest.mark.parametrize(
    "wrong",
    [{"affected_users": -1}, {"affected_users": "7"}, {"timestamp": "yesterday"}, {"project": "no slug"},
     {"metadata": []}, {"alert_type": "deployment", "commit_hash": "3f1c9e7"}],
)  # fmt: skip
def test_values_that_do_not_fit_are_refused(idle: Service, wrong: dict[str, Any]) -> None:
    answer = post(idle, **wrong)
    assert answer.status_code == 422
    assert error_of(answer, "VALIDATION_ERROR")["errors"][0]["field"] == next(iter(wrong))


def test_the_same_crash_at_another_line_is_counted(idle: Service) -> None:
    first = data_of(post(idle, "a1", stacktrace=TRACE.format(line=1, name="load")))
    answer = post(idle, "a2", stacktrace=TRACE.format(line=9, name="load"), timestamp="2026-01-01T11:00:00Z")
    assert answer.status_code == 200
    assert (data_of(answer)["id"], data_of(answer)["occurrence_count"]) == (first["id"], 2)
    other = post(idle, "a3", stacktrace=TRACE.format(line=1, name="store"))
    assert other.status_code == 201


def test_the_same_alert_twice_is_counted_once(idle: Service) -> None:
    post(idle)
    assert data_of(post(idle))["occurrence_count"] == 1


def test_a_creation_with_a_key_is_done_once(idle: Service) -> None:
    for _ in range(2):
        answer = idle.client.post(PLACE, json={"alert_id": "x"}, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 201
    answer = idle.client.post(PLACE, json={"alert_id": "y"}, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 422


def test_an_alert_can_be_ended_by_its_sender(idle: Service) -> None:
    alert = made(idle, group_id="g")
    answer = post(idle, alert_type="error.resolved", group_id="g", timestamp="2026-01-01T11:00:00Z")
    assert answer.status_code == 200
    assert (data_of(answer)["id"], data_of(answer)["status"]) == (alert["id"], "resolved")
    assert post(idle, alert_type="error.resolved", group_id="h").status_code == 409


@pytest.mark.parametrize("what", ["acknowledge", "ack"])
def test_acknowledging(idle: Service, what: str) -> None:
    alert = made(idle)
    answer = do(idle, alert, what, comment="mine")
    assert answer.status_code == 200
    told = data_of(answer)
    assert AlertSchema().validate(told) == {}
    assert (told["status"], told["acknowledged_by"], told["comment"]) == ("acknowledged", "anonymous", "mine")
    assert told["acknowledged_at"] is not None
    assert events(idle) == [("alert.created", None), ("alert.acknowledged", "anonymous")]


@pytest.mark.parametrize("what", ["acknowledge", "ack", "resolve"])
def test_nothing_need_be_said(idle: Service, what: str) -> None:
    alert = made(idle)
    assert idle.client.post(f"{PLACE}/{alert['id']}/{what}").status_code == 200


def test_acknowledging_again_changes_but_the_comment(idle: Service) -> None:
    alert = made(idle)
    first = data_of(do(idle, alert, "ack", comment="mine"))
    assert data_of(do(idle, alert, "ack")) == first
    assert data_of(do(idle, alert, "ack", comment="mine")) == first
    told = data_of(do(idle, alert, "ack", comment="still mine"))
    assert (told["comment"], told["acknowledged_at"]) == ("still mine", first["acknowledged_at"])
    actions = [entry["action"] for entry in told["history"]]
    assert actions == ["created", "acknowledged", "commented"]
    assert len(events(idle)) == 2


def test_resolving_and_what_then_cannot_be_done(idle: Service) -> None:
    alert = made(idle)
    told = data_of(do(idle, alert, "resolve", comment="fixed"))
    assert (told["status"], told["resolved_by"], told["comment"]) == ("resolved", "anonymous", "fixed")
    assert data_of(do(idle, alert, "resolve"))["resolved_at"] == told["resolved_at"]
    answer = do(idle, alert, "ack")
    assert answer.status_code == 409
    assert error_of(answer, "CONFLICT")["status"] == "resolved"
    assert [name for name, _ in events(idle)] == ["alert.created", "alert.resolved"]


def test_a_change_holds_to_what_was_read(idle: Service) -> None:
    alert = made(idle)
    tag = idle.client.get(f"{PLACE}/{alert['id']}").headers["ETag"]
    assert do(idle, alert, "ack").status_code == 200
    answer = idle.client.post(f"{PLACE}/{alert['id']}/resolve", headers={"If-Match": tag})
    assert answer.status_code == 412
    assert idle.get(f"/alerts/{alert['id']}")["status"] == "acknowledged"


def test_what_is_unchanged_is_not_sent_again(idle: Service) -> None:
    alert = made(idle)
    for path in (PLACE, f"{PLACE}/{alert['id']}", f"{PLACE}/stats/summary"):
        tag = idle.client.get(path).headers["ETag"]
        assert idle.client.get(path, headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("what", ["acknowledge", "ack", "resolve"])
def test_what_is_unknown_is_not_found(idle: Service, what: str) -> None:
    assert idle.client.get(f"{PLACE}/{NOBODY}").status_code == 404
    answer = do(idle, {"id": NOBODY}, what)
    assert error_of(answer, "RESOURCE_NOT_FOUND") == {"resource_type": "alert", "resource_id": NOBODY}


def test_several_are_acknowledged_at_once(idle: Service) -> None:
    several = [made(idle, f"a{number}") for number in range(60)]
    do(idle, several[0], "ack")
    do(idle, several[1], "resolve")
    ids = [NOBODY, *(alert["id"] for alert in several), several[5]["id"]]
    answer = idle.client.post(f"{PLACE}/acknowledge-batch", json={"ids": ids, "comment": "outage"})
    assert data_of(answer) == {
        "acknowledged": 58,
        "not_found": [NOBODY],
        "already": [several[0]["id"], several[1]["id"]],
    }
    assert idle.get("/alerts", status="acknowledged", limit=1)["total_count"] == 59
    assert idle.get(f"/alerts/{several[7]['id']}")["comment"] == "outage"
    assert [name for name, _ in events(idle)].count("alert.acknowledged") == 59


@pytest.mark.parametrize("ids", [[], ["x"], None, [NOBODY] * 1001])
def test_a_batch_names_one_to_a_thousand(idle: Service, ids: Any) -> None:
    answer = idle.client.post(f"{PLACE}/acknowledge-batch", json={"ids": ids})
    assert answer.status_code == 422


def test_the_list_is_narrowed_down(idle: Service) -> None:
    made(idle, "a", severity="critical", service_name="web", environment="production", project="shop")
    made(idle, "b", severity="low", service_name="web", error_message="50% of_all", project="pay")
    done = made(idle, "c", severity="high", timestamp="2026-01-03T10:00:00Z")
    do(idle, done, "resolve")
    idle.client.post("/api/v1/iris/webhook/alertmanager", json=_firing())
    idle.worker.drain()
    expected = {
        (): ["9f|2026-01-04", "c", "b", "a"],
        (("status", "pending"), ("source", "native")): ["b", "a"],
        (("status", "resolved"),): ["c"],
        (("status", "pending,resolved"), ("severity", "critical,HIGH"), ("source", "native")): ["c", "a"],
        (("project", "shop"),): ["a"],
        (("project", "nobody"),): [],
        (("source", "alertmanager"),): ["9f|2026-01-04"],
        (("service_name", "web"),): ["b", "a"],
        (("environment", "production"),): ["a"],
        (("alert_id", "b"),): ["b"],
        (("q", "50% OF_"),): ["b"],
        (("start_date", "2026-01-03"), ("end_date", "2026-01-03")): ["c"],
        (("end_date", "2026-01-01"),): ["b", "a"],
    }
    for query, wanted in expected.items():
        found = listed(idle, **dict(query))
        assert [one[: len(name)] for one, name in zip(found, wanted, strict=True)] == wanted, query
        assert idle.get("/alerts", **dict(query))["total_count"] == len(wanted)


def _firing() -> dict[str, Any]:
    alert = {"status": "firing", "labels": {}, "startsAt": "2026-01-04T00:00:00Z", "fingerprint": "9f"}
    return {"version": "4", "status": "firing", "alerts": [alert]}


@pytest.mark.parametrize("sort", ["last_seen", "first_seen", "severity", "occurrence_count"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_every_order_can_be_paged_through(idle: Service, sort: str, sign: str) -> None:
    for number in range(7):
        made(idle, f"a{number}", timestamp=f"2026-01-0{number % 3 + 1}", severity=["low", "high"][number % 2])
    post(idle, "again", group_id="a3", timestamp="2026-01-09")
    whole = idle.get("/alerts", sort=sign + sort)["alerts"]
    values = [
        (["LOW", "HIGH"].index(a["severity"]) if sort == "severity" else a[sort], a["id"]) for a in whole
    ]
    if sort != "severity":
        assert values == sorted(values, reverse=sign == "-")
    assert [value for value, _ in values] == sorted((value for value, _ in values), reverse=sign == "-")
    by_offset: list[Any] = []
    by_cursor: list[Any] = []
    cursor: dict[str, Any] = {}
    for start in range(0, 7, 2):
        page = idle.get("/alerts", sort=sign + sort, limit=2, offset=start)
        assert AlertListSchema().validate(page) == {}
        assert (page["total_count"], page["pagination"]["has_more"]) == (7, start < 5)
        by_offset += page["alerts"]
        page = idle.get("/alerts", sort=sign + sort, limit=2, **cursor)
        cursor = {"cursor": page["pagination"]["next_cursor"]}
        by_cursor += page["alerts"]
    assert by_offset == by_cursor == whole
    assert cursor == {"cursor": None}


def test_fields_can_be_picked(idle: Service) -> None:
    alert = made(idle)
    assert idle.get("/alerts", fields="id,status")["alerts"] == [{"id": alert["id"], "status": "pending"}]


@pytest.mark.parametrize(
    "query", ["status=open", "severity=bad", "sort=title", "fields=secret", "cursor=x", "state=pending"]
)
def test_queries_that_do_not_fit_are_refused(idle: Service, query: str) -> None:
    assert idle.client.get(f"{PLACE}?{query}").status_code == 422


def test_a_cursor_of_another_order_is_refused(idle: Service) -> None:
    for number in range(2):
        made(idle, f"a{number}")
    cursor = idle.get("/alerts", sort="severity", limit=1)["pagination"]["next_cursor"]
    assert idle.client.get(f"{PLACE}?sort=occurrence_count&cursor={cursor}").status_code == 422


def test_the_summary_adds_up(idle: Service) -> None:
    web = made(idle, "a", severity="critical", service_name="web", project="shop")
    for number in range(3):
        post(idle, f"a{number}", group_id="a", service_name="web", project="shop")
    made(idle, "b", severity="low", service_name="pay")
    done = made(idle, "c", severity="low", service_name="pay")
    do(idle, web, "ack")
    do(idle, done, "resolve")
    told = idle.get("/alerts/stats/summary")
    assert AlertSummarySchema().validate(told) == {}
    assert told["total"] == 3
    assert told["by_status"] == {"pending": 1, "acknowledged": 1, "resolved": 1}
    assert told["by_severity"] == {"LOW": 2, "CRITICAL": 1}
    assert told["by_service"] == {"pay": 2, "web": 1}
    assert told["by_project"] == {"default": 2, "shop": 1}
    assert 0 <= told["mean_time_to_acknowledge_seconds"] < 600
    assert told["mean_time_to_resolve_seconds"] > 86400  # it began on the first of January
    assert [(alert["alert_id"], alert["occurrence_count"]) for alert in told["top"]] == [("a", 4), ("b", 1)]
    assert [alert["alert_id"] for alert in told["standing"]] == ["a", "b"]
    assert told["flapping"] == []
    assert idle.get("/alerts/stats/summary", project="shop")["total"] == 1
    assert idle.get("/alerts/stats/summary", project="nobody")["mean_time_to_resolve_seconds"] is None


def test_times_are_told_by_their_shares(idle: Service) -> None:
    for number in range(10):
        alert = made(idle, f"a{number}", timestamp="2026-01-01T10:00:00Z")
        ended = f"2026-01-01T{11 + number}:00:00Z"
        post(idle, f"a{number}", alert_type="error.resolved", group_id=f"a{number}", timestamp=ended)
    told = idle.get("/alerts/stats/summary")
    assert AlertSummarySchema().validate(told) == {}
    resolved = told["time_to_resolve_seconds"]
    assert resolved["p50"] == pytest.approx(5 * 3600, abs=0.1)
    assert resolved["p90"] == pytest.approx(9 * 3600, abs=0.1)
    assert resolved["mean"] == told["mean_time_to_resolve_seconds"] == pytest.approx(5.5 * 3600, abs=0.1)
    assert told["time_to_acknowledge_seconds"] == {"mean": None, "p50": None, "p90": None}
    assert alert["status"] == "pending"


def test_what_comes_back_again_and_again_is_flapping(idle: Service) -> None:
    for number in range(3):
        alert = made(idle, f"a{number}", group_id="g", timestamp=f"2026-01-0{number + 1}")
        do(idle, alert, "resolve")
    (flapping,) = idle.get("/alerts/stats/summary")["flapping"]
    assert (flapping["times"], flapping["id"]) == (3, alert["id"])
