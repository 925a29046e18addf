"""Our own webhook body: one alert (or deployment), several under `alerts`, or a Standard Webhooks event."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from hefesto_api.domain.alert import AlertState, IncomingAlert, IncomingDeployment
from hefesto_api.formats.alerts import common, signatures, texts
from hefesto_api.formats.alerts.payload import Node, read_object
from hefesto_api.formats.alerts.received import Item, Received, each, received
from hefesto_api.formats.alerts.words import severity_of, split_error, state_of

SETUP = (
    "POST `{alert_id, alert_type, timestamp, payload}` and sign the raw body with the secret: "
    "`X-Webhook-Signature: sha256=<hex HMAC>`, or Standard Webhooks headers."
)

_OVER = (".resolved", ".closed", ".recovered")


def read(body: bytes, headers: Mapping[str, str]) -> Received:
    """Read one message or `{alerts: [...]}`. Raises MalformedRequest, and Invalid without `alert_id`."""
    message = read_object(body)
    if isinstance(message.fields.get("alerts"), list):
        return received(each(message.items("alerts"), partial(item, source="native")))
    return received([item(message, source="native", otherwise=signatures.header(headers, "webhook-id"))])


def verify(
    secret: bytes, body: bytes, headers: Mapping[str, str], now: datetime, *, query_token: str = ""
) -> bool:
    """Check the signature, of either scheme, that the request has; without one, the token."""
    if signatures.header(headers, "X-Webhook-Signature"):
        return signatures.prefixed(secret, body, headers)
    if signatures.header(headers, "webhook-signature"):
        return signatures.standard(secret, body, headers, now)
    return signatures.token(secret, headers, query_token)


def item(message: Node, *, source: str, otherwise: str = "") -> Item:
    """Read an alert or a deployment in our names; fields may stand in `payload` (or `data`) or beside it."""
    inner = {**message.child("data").fields, **message.child("payload").fields}
    node = Node({**inner, **{key: value for key, value in message.fields.items() if value is not None}})
    kind = message.text("alert_type", "type") or ""
    alert_id = Node({**node.fields, "": otherwise}, message.path)
    found = texts.identifier(alert_id.required_raw("alert_id", "deployment_id", "id", ""))
    if "deploy" in kind.lower():
        return deployment(node, found, source)
    return alert(node, found, source, kind)


def alert(node: Node, alert_id: str, source: str, kind: str = "") -> IncomingAlert:
    """Read an alert whose id is known."""
    title = node.text("title", "summary", limit=texts.TITLE)
    message = node.text("error_message", "message", limit=texts.LONG)
    named = split_error(message or title)
    group = node.raw("group_id", "fingerprint", "dedup_key")
    return IncomingAlert(
        alert_id=alert_id,
        group_id=texts.identifier(group) if group else None,
        source=source,
        state=AlertState.RESOLVED if kind.lower().endswith(_OVER) else state_of(_state(node, kind)),
        severity=severity_of(node.text("severity", "level", "priority")),
        title=title or message or alert_id,
        description=node.text("description", limit=texts.LONG) or "",
        error_type=node.text("error_type", "exception_type", "exception.type") or named[0],
        error_message=message or named[1],
        stacktrace=common.trace(node),
        frames=common.stack(node.items("frames")),
        timestamp=texts.moment(node.fields.get("timestamp")),
        affected_users=node.count("affected_users", "users_affected"),
        links=node.links("url", "link", "runbook_url", "dashboard_url"),
        metadata=texts.bounded(node.child("metadata").fields),
        project=common.project(node),
        **common.running(node),
    )


def _state(node: Node, kind: str) -> str:
    return node.text("state", "status") or kind


def deployment(node: Node, deployment_id: str, source: str) -> IncomingDeployment | str:
    """Read a deployment; for one that names neither release nor commit the reason is returned."""
    ran = common.running(node)
    if not ran["release"] and not ran["commit_hash"]:
        return "payload: a deployment without release or commit_hash"
    when = (texts.moment(node.fields.get(name)) for name in ("deployed_at", "timestamp", "time"))
    return IncomingDeployment(
        deployment_id=deployment_id,
        source=source,
        deployed_at=next((moment for moment in when if moment), None),
        description=node.text("description", "summary", "title", limit=texts.LONG) or "",
        links=node.links("url", "link"),
        metadata=texts.bounded(node.child("metadata").fields),
        project=common.project(node),
        **ran,
    )
