"""CloudEvents 1.0 over HTTP: structured, batched, and binary; the data in our names."""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from hefesto_api.domain.errors import Invalid, MalformedRequest
from hefesto_api.formats.alerts import native, signatures, texts
from hefesto_api.formats.alerts.payload import Node, loads
from hefesto_api.formats.alerts.received import Item, Received, each, received

SETUP = (
    "Subscribe the address (structured, batched or binary mode) with `Authorization: Bearer <token>`, "
    "or with `?token=<token>`; `data` holds the fields of our own webhook."
)

_REQUIRED = ("id", "source", "specversion", "type")
_ATTRIBUTES = (*_REQUIRED, "time", "subject", "dataschema")


def read(body: bytes, headers: Mapping[str, str]) -> Received:
    """Read an event or a batch. Raises MalformedRequest, and Invalid naming a required attribute."""
    if signatures.header(headers, "ce-specversion"):
        return received([_item(Node({**_from_headers(headers), "data": _data(body, headers)}))])
    value = loads(body)
    if isinstance(value, list) and "batch" in signatures.header(headers, "Content-Type").lower():
        return received(each(Node({"events": value}).items("events"), _item))
    if not isinstance(value, dict):
        raise MalformedRequest("The body is not a CloudEvent.")
    return received([_item(Node(value))])


def verify(
    secret: bytes, body: bytes, headers: Mapping[str, str], now: datetime, *, query_token: str = ""
) -> bool:
    """Check the token, as the standard's webhook specification has it."""
    return signatures.token(secret, headers, query_token)


def _from_headers(headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the attributes of binary mode: `ce-` headers, percent-encoded UTF-8."""
    found = ((name, signatures.header(headers, f"ce-{name}")) for name in _ATTRIBUTES)
    return {name: unquote_to_bytes(value).decode("utf-8", "replace") for name, value in found if value}


def _data(body: bytes, headers: Mapping[str, str]) -> Any:
    kind = signatures.header(headers, "Content-Type").lower()
    if not body.strip():
        return {}
    return loads(body) if "json" in kind or not kind else {"message": body.decode("utf-8", "replace")}


def _item(event: Node) -> Item:
    required = {name: event.required_raw(name) for name in _REQUIRED}
    if required["specversion"] != "1.0":
        raise Invalid(event.place("specversion"), "CloudEvents 1.0 is read.", "unsupported_version")
    found = texts.identifier(required["source"], required["id"])
    told = _told(event)
    kind = required["type"]
    node = Node(_ours(event, told, kind), event.place("data"))
    if "deploy" in kind.lower():
        return native.deployment(node, found, "cloudevents")
    return native.alert(node, found, "cloudevents", kind)


def _told(event: Node) -> dict[str, Any]:
    """Return the data as fields; a text is a message."""
    data = event.fields.get("data")
    encoded = event.fields.get("data_base64")
    if data is None and isinstance(encoded, str):
        data = _decoded(event, encoded)
    if isinstance(data, str):
        return {"message": data}
    return data if isinstance(data, dict) else {}


def _decoded(event: Node, encoded: str) -> Any:
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(event.place("data_base64"), "This is not base64.", "format") from None
    try:
        return loads(content)
    except MalformedRequest:
        return content.decode("utf-8", "replace")


def _ours(event: Node, told: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the data's fields, filled up from the event: time, subject as title, and CDEvents' content."""
    content = told.get("subject")
    more = content.get("content") if isinstance(content, dict) else None
    usual = Node(_from_cdevents(more) if isinstance(more, dict) else {}).fields
    metadata = told.get("metadata") if isinstance(told.get("metadata"), dict) else {}
    context = {name: event.fields.get(name) for name in ("type", "source", "subject", "dataschema")}
    return {
        "timestamp": event.fields.get("time"),
        "title": event.text("subject", limit=texts.TITLE) or kind,
        **usual,
        **{name: value for name, value in told.items() if value is not None},
        "metadata": {**(metadata or {}), "event": context},
    }


def _from_cdevents(content: dict[str, Any]) -> dict[str, Any]:
    """Return service, environment and version from a CDEvents subject (artifact ids end in `@version`)."""
    node = Node(content)
    artifact = node.text("artifactId", limit=texts.TITLE) or ""
    return {
        "environment": node.child("environment").text("id", "name"),
        "release": artifact.rpartition("@")[2] or None,
        "service_name": node.text("service"),
    }
