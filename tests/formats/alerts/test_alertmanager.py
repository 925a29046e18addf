"""Groups of Alertmanager and Grafana."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hefesto_api.domain.alert import AlertState, Link
from hefesto_api.domain.errors import Invalid
from hefesto_api.domain.finding import Severity
from tests.formats.alerts.reading import read, read_alert
from tests.formats.alerts.samples import alertmanager, alertmanager_alert, grafana


def test_a_firing_alert_in_our_words() -> None:
    alert = read_alert("alertmanager", alertmanager())
    assert alert.alert_id == "9f2c0d7e1b3a4455|2026-01-01T10:00:00.123456789Z"
    assert (alert.group_id, alert.source, alert.state) == (
        "9f2c0d7e1b3a4455",
        "alertmanager",
        AlertState.FIRING,
    )
    assert (alert.severity, alert.title, alert.description) == (Severity.CRITICAL, "5xx 7%", "Checkout fails")
    assert (alert.error_type, alert.error_message) == ("CheckoutErrors", "Checkout fails")
    assert (alert.service_name, alert.environment) == ("shop", "production")
    assert (alert.release, alert.commit_hash) == ("shop@3f1c9e7", "3f1c9e7")
    assert alert.timestamp == datetime(2026, 1, 1, 10, 0, 0, 123456, UTC)
    assert alert.links == (
        Link("http://prometheus.test/graph", "generatorURL"),
        Link("https://wiki.test/x", "runbook_url"),
        Link("http://alertmanager.test:9093", "externalURL"),
    )
    assert alert.metadata["labels"]["team"] == "payments"


def test_the_end_of_an_alert_has_its_id_and_another_delivery() -> None:
    firing = read_alert("alertmanager", alertmanager())
    ended = alertmanager_alert(status="resolved", endsAt="2026-01-01T10:30:00+01:00")
    resolved = read_alert("alertmanager", alertmanager(ended, status="resolved"))
    assert (resolved.state, resolved.alert_id) == (AlertState.RESOLVED, firing.alert_id)
    assert resolved.timestamp == datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
    assert resolved.delivery_id != firing.delivery_id
    assert read_alert("alertmanager", alertmanager()).delivery_id == firing.delivery_id


def test_the_same_labels_firing_anew_are_another_alert_of_the_group() -> None:
    again = alertmanager(alertmanager_alert(startsAt="2026-01-02T10:00:00Z"))
    first, second = read_alert("alertmanager", alertmanager()), read_alert("alertmanager", again)
    assert first.alert_id != second.alert_id
    assert first.group_id == second.group_id


def test_a_bare_alert() -> None:
    alert = read_alert("alertmanager", {"alerts": [{"fingerprint": "ab"}]})
    assert (alert.alert_id, alert.severity, alert.state) == ("ab|", Severity.MEDIUM, AlertState.FIRING)
    assert (alert.timestamp, alert.service_name, alert.error_message, alert.links) == (None, None, None, ())


def test_without_a_fingerprint_the_labels_tell_alerts_apart() -> None:
    one, two = ({"labels": {"alertname": "A", "pod": pod}} for pod in "ab")
    turned = {"labels": {"pod": "a", "alertname": "A"}}
    ids = [alert.alert_id for alert in read("alertmanager", alertmanager(one, two, turned)).alerts]
    assert ids[0] == ids[2] != ids[1]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("text", "alerts[1]: An object is expected here."),
        ({"labels": 5}, "alerts[1].fingerprint: A fingerprint or labels are required."),
    ],
)
def test_one_unreadable_alert_does_not_keep_the_others_out(bad: Any, reason: str) -> None:
    found = read(
        "alertmanager", alertmanager(alertmanager_alert(), bad, alertmanager_alert(fingerprint="cd"))
    )
    assert [alert.group_id for alert in found.alerts] == ["9f2c0d7e1b3a4455", "cd"]
    assert found.ignored == (reason,)


def test_what_the_sender_left_out_is_told() -> None:
    found = read("alertmanager", alertmanager(truncatedAlerts=12))
    assert found.ignored == ("truncatedAlerts: the sender left out 12",)


def test_a_group_without_alerts_names_the_field() -> None:
    with pytest.raises(Invalid) as caught:
        read("alertmanager", {"version": "4", "alerts": {}})
    assert caught.value.details["errors"][0]["field"] == "alerts"


def test_a_thousand_are_read_and_the_rest_told() -> None:
    found = read("alertmanager", alertmanager(*({"fingerprint": str(at)} for at in range(1_002))))
    assert len(found.alerts) == 1_000
    assert found.ignored == ("only the first 1000 are read",)


def test_a_trace_in_an_annotation() -> None:
    notes = {"stacktrace": "Traceback ...\nKeyError: 'uid'", "affected_users": "40"}
    alert = read_alert("alertmanager", alertmanager(alertmanager_alert(annotations=notes)))
    assert (alert.stacktrace, alert.affected_users) == ("Traceback ...\nKeyError: 'uid'", 40)


def test_grafana_adds_pages_and_values() -> None:
    alert = read_alert("grafana", grafana())
    assert alert.source == "grafana"
    assert Link("https://grafana.test/d/abc?viewPanel=2", "panelURL") in alert.links
    assert alert.metadata["values"] == {"A": 7.1}
