"""Prometheus Alertmanager's webhook, version 4: a group of alerts, firing and resolved."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from hefesto_api.domain.alert import AlertState, IncomingAlert
from hefesto_api.domain.errors import Invalid
from hefesto_api.formats.alerts import common, signatures, texts
from hefesto_api.formats.alerts.payload import Node, read_object
from hefesto_api.formats.alerts.received import Received, each, received
from hefesto_api.formats.alerts.words import severity_of, state_of

SETUP = (
    "Add a receiver whose `webhook_configs` entry has the address and, under `http_config`, "
    "`authorization: {credentials: <token>}` (or `basic_auth` with the token as password)."
)

_PAGES = ("generatorURL", "dashboardURL", "panelURL", "silenceURL", "imageURL")


def read(body: bytes, headers: Mapping[str, str]) -> Received:
    """Read a group. Raises MalformedRequest for what is no JSON object, Invalid without `alerts`."""
    return read_group(body, "alertmanager")


def read_group(body: bytes, source: str) -> Received:
    """Read a group of alerts as Alertmanager, and Grafana after it, send them."""
    group = read_object(body)
    items = each(group.required_items("alerts"), partial(_alert, source, group))
    if left := group.count("truncatedAlerts"):
        items.append(f"truncatedAlerts: the sender left out {left}")
    return received(items)


def verify(
    secret: bytes, body: bytes, headers: Mapping[str, str], now: datetime, *, query_token: str = ""
) -> bool:
    """Check the token: Alertmanager signs nothing."""
    return signatures.token(secret, headers, query_token)


def _alert(source: str, group: Node, alert: Node) -> IncomingAlert:
    """Read one alert; labels name what it is about, annotations tell it."""
    labels = Node({**group.child("commonLabels").fields, **alert.child("labels").fields})
    notes = Node({**group.child("commonAnnotations").fields, **alert.child("annotations").fields})
    group_id = _fingerprint(alert)
    state = state_of(alert.text("status") or group.text("status"))
    name = labels.text("alertname")
    title = notes.text("summary", "title", limit=texts.TITLE) or name or ""
    description = notes.text("description", "message", limit=texts.LONG) or ""
    return IncomingAlert(
        alert_id=texts.identifier(group_id, alert.raw("startsAt") or ""),
        group_id=texts.identifier(group_id),
        source=source,
        state=state,
        severity=severity_of(labels.text("severity", "priority", "level")),
        title=title,
        description=description,
        error_type=labels.text("error_type", "exception_type", "exception") or name,
        error_message=notes.text("error_message", "message", limit=texts.LONG)
        or description
        or title
        or None,
        stacktrace=common.trace(notes),
        timestamp=_when(alert, state),
        affected_users=notes.count("affected_users"),
        links=alert.links(*_PAGES) + notes.links("runbook_url", "dashboard_url") + group.links("externalURL"),
        metadata=_metadata(group, alert, labels, notes),
        **common.running(Node(_usual_names(labels))),
    )


def _fingerprint(alert: Node) -> str:
    given = alert.raw("fingerprint")
    labels = alert.child("labels").fields
    if given is None and not labels:
        raise Invalid(alert.place("fingerprint"), "A fingerprint or labels are required.", "required")
    return given or texts.digest(labels)


def _when(alert: Node, state: AlertState) -> datetime | None:
    names = ("endsAt", "startsAt") if state is AlertState.RESOLVED else ("startsAt",)
    found = (texts.moment(alert.fields.get(name)) for name in names)
    return next((moment for moment in found if moment), None)


def _usual_names(labels: Node) -> dict[str, object]:
    service = labels.text("service", "service_name", "app", "app_kubernetes_io_name", "job")
    return labels.fields | {"service_name": service}


def _metadata(group: Node, alert: Node, labels: Node, notes: Node) -> dict[str, object]:
    told = {name: group.fields.get(name) for name in ("groupKey", "receiver", "title", "orgId")}
    return texts.bounded(
        {
            "starts_at": alert.fields.get("startsAt"),
            "labels": labels.fields,
            "annotations": {key: text for key, text in notes.fields.items() if key != "stacktrace"},
            "values": alert.fields.get("values"),
            **told,
        }
    )
