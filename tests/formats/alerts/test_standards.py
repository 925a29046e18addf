"""PagerDuty's events, OpenTelemetry's exports, CloudEvents."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from hefesto_api.domain.alert import AlertState, Link, ReportedFrame
from hefesto_api.domain.errors import Invalid, MalformedRequest
from hefesto_api.domain.finding import Severity
from tests.formats.alerts.reading import read, read_alert
from tests.formats.alerts.samples import (
    COMMIT,
    RESOURCE,
    TRACE,
    attributes,
    cdevent,
    cloudevent,
    encoded,
    otlp,
    otlp_record,
    otlp_spans,
    pagerduty,
    pagerduty_change,
    said,
)

TEN = datetime(2026, 1, 1, 10, tzinfo=UTC)


def test_a_trigger_of_pagerduty() -> None:
    alert = read_alert("pagerduty", pagerduty())
    assert (alert.alert_id, alert.group_id) == ("shop/checkout", "shop/checkout")
    assert (alert.error_type, alert.title) == ("KeyError", "KeyError: 'uid' in checkout")
    assert (alert.severity, alert.service_name) == (Severity.HIGH, "shop")
    assert (alert.release, alert.commit_hash, alert.environment) == ("2026.1", COMMIT, "production")
    assert alert.stacktrace == "Traceback (most recent call last):\n  ..."
    assert alert.links == (
        Link("https://wiki.test/runbook", "Runbook"),
        Link("https://monitor.test/", "Shop monitor"),
    )
    assert alert.timestamp == TEN


def test_the_routing_key_is_kept_nowhere() -> None:
    found = [read_alert("pagerduty", pagerduty()), *read("pagerduty", pagerduty_change()).deployments]
    assert "0123456789abcdef" not in repr(found)


def test_a_resolve_of_pagerduty_needs_its_key_alone() -> None:
    bare = {"routing_key": "k", "event_action": "resolve", "dedup_key": "shop/checkout"}
    alert = read_alert("pagerduty", bare)
    assert (alert.state, alert.alert_id) == (AlertState.RESOLVED, "shop/checkout")


def test_a_trigger_without_key_has_one_that_a_resend_repeats() -> None:
    first, resent = (read_alert("pagerduty", pagerduty(dedup_key=None)) for _ in range(2))
    other = read_alert("pagerduty", pagerduty(dedup_key=None, payload={"summary": "Other"}))
    rotated = read_alert("pagerduty", pagerduty(dedup_key=None, routing_key="another"))
    assert first.alert_id == resent.alert_id == rotated.alert_id != other.alert_id


def test_a_trigger_anew_is_another_delivery_of_the_same_alert() -> None:
    later = pagerduty()
    later["payload"] |= {"timestamp": "2026-01-01T11:00:00Z"}
    first, second = read_alert("pagerduty", pagerduty()), read_alert("pagerduty", later)
    assert (first.alert_id, first.delivery_id != second.delivery_id) == (second.alert_id, True)


def test_an_acknowledgement_is_ignored() -> None:
    found = read("pagerduty", pagerduty("acknowledge"))
    assert (found.alerts, found.ignored) == ((), ("event_action: 'acknowledge' is no news of an alert",))


def test_details_may_be_a_text() -> None:
    body = pagerduty(payload={"summary": "Disk full", "custom_details": "95% used"})
    alert = read_alert("pagerduty", body)
    assert (alert.error_type, alert.error_message, alert.description) == (None, "Disk full", "95% used")


def test_a_change_event_is_a_deployment() -> None:
    (deployment,) = read("pagerduty", pagerduty_change(commit=COMMIT)).deployments
    assert (deployment.release, deployment.commit_hash) == ("2026.1", COMMIT)
    assert (deployment.service_name, deployment.environment) == ("shop", "production")
    assert (deployment.deployed_at, deployment.description) == (TEN, "Deploy of shop")
    assert deployment.links == (Link("https://ci.test/build/7", "Build"),)


def test_a_commit_in_the_summary_is_found() -> None:
    (deployment,) = read("pagerduty", pagerduty_change(f"Deploy {COMMIT} to prod", release=None)).deployments
    assert (deployment.release, deployment.commit_hash) == (None, COMMIT)


def test_a_change_of_no_code_is_ignored() -> None:
    found = read("pagerduty", pagerduty_change("Flag on", release=None))
    assert found.ignored == ("payload.custom_details: a change without release or commit",)


def test_an_exception_in_a_log() -> None:
    alert = read_alert("otlp", otlp())
    assert alert.alert_id.startswith("5b8efff798038103d269b633813fc60c|eee19b7ec3c1b174|")
    assert (alert.error_type, alert.error_message, alert.stacktrace) == ("KeyError", "'uid'", TRACE)
    assert (alert.severity, alert.title) == (Severity.CRITICAL, "KeyError: 'uid'")
    assert (alert.service_name, alert.environment) == ("shop", "production")
    assert (alert.release, alert.commit_hash) == ("2026.1", COMMIT)
    assert (alert.timestamp, alert.description) == (TEN, "checkout failed")
    assert alert.metadata["resource"]["process.pid"] == "4242"


def test_an_exception_told_on_its_span_and_in_the_log_is_one_alert() -> None:
    span, log = read_alert("otlp", otlp_spans()), read_alert("otlp", otlp())
    assert (span.alert_id, span.error_type, span.stacktrace) == (log.alert_id, "KeyError", TRACE)
    assert span.severity is Severity.HIGH


def test_records_apart_from_any_span_differ_by_time_and_place() -> None:
    bare = otlp_record(traceId="", spanId=None)
    later = bare | {"timeUnixNano": "1767261600000000001"}
    ids = [alert.alert_id for alert in read("otlp", otlp(bare, bare, later)).alerts]
    assert len(set(ids)) == 3
    assert ids == [alert.alert_id for alert in read("otlp", otlp(bare, bare, later)).alerts]


def test_an_error_without_exception_tells_where_it_was_logged() -> None:
    place = attributes(
        code__file__path=said("shop/db.py"),
        code__line__number={"intValue": "42"},
        code__function__name=said("shop.db.load_user"),
    )
    alert = read_alert("otlp", otlp(otlp_record(attributes=place, severityNumber=17)))
    assert (alert.error_type, alert.error_message, alert.severity) == (None, "checkout failed", Severity.HIGH)
    assert alert.frames == (ReportedFrame(file="shop/db.py", line=42, function="shop.db.load_user"),)


def test_what_is_no_error_is_counted() -> None:
    calm = otlp_record(severityNumber=9, attributes=[])
    found = read("otlp", otlp(otlp_record(), calm, calm))
    assert len(found.alerts) == 1
    assert found.ignored == ("2 records are neither exceptions nor errors",)
    assert read("otlp", otlp_spans({"name": "cache miss"})).alerts == ()


def test_nested_attributes_become_plain_values() -> None:
    nested = {
        "kvlistValue": {"values": [{"key": "ids", "value": {"arrayValue": {"values": [{"intValue": 1}]}}}]}
    }
    alert = read_alert("otlp", otlp(otlp_record(attributes=attributes(order=nested))))
    assert alert.metadata["attributes"] == {"order": {"ids": [1]}}


def test_the_binary_encoding_is_named() -> None:
    with pytest.raises(MalformedRequest, match="encoding to json"):
        read("otlp", b"\x0a\x01", Content_Type="application/x-protobuf")


def test_a_structured_event() -> None:
    alert = read_alert("cloudevents", cloudevent(), Content_Type="application/cloudevents+json")
    assert alert.alert_id == "https://monitor.test/shop|evt-1"
    assert (alert.error_type, alert.error_message, alert.severity) == ("KeyError", "'uid'", Severity.HIGH)
    assert (alert.service_name, alert.title, alert.timestamp) == ("shop", "checkout", TEN)
    assert alert.metadata["event"]["type"] == "test.monitor.error.raised"


def test_events_of_two_sources_with_one_id_differ() -> None:
    pairs = [("a|b", "c"), ("a", "b|c"), ("a%7Cb", "c")]
    bodies = [cloudevent(source=source, id=event_id) for source, event_id in pairs]
    assert len({read_alert("cloudevents", body).alert_id for body in bodies}) == 3


def test_a_binary_event() -> None:
    event = cloudevent(source="/größe")
    headers = {f"Ce-{name}": event[name] for name in ("specversion", "id", "type", "time", "subject")}
    headers |= {"Ce-Source": "/gr%C3%B6%C3%9Fe", "Content-Type": "application/json; charset=utf-8"}
    assert read_alert("cloudevents", encoded(event["data"]), **headers) == read_alert("cloudevents", event)


def test_a_binary_event_may_hold_a_text() -> None:
    names = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/a",
        "ce-type": "x",
        "content-type": "text/plain",
    }
    assert read_alert("cloudevents", b"TypeError: \xff", **names).error_type == "TypeError"


def test_a_batch_with_one_bad_event() -> None:
    batch = encoded([cloudevent(), cloudevent(id=None), cloudevent(id="evt-3")])
    found = read("cloudevents", batch, Content_Type="application/cloudevents-batch+json")
    assert [alert.alert_id[-5:] for alert in found.alerts] == ["evt-1", "evt-3"]
    assert found.ignored == ("events[1].id: A text is required here.",)


def test_data_in_base64() -> None:
    data = base64.b64encode(b'{"message": "ValueError: no"}').decode()
    alert = read_alert("cloudevents", cloudevent(data=None, data_base64=data))
    assert (alert.error_type, alert.error_message) == ("ValueError", "ValueError: no")


@pytest.mark.parametrize("told", [{"type": "test.alert.resolved"}, {"data": {"status": "resolved"}}])
def test_a_resolved_event(told: dict[str, Any]) -> None:
    assert read_alert("cloudevents", cloudevent(**told)).state is AlertState.RESOLVED


def test_a_cdevent_is_a_deployment() -> None:
    (deployment,) = read("cloudevents", cdevent()).deployments
    assert (deployment.environment, deployment.commit_hash, deployment.deployed_at) == (
        "production",
        COMMIT,
        TEN,
    )


@pytest.mark.parametrize(
    ("source", "body", "field"),
    [
        ("pagerduty", pagerduty("explode"), "event_action"),
        ("pagerduty", pagerduty(payload="text"), "payload"),
        ("pagerduty", {"routing_key": "k"}, "payload"),
        ("pagerduty", {"payload": {"summary": 1.5}}, "payload.summary"),
        ("otlp", {"resource": RESOURCE}, "resourceLogs"),
        ("cloudevents", cloudevent(source=None), "source"),
        ("cloudevents", cloudevent(specversion="0.3"), "specversion"),
        ("cloudevents", cloudevent(data=None, data_base64="***"), "data_base64"),
    ],
)
def test_what_must_be_there_is_named_by_its_place(source: str, body: Any, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(source, body)
    assert caught.value.details["errors"][0]["field"] == field
