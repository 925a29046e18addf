"""GlitchTip's and Rollbar's messages."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hefesto_api.domain.alert import AlertState, Cause, Link, ReportedFrame
from hefesto_api.domain.errors import Invalid
from hefesto_api.domain.finding import Severity
from tests.formats.alerts.reading import read, read_alert
from tests.formats.alerts.samples import COMMIT, glitchtip, glitchtip_issue, rollbar, rollbar_deploy


def test_an_issue_of_glitchtip() -> None:
    alert = read_alert("glitchtip", glitchtip())
    assert alert.alert_id == "issue|123|https://glitchtip.test/acme"
    assert (alert.error_type, alert.error_message) == ("KeyError", "'uid'")
    assert (alert.severity, alert.description) == (Severity.HIGH, "shop.api in checkout")
    assert (alert.service_name, alert.environment) == ("shop", "production")
    assert (alert.release, alert.commit_hash) == ("shop@3f1c9e7", "3f1c9e7")
    assert alert.links == (Link("https://glitchtip.test/acme/issues/123", "GlitchTip"),)
    assert alert.timestamp is None


def test_several_issues_and_one_without_a_title() -> None:
    found = read(
        "glitchtip", glitchtip(glitchtip_issue(1), glitchtip_issue(2, title=None), glitchtip_issue(3))
    )
    assert [alert.group_id for alert in found.alerts] == [
        "issue|1|https://glitchtip.test/acme",
        "issue|3|https://glitchtip.test/acme",
    ]
    assert found.ignored == ("attachments[1].title: A text is required here.",)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("The monitored site has gone down.", AlertState.FIRING),
        ("The monitored site is back up.", AlertState.RESOLVED),
    ],
)
def test_a_monitor_of_glitchtip(text: str, state: AlertState) -> None:
    body = glitchtip(
        {"title": "shop", "title_link": "https://glitchtip.test/uptime-monitors/4", "text": text}
    )
    alert = read_alert("glitchtip", body)
    assert (alert.state, alert.title) == (state, "shop")
    assert (
        alert.group_id == read_alert("glitchtip", glitchtip(body["attachments"][0] | {"text": ""})).group_id
    )


def test_a_new_item_of_rollbar() -> None:
    alert = read_alert("rollbar", rollbar())
    assert alert.alert_id == "272716944|d2036647-e0b7-4cad-bc98-934831b9b6d1"
    assert (alert.group_id, alert.severity) == ("item|272716944", Severity.HIGH)
    assert (alert.error_type, alert.error_message) == ("KeyError", "'uid'")
    assert (alert.environment, alert.release, alert.commit_hash) == ("production", "3f1c9e7a", "3f1c9e7a")
    assert alert.timestamp == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert alert.affected_users == 2
    assert alert.frames == (
        ReportedFrame(file="shop/api.py", line=88, function="checkout"),
        ReportedFrame(file="shop/db.py", line=42, function="load_user", context_line="  return row"),
    )
    row = ReportedFrame(file="shop/rows.py", line=7, function="row")
    assert alert.causes == (Cause(error_type="IndexError", error_message="row", frames=(row,)),)


def test_an_occurrence_told_twice_is_one_alert() -> None:
    new = rollbar()
    seen = new["data"]["item"]["last_occurrence"]
    again = {"event_name": "occurrence", "data": {"item": {"id": 272716944}, "occurrence": seen}}
    assert read_alert("rollbar", again).alert_id == read_alert("rollbar", new).alert_id
    later = rollbar("occurrence", {"uuid": "another"})
    assert read_alert("rollbar", later).alert_id != read_alert("rollbar", new).alert_id


def test_a_resolved_item_of_rollbar() -> None:
    alert = read_alert("rollbar", rollbar("resolved_item", last_modified_timestamp=1767265200))
    assert (alert.state, alert.group_id) == (AlertState.RESOLVED, "item|272716944")
    assert alert.timestamp == datetime(2026, 1, 1, 11, tzinfo=UTC)
    assert alert.alert_id != read_alert("rollbar", rollbar()).alert_id


def test_a_message_of_rollbar_without_a_trace() -> None:
    seen = {"body": {"message": {"body": "queue is full"}}, "level": "critical"}
    alert = read_alert("rollbar", rollbar(occurrence=seen, level=None, title=None))
    assert (alert.error_type, alert.error_message, alert.title) == (None, "queue is full", "queue is full")
    assert (alert.severity, alert.frames) == (Severity.CRITICAL, ())


def test_a_crash_report_of_rollbar_is_a_raw_trace() -> None:
    seen = {"body": {"crash_report": {"raw": "Incident Identifier: 1\nThread 0 Crashed:"}}}
    assert (
        read_alert("rollbar", rollbar(occurrence=seen)).stacktrace
        == "Incident Identifier: 1\nThread 0 Crashed:"
    )


@pytest.mark.parametrize(
    ("revision", "release", "commit"), [(COMMIT, None, COMMIT), ("v2.4.1", "v2.4.1", None)]
)
def test_a_deploy_of_rollbar(revision: str, release: str | None, commit: str | None) -> None:
    (deployment,) = read("rollbar", rollbar_deploy(revision=revision)).deployments
    assert (deployment.deployment_id, deployment.environment) == ("deploy|187585", "production")
    assert (deployment.release, deployment.commit_hash) == (release, commit)
    assert deployment.deployed_at == datetime(2026, 1, 1, 10, tzinfo=UTC)


def test_what_rollbar_tells_beside_alerts_is_ignored() -> None:
    assert read("rollbar", {"event_name": "test", "data": {}}).ignored == (
        "event_name: 'test' is no news of an alert",
    )
    assert read("rollbar", rollbar_deploy(revision=None)).ignored == (
        "data.deploy: a deployment without revision",
    )


@pytest.mark.parametrize(
    ("source", "body", "field"),
    [
        ("glitchtip", {"text": "GlitchTip Alert"}, "attachments"),
        ("rollbar", {"data": {}}, "event_name"),
        ("rollbar", {"event_name": "new_item"}, "data"),
        ("rollbar", {"event_name": "new_item", "data": {"item": {"id": {}}}}, "data.item.id"),
        ("rollbar", {"event_name": "deploy", "data": {"deploy": []}}, "data.deploy"),
        ("rollbar", rollbar_deploy(id=None), "data.deploy.id"),
    ],
)
def test_what_must_be_there_is_named_by_its_place(source: str, body: Any, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(source, body)
    assert caught.value.details["errors"][0]["field"] == field
