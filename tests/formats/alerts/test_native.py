"""Our own body, and what holds for every body: bounds, and what is no JSON."""

from datetime import UTC, datetime

import pytest
from hefesto_api.domain.alert import AlertState
from hefesto_api.domain.errors import Invalid, MalformedRequest
from hefesto_api.domain.finding import Severity
from hefesto_api.formats.alerts import SOURCES
from tests.formats.alerts.reading import read, read_alert
from tests.formats.alerts.samples import COMMIT, encoded, native


def test_an_alert_with_its_payload() -> None:
    alert = read_alert("native", native())
    assert (alert.alert_id, alert.source, alert.severity) == ("inc-91", "native", Severity.CRITICAL)
    assert (alert.error_type, alert.error_message) == ("KeyError", "'uid'")
    assert alert.stacktrace is not None
    assert alert.stacktrace.startswith("Traceback")
    assert (alert.service_name, alert.release, alert.commit_hash) == ("shop", "shop@2026.1", COMMIT)
    assert (alert.affected_users, alert.environment) == (120, "production")
    assert alert.timestamp == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert alert.metadata == {"region": "eu-west-1"}


def test_fields_may_stand_beside_the_id() -> None:
    flat = {"alert_id": 7, "message": "TypeError: nope", "stack_trace": ["a", "b"], "level": "warn"}
    alert = read_alert("native", flat)
    assert (alert.alert_id, alert.error_type, alert.error_message) == ("7", "TypeError", "TypeError: nope")
    assert (alert.stacktrace, alert.severity) == ("a\nb", Severity.MEDIUM)


def test_a_batch() -> None:
    found = read("native", {"alerts": [native(), {"title": "no id"}, native(alert_id="b")]})
    assert [alert.alert_id for alert in found.alerts] == ["inc-91", "b"]
    assert found.ignored == ("alerts[1].alert_id: A text is required here.",)


def test_a_standard_webhook_is_named_by_its_header() -> None:
    body = {"type": "incident.resolved", "timestamp": "2026-01-01T00:00:00Z", "data": {"title": "Over"}}
    alert = read_alert("native", body, webhook_id="msg_1")
    assert (alert.alert_id, alert.title, alert.state) == ("msg_1", "Over", AlertState.RESOLVED)


def test_a_deployment() -> None:
    body = native(alert_type="deployment", payload={"commit_hash": COMMIT, "environment": "production"})
    (deployment,) = read("native", body).deployments
    assert (deployment.deployment_id, deployment.commit_hash) == ("inc-91", COMMIT)
    assert deployment.deployed_at == datetime(2026, 1, 1, 10, tzinfo=UTC)


def test_a_deployment_of_nothing_is_ignored() -> None:
    body = native(alert_type="deployment", payload={"environment": "production"})
    assert read("native", body).ignored == ("payload: a deployment without release or commit_hash",)


def test_optional_fields_of_other_types_are_passed_over() -> None:
    payload = {
        "severity": ["high"],
        "affected_users": "many",
        "commit_hash": "not-hex",
        "environment": {"name": "x"},
        "frames": "none",
        "metadata": [1],
        "stacktrace": 5,
    }
    alert = read_alert("native", native(payload=payload, timestamp={"at": 1}))
    assert (alert.severity, alert.affected_users, alert.commit_hash) == (Severity.MEDIUM, None, None)
    assert (alert.environment, alert.frames, alert.metadata, alert.stacktrace) == (None, (), {}, None)
    assert alert.timestamp is None


def test_texts_are_bounded_and_free_of_nul() -> None:
    payload = {"error_message": "a\0b" + "x" * 20_000, "stacktrace": "top\n" + "y" * 300_000 + "\nend"}
    alert = read_alert("native", native(payload=payload))
    assert alert.error_message is not None
    assert alert.stacktrace is not None
    assert (alert.error_message[:3], len(alert.error_message)) == ("abx", 10_000)
    assert alert.stacktrace.startswith("top\n")
    assert alert.stacktrace.endswith("\nend")
    assert len(alert.stacktrace) == 200_005


def test_long_ids_stay_distinct_and_bounded() -> None:
    first, second = (read_alert("native", native(alert_id="i" * 300 + end)).alert_id for end in "ab")
    assert first != second
    assert (len(first), len(second)) == (255, 255)
    assert read_alert("native", native(alert_id="a\0b")).alert_id != "ab"


def test_metadata_is_bounded_in_depth_size_and_numbers() -> None:
    deep: object = "bottom"
    for _ in range(20):
        deep = {"in": deep}
    wide = {f"k{at}": {f"k{each}": "v" * 1_500 for each in range(100)} for at in range(100)}
    metadata = {"deep": deep, "big": 2**64 - 1, "wide": wide}
    kept = read_alert("native", native(payload={"metadata": metadata})).metadata
    assert kept["deep"] == {"in": {"in": {"in": {"in": "…"}}}}
    assert kept["big"] == "18446744073709551615"
    assert len(encoded(kept)) < 500_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe{}",
        b'{"alert_id": NaN}',
        b'{"alert_id": "\xc3"}',
        b"[]",
        b'"text"',
        b"5",
        b'{"alert_id": "a", "x": ' + b"[" * 64 + b"]" * 64 + b"}",
        b"[" * 100_000,
    ],
    ids=["empty", "cut", "utf16", "nan", "utf8", "list", "text", "number", "deep", "bomb"],
)
@pytest.mark.parametrize("source", SOURCES)
def test_what_is_no_json_object_is_malformed(source: str, body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        SOURCES[source].read(body, {})


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read_alert("native", b"\xef\xbb\xbf" + encoded(native())).alert_id == "inc-91"


def test_an_alert_without_id_names_the_field() -> None:
    with pytest.raises(Invalid) as caught:
        read("native", {"alert_type": "error"})
    assert caught.value.details["errors"][0]["field"] == "alert_id"
