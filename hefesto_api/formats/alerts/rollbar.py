"""Rollbar's webhooks: items, occurrences with their trace, deploys."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hefesto_api.domain.alert import AlertState, Cause, IncomingAlert, IncomingDeployment
from hefesto_api.domain.finding import Severity
from hefesto_api.formats.alerts import common, signatures, texts
from hefesto_api.formats.alerts.payload import Node, read_object
from hefesto_api.formats.alerts.received import Item, Received, received
from hefesto_api.formats.alerts.words import severity_of, split_error

SETUP = (
    "Under Settings - Notifications - Webhook enter the address with `?token=<token>` behind it, keep JSON, "
    "and enable the rules New Item, Every Occurrence, Reactivated, Resolved and Deploy."
)

_FIRING = {"new_item", "occurrence", "exp_repeat_item", "item_velocity", "reactivated_item", "reopened_item"}
_LEVELS = {
    50: Severity.CRITICAL,
    40: Severity.HIGH,
    30: Severity.MEDIUM,
    20: Severity.LOW,
    10: Severity.LOW,
}
_CAUSES = 10


def read(body: bytes, headers: Mapping[str, str]) -> Received:
    """Read one message. Raises MalformedRequest for what is no JSON object (XML too), Invalid without id."""
    return received([_item(read_object(body))])


def verify(
    secret: bytes, body: bytes, headers: Mapping[str, str], now: datetime, *, query_token: str = ""
) -> bool:
    """Check the token: Rollbar signs nothing."""
    return signatures.token(secret, headers, query_token)


def _item(message: Node) -> Item:
    event = message.required_raw("event_name")
    data = message.child("data").required_object()
    if event == "deploy":
        return _deployment(data.child("deploy").required_object())
    if event == "resolved_item":
        return _alert(data, AlertState.RESOLVED)
    if event in _FIRING:
        return _alert(data, AlertState.FIRING)
    return f"event_name: {texts.cut(event, 30)!r} is no news of an alert"


def _alert(data: Node, state: AlertState) -> IncomingAlert:
    item = data.child("item")
    seen = _occurrence(data, item)
    group = item.raw("id") or seen.raw("item_id") or item.required_raw("id")
    raised, *causes = _exceptions(seen.child("body")) or [Cause()]
    title = item.text("title", limit=texts.TITLE) or seen.text("title", limit=texts.TITLE) or ""
    named = split_error(title)
    return IncomingAlert(
        alert_id=texts.identifier(group, _news(item, seen, state)),
        group_id=texts.identifier("item", group),
        source="rollbar",
        state=state,
        severity=_severity(item, seen),
        title=title or raised.error_message or "",
        error_type=raised.error_type or named[0],
        error_message=raised.error_message or named[1],
        stacktrace=seen.child("body").child("crash_report").trace("raw"),
        frames=raised.frames,
        causes=tuple(causes),
        timestamp=_when(item, seen, state),
        affected_users=item.count("unique_occurrences"),
        links=item.links("url") + data.links("url"),
        metadata=_metadata(item, seen),
        **_running(item, seen),
    )


def _occurrence(data: Node, item: Node) -> Node:
    """Return the occurrence; some messages wrap its data once more."""
    seen = data.child("occurrence") if data.child("occurrence").fields else item.child("last_occurrence")
    inner = seen.child("data")
    return Node({**seen.fields, **inner.fields}, seen.path) if inner.fields else seen


def _news(item: Node, seen: Node, state: AlertState) -> str:
    """Return what tells this message from others of its item: the occurrence it speaks of."""
    occurrence = seen.raw("uuid", "id") or item.raw("last_occurrence_id", "activating_occurrence_id") or ""
    if state is AlertState.RESOLVED:
        return f"resolved {item.raw('last_modified_timestamp') or occurrence}"
    return occurrence


def _exceptions(body: Node) -> list[Cause]:
    """Return the exception that was raised, then its causes: a chain lists them in this order."""
    chain = body.items("trace_chain") or [body.child("trace")]
    found = [_cause(trace) for trace in chain[:_CAUSES] if trace.fields]
    message = body.child("message").text("body", limit=texts.LONG)
    return found or ([Cause(error_message=message)] if message else [])


def _cause(trace: Node) -> Cause:
    exception = trace.child("exception")
    return Cause(
        error_type=exception.text("class"),
        error_message=exception.text("message", "description", limit=texts.LONG),
        frames=common.stack(trace.items("frames")),
    )


def _severity(item: Node, seen: Node) -> Severity:
    number = item.count("level")
    if number in _LEVELS:
        return _LEVELS[number]
    return severity_of(item.text("level") or seen.text("level"))


def _when(item: Node, seen: Node, state: AlertState) -> datetime | None:
    over = item.fields.get("last_modified_timestamp") if state is AlertState.RESOLVED else None
    for value in (over, seen.fields.get("timestamp"), item.fields.get("last_occurrence_timestamp")):
        if found := texts.moment(value):
            return found
    return None


def _running(item: Node, seen: Node) -> common.Running:
    custom, server = seen.child("custom").fields, seen.child("server").fields
    ran = common.running(Node({**custom, **server, **_told(item), **_told(seen)}))
    commit = texts.commit_of(seen.text("code_version")) or texts.commit_of(seen.child("server").text("sha"))
    ran["commit_hash"] = commit or ran["commit_hash"] or texts.commit_in_release(ran["release"])
    return ran


def _told(node: Node) -> dict[str, Any]:
    names = ("environment", "code_version")
    return {name: found for name in names if (found := node.text(name))}


def _metadata(item: Node, seen: Node) -> dict[str, Any]:
    kept = ("counter", "project_id", "total_occurrences", "framework", "hash")
    told = {name: item.fields.get(name) for name in kept}
    server = {name: seen.child("server").fields.get(name) for name in ("host", "root", "branch")}
    return texts.bounded(told | {"server": server, "language": seen.fields.get("language")})


def _deployment(deploy: Node) -> Item:
    revision = deploy.text("revision", "version")
    if revision is None:
        return "data.deploy: a deployment without revision"
    ended = texts.moment(deploy.fields.get("finish_time"))
    commit = texts.commit_of(revision)
    return IncomingDeployment(
        deployment_id=texts.identifier("deploy", deploy.required_raw("id")),
        source="rollbar",
        release=None if commit else revision,
        commit_hash=commit,
        environment=deploy.text("environment"),
        deployed_at=ended or texts.moment(deploy.fields.get("start_time")),
        description=deploy.text("comment", limit=texts.LONG) or "",
        metadata=texts.bounded({name: deploy.fields.get(name) for name in ("project_id", "local_username")}),
    )
