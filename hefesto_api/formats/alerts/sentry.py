"""Sentry's integration webhooks: issue alerts with their event, errors, issues, metric alerts."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hefesto_api.domain.alert import AlertState, Cause, IncomingAlert
from hefesto_api.domain.errors import Invalid
from hefesto_api.formats.alerts import common, signatures, texts
from hefesto_api.formats.alerts.payload import Node, read_object
from hefesto_api.formats.alerts.received import Item, Received, received
from hefesto_api.formats.alerts.words import severity_of, split_error, state_of

SETUP = (
    "Create an internal integration with the address as Webhook URL and Alert Rule Action on, subscribe it "
    "to issue, use its Client Secret as the secret, and add it as an action to your alert rules."
)

_ISSUE_NEWS = {"created": AlertState.FIRING, "unresolved": AlertState.FIRING, "resolved": AlertState.RESOLVED}
_PROJECT = re.compile(r"/projects/[^/]{1,100}/([^/]{1,100})/")
_CAUSES = 10
_TAGS = 200


def read(body: bytes, headers: Mapping[str, str]) -> Received:
    """Read one message. Raises MalformedRequest for what is no JSON object, Invalid without an id."""
    message = read_object(body)
    return received([_item(message)])


def verify(
    secret: bytes, body: bytes, headers: Mapping[str, str], now: datetime, *, query_token: str = ""
) -> bool:
    """Check `Sentry-Hook-Signature`. The timestamp header is not signed: it proves nothing, none reads it."""
    return signatures.hex_signature(secret, body, signatures.header(headers, "Sentry-Hook-Signature"))


def _item(message: Node) -> Item:
    """Read what the body says it is; the resource header is not signed."""
    data = message.child("data") if message.child("data").fields else message
    for name in ("event", "error"):
        if data.child(name).fields:
            return _event(message, data, data.child(name))
    if data.child("metric_alert").fields:
        return _metric(message, data, data.child("metric_alert"))
    if data.child("issue").fields and message.text("action") in _ISSUE_NEWS:
        return _issue(message, data.child("issue"))
    if isinstance(message.fields.get("action"), str):
        return f"data: {message.text('action', limit=30)!r} is no news of an alert"
    raise Invalid("data", "An event, error, issue or metric_alert is expected here.", "required")


def _event(message: Node, data: Node, event: Node) -> IncomingAlert:
    raised, *causes = _exceptions(event) or [Cause()]
    named = split_error(event.text("title", limit=texts.TITLE))
    tags = _tags(event)
    ran = common.running(Node({**tags.fields, **_own(event)}))
    ran["service_name"] = ran["service_name"] or _project(message, event)
    return IncomingAlert(
        alert_id=texts.identifier(event.required_raw("event_id", "id")),
        group_id=_group(event),
        source="sentry",
        severity=severity_of(event.text("level") or tags.text("level")),
        title=event.text("title", "message", limit=texts.TITLE) or raised.error_type or "",
        description=data.text("triggered_rule", limit=texts.TITLE) or "",
        error_type=raised.error_type or named[0],
        error_message=raised.error_message or named[1],
        frames=raised.frames or _loose_frames(event),
        causes=tuple(causes),
        timestamp=texts.moment(event.fields.get("timestamp")) or texts.moment(event.fields.get("datetime")),
        links=event.links("web_url", "issue_url") + message.links("url"),
        metadata=_metadata(event, tags),
        **ran,
    )


def _group(event: Node) -> str | None:
    found = event.raw("issue_id", "groupID")
    return texts.identifier("issue", found) if found else None


def _own(event: Node) -> dict[str, Any]:
    return {name: found for name in ("release", "environment") if (found := event.text(name))}


def _exceptions(event: Node) -> list[Cause]:
    """Return the exception that was raised, then its causes: Sentry lists the causes first."""
    values = event.child("exception").items("values") or _entry(event, "exception").items("values")
    return [_cause(value) for value in reversed(values[-_CAUSES:]) if value.fields]


def _entry(event: Node, kind: str) -> Node:
    """Return an entry of the API's form of an event."""
    entries = (entry for entry in event.items("entries") if entry.text("type") == kind)
    return next((entry.child("data") for entry in entries), Node(None))


def _cause(value: Node) -> Cause:
    return Cause(
        error_type=value.text("type"),
        error_message=value.text("value", limit=texts.LONG),
        frames=common.stack(value.child("stacktrace").items("frames")),
    )


def _loose_frames(event: Node) -> tuple[Any, ...]:
    """Return the frames of an event without exception: its own, or those of the thread that crashed."""
    threads = event.child("threads").items("values")
    crashed = [thread for thread in threads if thread.flag("crashed")] or threads[:1]
    holders = [event, *crashed]
    found = (common.stack(holder.child("stacktrace").items("frames")) for holder in holders)
    return next((frames for frames in found if frames), ())


def _tags(event: Node) -> Node:
    """Return the tags as an object; they come as pairs, or as objects with key and value."""
    pairs = [
        pair.value
        for pair in event.items("tags", _TAGS)
        if isinstance(pair.value, list) and len(pair.value) == 2
    ]
    named = [
        (tag.fields.get("key"), tag.fields.get("value")) for tag in event.items("tags", _TAGS) if tag.fields
    ]
    return Node({key: value for key, value in [*pairs, *named] if isinstance(key, str)}, event.place("tags"))


def _project(message: Node, event: Node) -> str | None:
    told = event.text("project_name", "project_slug") or message.text("project", "project_name")
    found = _PROJECT.search((event.text("url", limit=texts.URL) or "") + "/")
    return told or (found.group(1) if found else None)


def _metadata(event: Node, tags: Node) -> dict[str, Any]:
    kept = ("culprit", "platform", "logger", "transaction", "project", "issue_id", "location")
    return texts.bounded({name: event.fields.get(name) for name in kept} | {"tags": tags.fields})


def _issue(message: Node, issue: Node) -> IncomingAlert:
    issue_id = issue.required_raw("id")
    action = message.text("action") or ""
    state = _ISSUE_NEWS[action]
    title = issue.text("title", limit=texts.TITLE)
    told = issue.child("metadata")
    named = split_error(title)
    seen = issue.raw("lastSeen" if state is AlertState.RESOLVED else "firstSeen") or ""
    return IncomingAlert(
        alert_id=texts.identifier("issue", issue_id, action, seen),
        group_id=texts.identifier("issue", issue_id),
        source="sentry",
        state=state,
        severity=severity_of(issue.text("level")),
        title=title or "",
        description=issue.text("culprit", limit=texts.TITLE) or "",
        error_type=told.text("type") or named[0],
        error_message=told.text("value", limit=texts.LONG) or named[1],
        timestamp=texts.moment(issue.fields.get("lastSeen")),
        service_name=issue.child("project").text("slug", "name"),
        affected_users=issue.count("userCount"),
        links=issue.links("web_url", "permalink"),
        metadata=texts.bounded({name: issue.fields.get(name) for name in ("shortId", "substatus", "count")}),
    )


def _metric(message: Node, data: Node, metric: Node) -> IncomingAlert:
    action = message.text("action")
    state = state_of(action)
    rule = metric.child("alert_rule")
    begun, ended = metric.fields.get("date_started"), metric.fields.get("date_closed")
    title = data.text("description_title", limit=texts.TITLE) or metric.text("title", limit=texts.TITLE)
    metric_id = metric.required_raw("id", "identifier")
    return IncomingAlert(
        alert_id=texts.identifier("metric", metric_id, metric.raw("date_started") or ""),
        group_id=texts.identifier("metric", metric_id),
        source="sentry",
        state=state,
        severity=severity_of(action),
        title=title or "",
        description=data.text("description_text", limit=texts.LONG) or "",
        error_type=rule.text("name"),
        error_message=data.text("description_text", limit=texts.LONG) or title,
        timestamp=texts.moment((ended if state is AlertState.RESOLVED else None) or begun),
        environment=rule.text("environment"),
        links=data.links("web_url"),
        metadata=texts.bounded({"rule": {name: rule.fields.get(name) for name in ("aggregate", "query")}}),
    )
