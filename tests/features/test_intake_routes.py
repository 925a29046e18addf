"""What monitoring tools send: a real payload, a bad signature, a replay, half a body, too much of one."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import sqlalchemy as sa
from hefesto_api.domain import clock
from hefesto_api.features.intake.schemas import AcceptedWebhookSchema, WebhookSchema
from hefesto_api.storage import alerts as kept_alerts
from hefesto_api.storage import intake, jobs, outbox
from tests.answers import data_of, error_of
from tests.formats.alerts import samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service
    from werkzeug.test import TestResponse

HOOK = "/api/v1/iris/webhook"
SECRET = "0123456789abcdef0123456789abcdef"
WRONG = "f" * 32


class Request(NamedTuple):
    """What a tool sends for a body, given its secret."""

    headers: dict[str, str]
    query: str = ""


def _hex(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _bearer(secret: str, _body: bytes) -> Request:
    return Request({"Authorization": f"Bearer {secret}"})


def _in_address(secret: str, _body: bytes) -> Request:
    return Request({}, f"?token={secret}")


SIGNED: dict[str, tuple[Any, Callable[[str, bytes], Request]]] = {
    "native": (
        samples.native(),
        lambda secret, body: Request({"X-Webhook-Signature": f"sha256={_hex(secret, body)}"}),
    ),
    "alertmanager": (samples.alertmanager(), _bearer),
    "grafana": (
        samples.grafana(),
        lambda secret, body: Request({"X-Grafana-Alerting-Signature": _hex(secret, body)}),
    ),
    "sentry": (
        samples.sentry(),
        lambda secret, body: Request(
            {"Sentry-Hook-Signature": _hex(secret, body), "Sentry-Hook-Resource": "event_alert"}
        ),
    ),
    "glitchtip": (samples.glitchtip(), _in_address),
    "rollbar": (samples.rollbar(), _in_address),
    "pagerduty": (samples.pagerduty(), lambda _secret, _body: Request({})),  # the key is in the body
    "otlp": (samples.otlp(), _bearer),
    "cloudevents": (samples.cloudevent(), _bearer),
}
EACH = pytest.mark.parametrize("source", sorted(SIGNED))


def body_of(source: str, secret: str = SECRET) -> bytes:
    told = SIGNED[source][0]
    return json.dumps({**told, "routing_key": secret} if source == "pagerduty" else told).encode()


def send(
    service: Service, source: str, body: bytes | None = None, secret: str | None = SECRET, **headers: str
) -> TestResponse:
    """Send as the tool would; without a secret, as nobody."""
    body = body_of(source, secret or SECRET) if body is None else body
    request = SIGNED[source][1](secret, body) if secret else Request({})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return service.client.post(
        f"{HOOK}/{source}{request.query}",
        data=body,
        headers={"Content-Type": "application/json", **request.headers, **named},
    )


def configure(service: Service, source: str, project: str = "shop", secret: str = SECRET) -> dict[str, Any]:
    wanted = {"source": source, "project": project, "secret": secret}
    answer = service.client.post("/api/v1/iris/sources", json=wanted)
    assert answer.status_code == 201, answer.get_json()
    found: dict[str, Any] = data_of(answer)
    return found


def accepted(answer: TestResponse) -> str:
    """Return the id of a message that was acknowledged."""
    assert answer.status_code == 202, answer.get_json()
    told = data_of(answer)
    assert AcceptedWebhookSchema().validate(told) == {}
    assert told["received"] is True
    assert answer.headers["Location"] == f"{HOOK}/{told['webhook_id']}"
    return str(told["webhook_id"])


def read(service: Service, webhook_id: str) -> dict[str, Any]:
    """Return what became of a message when all jobs are done."""
    service.worker.drain()
    told: dict[str, Any] = service.get(f"/iris/webhook/{webhook_id}")
    assert WebhookSchema().validate(told) == {}
    return told


def stored(service: Service) -> int:
    with service.runtime.db.read() as session:
        return intake.waiting(session, most=100).messages


@EACH
def test_a_real_message_becomes_an_alert_of_its_project(idle: Service, source: str) -> None:
    configure(idle, source)
    webhook_id = accepted(send(idle, source))
    told = read(idle, webhook_id)
    assert (told["processing_status"], told["error"]) == ("completed", None)
    assert (told["source"], told["project"], told["total"], told["new"]) == (source, "shop", 1, 1)
    (alert,) = idle.get("/alerts")["alerts"]
    assert [alert["id"]] == told["alerts"]
    assert (alert["source"], alert["project"], alert["status"]) == (source, "shop", "pending")
    assert alert["service_name"] == "shop" or source in {"sentry", "rollbar", "glitchtip"}


@EACH
def test_without_a_configured_source_open_mode_takes_it(idle: Service, source: str) -> None:
    told = read(idle, accepted(send(idle, source, secret=None)))
    assert (told["processing_status"], told["new"]) == ("completed", 1)
    assert idle.get("/alerts")["alerts"][0]["project"] == "default"


@EACH
@pytest.mark.parametrize("secret", [WRONG, None], ids=["wrong", "none"])
def test_what_does_not_show_the_secret_is_refused_and_not_kept(
    idle: Service, source: str, secret: str | None
) -> None:
    configure(idle, source)
    answer = send(idle, source, body_of(source, secret or ""), secret)
    assert answer.status_code == 401
    assert error_of(answer, "INVALID_SIGNATURE") == {"source": source}
    assert "WWW-Authenticate" in answer.headers
    assert stored(idle) == 0


@pytest.mark.parametrize("source", ["native", "grafana", "sentry"])
def test_a_changed_body_is_refused_where_it_is_signed(idle: Service, source: str) -> None:
    configure(idle, source)
    request = SIGNED[source][1](SECRET, body_of(source))
    headers = {**request.headers, "Content-Type": "application/json"}
    answer = idle.client.post(f"{HOOK}/{source}", data=body_of(source) + b" ", headers=headers)
    assert answer.status_code == 401


@EACH
def test_a_replay_is_answered_alike_and_counted_once(idle: Service, source: str) -> None:
    configure(idle, source)
    first = accepted(send(idle, source))
    assert accepted(send(idle, source)) == first
    read(idle, first)
    again = send(idle, source)
    assert accepted(again) == first
    assert data_of(again)["processing_status"] == "completed"
    assert data_of(again)["estimated_processing_time_seconds"] == 0
    idle.worker.drain()
    (alert,) = idle.get("/alerts")["alerts"]
    assert alert["occurrence_count"] == 1


@EACH
def test_half_a_body_is_told_to_its_sender(idle: Service, source: str) -> None:
    half = body_of(source)[:-20]
    answer = send(idle, source, half, None)
    assert answer.status_code == 400
    error_of(answer, "MALFORMED_REQUEST")
    assert stored(idle) == 0


@EACH
def test_a_body_that_breaks_off_is_not_taken_for_a_whole_one(idle: Service, source: str) -> None:
    body = body_of(source)
    answer = idle.client.post(
        f"{HOOK}/{source}", data=body, headers={"Content-Type": "application/json"},
        environ_overrides={"CONTENT_LENGTH": str(len(body) + 10)},
    )  # fmt: skip
    assert answer.status_code == 400
    assert stored(idle) == 0


@EACH
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_body_of_more_than_10_mb_is_refused(idle: Service, source: str, packed: bool) -> None:
    body = json.dumps({**SIGNED[source][0], "padding": "x" * 10 * 1024 * 1024}).encode()
    headers = {"Content-Encoding": "gzip"} if packed else {}
    answer = send(idle, source, gzip.compress(body) if packed else body, None, **headers)
    assert answer.status_code == 413
    error_of(answer, "PAYLOAD_TOO_LARGE")
    assert stored(idle) == 0


@EACH
def test_a_body_of_nearly_10_mb_is_read(idle: Service, source: str) -> None:
    body = json.dumps({**SIGNED[source][0], "padding": "x" * 10_000_000}).encode()
    webhook_id = accepted(send(idle, source, body, None))
    assert accepted(send(idle, source, body, None)) == webhook_id
    assert read(idle, webhook_id)["new"] == 1


@EACH
def test_packed_bodies_are_read(idle: Service, source: str) -> None:
    configure(idle, source)
    request = SIGNED[source][1](SECRET, body_of(source))  # tools sign what they pack
    answer = idle.client.post(
        f"{HOOK}/{source}{request.query}",
        data=gzip.compress(body_of(source)),
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip", **request.headers},
    )
    assert read(idle, accepted(answer))["new"] == 1


def test_the_native_address_is_also_that_without_a_name(idle: Service) -> None:
    first = accepted(idle.client.post(HOOK, json=samples.native()))
    assert accepted(idle.client.post(f"{HOOK}/native", json=samples.native())) == first


def test_an_unknown_source_is_told_the_known_ones(idle: Service) -> None:
    answer = idle.client.post(f"{HOOK}/nagios", json={})
    assert answer.status_code == 404
    assert error_of(answer, "RESOURCE_NOT_FOUND")["known"] == sorted(SIGNED)


def test_an_unknown_message_is_not_found(idle: Service) -> None:
    answer = idle.client.get(f"{HOOK}/01a1feeb-5e08-7042-8dde-7e4556de83f6")
    assert error_of(answer, "RESOURCE_NOT_FOUND")["resource_type"] == "webhook"


def test_our_own_form_without_an_id_is_told_to_its_sender(idle: Service) -> None:
    answer = idle.client.post(HOOK, json={"alert_type": "error", "payload": {}})
    assert answer.status_code == 422
    assert error_of(answer, "VALIDATION_ERROR")["errors"][0]["field"] == "alert_id"
    assert stored(idle) == 0


def test_what_a_tool_sends_oddly_is_kept_and_says_why_it_failed(idle: Service) -> None:
    webhook_id = accepted(idle.client.post(f"{HOOK}/alertmanager", json={"version": "4"}))
    told = read(idle, webhook_id)
    assert told["processing_status"] == "failed"
    assert told["error"].startswith("alerts: ")
    with idle.runtime.db.read() as session:
        assert intake.bodies(session, [webhook_id]) != {}


def test_one_odd_alert_of_several_is_named_and_the_others_are_taken(idle: Service) -> None:
    body = samples.alertmanager(samples.alertmanager_alert(), 7)
    told = read(idle, accepted(idle.client.post(f"{HOOK}/alertmanager", json=body)))
    assert (told["processing_status"], told["new"]) == ("completed", 1)
    assert told["ignored"] == ["alerts[1]: An object is expected here."]


@pytest.mark.parametrize("kind", ["application/x-protobuf", "text/xml", "multipart/form-data; boundary=x"])
def test_what_says_that_it_is_no_json_is_refused(idle: Service, kind: str) -> None:
    answer = idle.client.post(f"{HOOK}/otlp", data=b"\x0a\x00", headers={"Content-Type": kind})
    assert answer.status_code == 415


def test_json_is_taken_whatever_a_script_calls_it(idle: Service) -> None:
    for kind in ("application/x-www-form-urlencoded", "text/plain", ""):
        body = json.dumps(samples.native(alert_id=kind or "none"))
        accepted(idle.client.post(HOOK, data=body, headers={"Content-Type": kind}))


def test_unknown_parameters_are_refused(idle: Service) -> None:
    answer = idle.client.post(f"{HOOK}?tokn=1", json=samples.native())
    assert error_of(answer, "VALIDATION_ERROR")["errors"][0]["field"] == "tokn"


class TestStandardWebhooks:
    """The other way to sign our own form."""

    KEY = "whsec_" + b64encode(b"k" * 32).decode()

    def headers(self, body: bytes, message_id: str = "msg_1", seconds: int | None = None) -> dict[str, str]:
        now = int(clock.now().timestamp()) if seconds is None else seconds
        content = f"{message_id}.{now}.".encode() + body
        signature = b64encode(hmac.new(b"k" * 32, content, hashlib.sha256).digest()).decode()
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(now),
            "webhook-signature": f"v1,{signature}",
            "Content-Type": "application/json",
        }

    def send(self, service: Service, body: Any, message_id: str = "msg_1", age: int = 0) -> TestResponse:
        raw = json.dumps(body).encode()
        seconds = int(clock.now().timestamp()) - age
        return service.client.post(HOOK, data=raw, headers=self.headers(raw, message_id, seconds))

    def test_it_is_taken(self, idle: Service) -> None:
        configure(idle, "native", secret=self.KEY)
        assert read(idle, accepted(self.send(idle, samples.native())))["project"] == "shop"

    def test_a_stale_one_is_refused(self, idle: Service) -> None:
        configure(idle, "native", secret=self.KEY)
        answer = self.send(idle, samples.native(), age=301)
        assert answer.status_code == 401
        error_of(answer, "INVALID_SIGNATURE")

    def test_its_id_says_what_a_replay_is(self, idle: Service) -> None:
        configure(idle, "native", secret=self.KEY)
        first = accepted(self.send(idle, samples.native(), "msg_1"))
        assert accepted(self.send(idle, samples.native(), "msg_1", age=100)) == first  # each try has its time
        assert accepted(self.send(idle, samples.native(alert_id="b"), "msg_2")) != first

    def test_the_native_id_may_be_that_of_the_message(self, idle: Service) -> None:
        body = {"type": "error", "data": {"error_message": "KeyError: 'uid'"}}
        read(idle, accepted(self.send(idle, body, "msg_7")))
        assert idle.get("/alerts")["alerts"][0]["alert_id"] == "msg_7"


def test_the_secret_says_which_project_it_is(idle: Service) -> None:
    configure(idle, "alertmanager", "shop", SECRET)
    configure(idle, "alertmanager", "pay", WRONG)
    read(idle, accepted(send(idle, "alertmanager", secret=WRONG)))
    read(idle, accepted(send(idle, "alertmanager", secret=SECRET)))
    found = [alert["project"] for alert in idle.get("/alerts", sort="first_seen")["alerts"]]
    assert sorted(found) == ["pay", "shop"]


def test_the_service_says_which_project_it_is_else_the_message_itself(idle: Service) -> None:
    idle.client.post("/api/v1/projects", json={"slug": "store", "service_names": ["shop", "web"]})
    told = samples.native()
    named = samples.native(alert_id="b", timestamp="2026-01-02T10:00:00Z")
    named["payload"] = {**named["payload"], "project": "pay"}
    unknown = samples.native(alert_id="c", payload={"service_name": "nobody's"})
    for body in (told, named, unknown):
        accepted(idle.client.post(HOOK, json=body))
    idle.worker.drain()
    found = {alert["alert_id"]: alert["project"] for alert in idle.get("/alerts")["alerts"]}
    assert found == {"inc-91": "store", "b": "pay", "c": "default"}


def test_who_holds_a_projects_secret_does_not_write_to_another(idle: Service) -> None:
    configure(idle, "native")
    body = json.dumps(samples.native(payload={"project": "pay", "service_name": "pay"})).encode()
    read(idle, accepted(send(idle, "native", body)))
    assert idle.get("/alerts")["alerts"][0]["project"] == "shop"


def test_a_new_alert_asks_for_its_cause_and_is_announced_once(idle: Service) -> None:
    for number in range(3):
        body = samples.native(alert_id=f"a{number}", timestamp=f"2026-01-01T10:0{number}:00Z")
        accepted(idle.client.post(HOOK, json=body))
    idle.worker.drain()
    (alert,) = idle.get("/alerts")["alerts"]
    assert alert["occurrence_count"] == 3
    with idle.runtime.db.read() as session:
        asked = [job.payload for job in jobs.page(session, kind="correlation")]
        told = [event.type for event in outbox.after(session, 0) if event.type.startswith("alert.")]
    assert asked == [{"alert_id": alert["id"]}]
    assert told == ["alert.created"]


def test_what_the_sender_says_is_over_is_resolved_and_may_come_back(idle: Service) -> None:
    def sent(**alert: Any) -> None:
        body = samples.alertmanager(samples.alertmanager_alert(**alert))
        accepted(idle.client.post(f"{HOOK}/alertmanager", json=body))
        idle.worker.drain()

    sent()
    sent(status="resolved", endsAt="2026-01-01T11:00:00Z")
    (alert,) = idle.get("/alerts")["alerts"]
    assert (alert["status"], alert["resolved_at"]) == ("resolved", "2026-01-01T11:00:00.000000Z")
    sent(startsAt="2026-01-01T12:00:00Z")
    found = idle.get("/alerts")["alerts"]
    assert [one["status"] for one in found] == ["pending", "resolved"]
    assert idle.get(f"/alerts/{found[0]['id']}")["regression_of"] == alert["id"]
    with idle.runtime.db.read() as session:
        assert len(jobs.page(session, kind="correlation")) == 2  # for the regression, too


def test_the_end_of_what_nobody_told_of_changes_nothing(idle: Service) -> None:
    body = samples.alertmanager(samples.alertmanager_alert(status="resolved"))
    told = read(idle, accepted(idle.client.post(f"{HOOK}/alertmanager", json=body)))
    assert (told["processing_status"], told["resolved"], told["alerts"]) == ("completed", 0, [])
    assert told["ignored"] == ["a resolved alert that was not open"]


@pytest.mark.parametrize(
    ("source", "body"),
    [
        ("rollbar", samples.rollbar_deploy()),
        ("pagerduty", samples.pagerduty_change(commit=samples.COMMIT)),
        ("cloudevents", samples.cdevent()),
        ("native", samples.native(alert_type="deployment")),
    ],
)
def test_deployments_are_recorded(idle: Service, source: str, body: dict[str, Any]) -> None:
    told = read(idle, accepted(idle.client.post(f"{HOOK}/{source}", json=body)))
    assert (told["processing_status"], told["alerts"]) == ("completed", [])
    (deployment,) = idle.get("/deployments")["deployments"]
    assert [deployment["id"]] == told["deployments"]
    assert (deployment["commit_hash"], deployment["environment"]) == (samples.COMMIT, "production")


def test_a_message_of_many_alerts_is_worked_off_whole(idle: Service) -> None:
    many = [
        samples.alertmanager_alert(fingerprint=f"{number:016x}", labels={"alertname": f"a{number}"})
        for number in range(300)
    ]
    webhook_id = accepted(idle.client.post(f"{HOOK}/alertmanager", json=samples.alertmanager(*many)))
    told = read(idle, webhook_id)
    assert (told["total"], told["new"], len(told["alerts"])) == (300, 300, 300)
    assert idle.get("/alerts", limit=1)["total_count"] == 300


def test_what_waits_is_told_truthfully(idle: Service) -> None:
    webhook_id = accepted(idle.client.post(HOOK, json=samples.native()))
    told = idle.get(f"/iris/webhook/{webhook_id}")
    assert (told["processing_status"], told["processed_at"]) == ("queued", None)
    assert told["estimated_processing_time_seconds"] >= 1
    with idle.runtime.db.write() as session:
        intake.take(session, messages=1, size=1)
    assert idle.get(f"/iris/webhook/{webhook_id}")["processing_status"] == "processing"
    told = read(idle, webhook_id)
    assert told["processing_status"] == "completed"
    assert told["processed_at"] >= told["received_at"]


def test_when_too_much_waits_senders_are_asked_to_come_again(idle: Service) -> None:
    accepted(idle.client.post(HOOK, json=samples.native()))
    with idle.runtime.db.write() as session:
        session.execute(sa.update(intake.intake).values(size=intake.MOST_BYTES))
    answer = idle.client.post(HOOK, json=samples.native(alert_id="b"))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert error_of(answer, "SERVICE_UNAVAILABLE")["reason"] == "overloaded"
    idle.worker.drain()
    accepted(idle.client.post(HOOK, json=samples.native(alert_id="b")))


def test_secrets_of_senders_are_not_kept_with_their_messages(idle: Service) -> None:
    configure(idle, "grafana")
    accepted(send(idle, "grafana", secret=None, Authorization=f"Bearer {SECRET}", Cookie="a=b"))
    with idle.runtime.db.read() as session:
        rows = session.exec_driver_sql("SELECT headers FROM intake").fetchall()
    assert [json.loads(row[0]) for row in rows] == [{"Content-Type": "application/json"}]


def test_messages_are_counted_by_how_they_went(idle: Service) -> None:
    accepted(idle.client.post(HOOK, json=samples.native()))
    idle.client.post(f"{HOOK}/sentry", data=b"{", headers={"Content-Type": "application/json"})
    told = idle.client.get("/metrics").get_data(as_text=True)
    assert 'hefesto_intake_total{result="accepted",source="native"} 1.0' in told
    assert 'hefesto_intake_total{result="MALFORMED_REQUEST",source="sentry"} 1.0' in told


def test_the_alert_of_a_message_that_came_before_its_project_was_deleted(idle: Service) -> None:
    configure(idle, "alertmanager")
    webhook_id = accepted(send(idle, "alertmanager"))
    assert idle.client.delete("/api/v1/projects/shop").status_code == 204
    assert read(idle, webhook_id)["processing_status"] == "completed"
    with idle.runtime.db.read() as session:
        alert_id = idle.get("/alerts")["alerts"][0]["id"]
        assert kept_alerts.get(session, alert_id).source == "alertmanager"
