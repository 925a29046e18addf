"""PagerDuty's Events API v2, as its senders speak it: alert events and change events."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from hefesto_api.domain.alert import AlertState, IncomingAlert, IncomingDeployment, Link
from hefesto_api.domain.errors import Invalid, MalformedRequest
from hefesto_api.formats.alerts import common, signatures, texts
from hefesto_api.formats.alerts.payload import Node, link_to, loads, read_object
from hefesto_api.formats.alerts.received import Item, Received, received
from hefesto_api.formats.alerts.words import severity_of, split_error

SETUP = (
    "Give the sender the address in place of https://events.pagerduty.com/v2/enqueue (and "
    "/v2/change/enqueue) "
    "and 32 characters of your own as routing (integration) key; the same key is the token here."
)

_STATES = {"trigger": AlertState.FIRING, "resolve": AlertState.RESOLVED}
_SHA = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{40}(?![0-9a-zA-Z])")
_LINKS = 20


def read(body: bytes, headers: Mapping[str, str]) -> Received:
    """Read one event. Raises MalformedRequest for what is no JSON object, Invalid for no event of theirs."""
    event = read_object(body)
    if "event_action" in event.fields:
        return received([_alert(event)])
    return received([_change(event)])


def verify(
    secret: bytes, body: bytes, headers: Mapping[str, str], now: datetime, *, query_token: str = ""
) -> bool:
    """Compare the body's `routing_key` with the token."""
    try:
        event = loads(body)
    except MalformedRequest:
        return False
    key = event.get("routing_key") if isinstance(event, dict) else None
    return isinstance(key, str) and signatures.same(secret, key.encode("utf-8", "surrogatepass"))


def conceal(body: bytes) -> bytes:
    """Take the routing key out of an event: it is the sender's credential."""
    try:
        event = loads(body)
    except MalformedRequest:
        return body
    if not isinstance(event, dict) or "routing_key" not in event:
        return body
    return orjson.dumps({**event, "routing_key": "***"})


def _alert(event: Node) -> Item:
    action = event.text("event_action")
    if action == "acknowledge":
        return "event_action: 'acknowledge' is no news of an alert"
    if action not in _STATES:
        raise Invalid(event.place("event_action"), "One of trigger, acknowledge, resolve.", "choice")
    payload, details = event.child("payload"), _details(event)
    if action == "trigger":
        payload.required_object()
    summary = payload.text("summary", limit=texts.LONG) or ""
    named = split_error(summary or None)
    found = _identity(event)
    return IncomingAlert(
        alert_id=found,
        group_id=found,
        source="pagerduty",
        state=_STATES[action],
        severity=severity_of(payload.text("severity")),
        title=texts.cut(summary, texts.TITLE),
        description=_description(event, details),
        error_type=payload.text("class") or details.text("error_type") or named[0],
        error_message=details.text("error_message", "message", limit=texts.LONG)
        or named[1]
        or summary
        or None,
        stacktrace=common.trace(details),
        frames=common.stack(details.items("frames")),
        timestamp=texts.moment(payload.fields.get("timestamp")),
        affected_users=details.count("affected_users"),
        links=_links(event),
        metadata=_metadata(event, payload, details),
        **_running(payload, details),
    )


def _identity(event: Node) -> str:
    """Return the key, or (where PagerDuty would make one up) what a resend of the same event repeats."""
    return texts.identifier(event.raw("dedup_key", "incident_key") or f"event {_digest(event)}")


def _digest(event: Node) -> str:
    return texts.digest({name: value for name, value in event.fields.items() if name != "routing_key"})


def _details(event: Node) -> Node:
    details = event.child("payload").child("custom_details")
    return details if details.fields else Node({}, details.path)


def _description(event: Node, details: Node) -> str:
    told = event.child("payload").text("custom_details", limit=texts.LONG)
    return details.text("description", limit=texts.LONG) or told or ""


def _running(payload: Node, details: Node) -> common.Running:
    ran = common.running(details)
    ran["service_name"] = ran["service_name"] or payload.text("source", "component")
    return ran


def _links(event: Node) -> tuple[Link, ...]:
    nodes = event.items("links")[:_LINKS]
    found = [link_to(node.fields.get("href"), node.text("text") or "") for node in nodes]
    found.append(link_to(event.fields.get("client_url"), event.text("client") or ""))
    return tuple(link for link in found if link)


def _metadata(event: Node, payload: Node, details: Node) -> dict[str, Any]:
    kept = {name: payload.fields.get(name) for name in ("source", "component", "group", "class")}
    told = {name: value for name, value in details.fields.items() if name not in ("stacktrace", "frames")}
    return texts.bounded(kept | {"client": event.fields.get("client"), "custom_details": told})


def _change(event: Node) -> Item:
    """Read a change event: a deployment if it names a release or a commit, wherever senders put it."""
    payload, details = event.child("payload").required_object(), _details(event)
    payload.required_raw("summary")
    summary = payload.text("summary", limit=texts.LONG) or ""
    ran = _running(payload, details)
    links = _links(event)
    ran["commit_hash"] = ran["commit_hash"] or _mentioned(summary, *(link.href for link in links))
    if not ran["release"] and not ran["commit_hash"]:
        return "payload.custom_details: a change without release or commit"
    return IncomingDeployment(
        deployment_id=texts.identifier(event.raw("dedup_key") or f"change {_digest(event)}"),
        source="pagerduty",
        deployed_at=texts.moment(payload.fields.get("timestamp")),
        description=summary,
        links=links,
        metadata=_metadata(event, payload, details),
        **ran,
    )


def _mentioned(*told: str) -> str | None:
    found = (_SHA.search(text) for text in told)
    return next((match.group() for match in found if match), None)
