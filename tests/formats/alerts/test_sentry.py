"""Sentry's messages."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hefesto_api.domain.alert import AlertState, Cause, Link, ReportedFrame
from hefesto_api.domain.errors import Invalid
from hefesto_api.domain.finding import Severity
from tests.formats.alerts.reading import read, read_alert
from tests.formats.alerts.samples import FRAMES, sentry, sentry_issue, sentry_metric

CALLER = ReportedFrame(file="shop/api.py", line=88, function="checkout", module="shop.api", in_app=True)


def test_an_event_in_our_words() -> None:
    alert = read_alert("sentry", sentry())
    assert (alert.alert_id, alert.group_id) == ("e4874d664c3540c1a32eab185f12c5ab", "issue|1170820242")
    assert (alert.error_type, alert.error_message) == ("KeyError", "'uid'")
    assert (alert.severity, alert.title) == (Severity.CRITICAL, "KeyError: 'uid'")
    assert (alert.release, alert.commit_hash) == ("shop@3f1c9e7", "3f1c9e7")
    assert (alert.service_name, alert.environment) == ("shop", "production")
    assert alert.timestamp == datetime(2026, 1, 1, 10, 0, 0, 500_000, UTC)
    assert alert.links == (Link("https://sentry.test/organizations/acme/issues/1170820242/", "web_url"),)
    assert alert.metadata["tags"] == {"server_name": "web-1", "browser": "Chrome"}


def test_frames_are_those_of_what_was_raised_and_its_causes_follow() -> None:
    alert = read_alert("sentry", sentry())
    crash = ReportedFrame(
        file="shop/db.py",
        line=42,
        function="load_user",
        column=9,
        in_app=True,
        abs_path="/srv/app/shop/db.py",
        context_line='    return users[row["uid"]]',
    )
    assert alert.frames == (CALLER, crash)
    assert alert.causes == (Cause(error_type="IndexError", error_message="row", frames=(CALLER,)),)


def test_an_event_without_exception_is_read_from_its_title() -> None:
    alert = read_alert(
        "sentry", sentry(exception=None, tags=None, level=None, timestamp="soon", issue_id=None)
    )
    assert (alert.error_type, alert.error_message) == ("KeyError", "'uid'")
    assert (alert.frames, alert.causes, alert.timestamp, alert.group_id) == ((), (), None, None)
    assert alert.severity is Severity.MEDIUM


def test_the_thread_that_crashed_gives_the_frames() -> None:
    idle = {"stacktrace": {"frames": [{"filename": "idle.py", "lineno": 1}]}}
    crashed = {"crashed": True, "stacktrace": {"frames": FRAMES[:1]}}
    alert = read_alert("sentry", sentry(exception=None, threads={"values": [idle, crashed]}))
    assert alert.frames == (CALLER,)


def test_tags_may_be_objects() -> None:
    tags = [{"key": "service", "value": "basket"}, "odd", ["a", "b", "c"]]
    assert read_alert("sentry", sentry(tags=tags)).service_name == "basket"


def test_a_deep_stack_keeps_the_entry_and_the_crash() -> None:
    frames = [{"filename": "a.py", "lineno": line} for line in range(1, 1_001)]
    event = sentry(exception={"values": [{"type": "RecursionError", "stacktrace": {"frames": frames}}]})
    lines = [frame.line for frame in read_alert("sentry", event).frames]
    assert (len(lines), lines[0], lines[49], lines[50], lines[-1]) == (250, 1, 50, 801, 1_000)


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("created", AlertState.FIRING),
        ("unresolved", AlertState.FIRING),
        ("resolved", AlertState.RESOLVED),
    ],
)
def test_an_issue_speaks_of_the_same_group_as_its_events(action: str, state: AlertState) -> None:
    alert = read_alert("sentry", sentry_issue(action))
    assert (alert.state, alert.group_id) == (state, read_alert("sentry", sentry()).group_id)
    assert (alert.error_type, alert.affected_users, alert.service_name) == ("KeyError", 7, "shop")
    assert alert.timestamp == datetime(2026, 1, 1, 10, tzinfo=UTC)


def test_a_regression_is_another_alert_than_the_first() -> None:
    ids = {
        read_alert("sentry", sentry_issue(action)).alert_id
        for action in ("created", "unresolved", "resolved")
    }
    assert len(ids) == 3


@pytest.mark.parametrize("action", ["assigned", "archived"])
def test_other_news_of_an_issue_is_ignored(action: str) -> None:
    assert read("sentry", sentry_issue(action)).ignored == (f"data: {action!r} is no news of an alert",)


@pytest.mark.parametrize(
    ("action", "state", "severity", "minute"),
    [
        ("critical", AlertState.FIRING, Severity.CRITICAL, 0),
        ("warning", AlertState.FIRING, Severity.MEDIUM, 0),
        ("resolved", AlertState.RESOLVED, Severity.MEDIUM, 30),
    ],
)
def test_a_metric_alert(action: str, state: AlertState, severity: Severity, minute: int) -> None:
    alert = read_alert("sentry", sentry_metric(action))
    assert (alert.alert_id, alert.state, alert.severity) == ("metric|4|2026-01-01T10:00:00Z", state, severity)
    assert alert.timestamp == datetime(2026, 1, 1, 10, minute, tzinfo=UTC)
    assert alert.error_type == "Too many errors"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (sentry(event_id=None), "data.event.event_id"),
        (sentry(event_id=[1]), "data.event.event_id"),
        (sentry_issue(id=1.5), "data.issue.id"),
        ({"data": {}}, "data"),
    ],
)
def test_what_must_be_there_is_named_by_its_place(body: Any, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        read("sentry", body)
    assert caught.value.details["errors"][0]["field"] == field
