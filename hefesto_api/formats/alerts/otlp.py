"""OpenTelemetry's OTLP/HTTP in JSON: exceptions and errors in logs, exception events of spans."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from hefesto_api.domain.alert import IncomingAlert, ReportedFrame
from hefesto_api.domain.errors import Invalid, MalformedRequest
from hefesto_api.domain.finding import Severity
from hefesto_api.formats.alerts import common, signatures, texts
from hefesto_api.formats.alerts.payload import Node, read_object
from hefesto_api.formats.alerts.received import Received, each, received
from hefesto_api.formats.alerts.words import severity_of, split_error

SETUP = (
    "Point an `otlphttp` exporter with `encoding: json` at the address as `logs_endpoint` (and "
    "`traces_endpoint`), with the header `Authorization: Bearer <token>`."
)

_RECORDS = 10_000  # looked at of one export
_HOLDERS = 1_000  # resources, and scopes of each
_ATTRIBUTES = 128  # of one record, the SDKs' own limit
_ERROR = 17  # the least severity number of an error
_SEVERITIES = ((21, Severity.CRITICAL), (_ERROR, Severity.HIGH), (13, Severity.MEDIUM), (1, Severity.LOW))
_VALUES = ("stringValue", "intValue", "boolValue", "doubleValue", "bytesValue")
_KEPT_APART = ("exception.stacktrace", "exception.message", "exception.type", "code.stacktrace")


class Record(NamedTuple):
    """A log record or a span's event, with the attributes of its resource and the ids of its span."""

    node: Node
    resource: Node
    attributes: Node
    trace_id: str
    span_id: str


def read(body: bytes, headers: Mapping[str, str]) -> Received:
    """Read an export of logs or of traces; what is neither exception nor error is counted, not listed.

    Raises MalformedRequest (for the binary encoding too), Invalid without `resourceLogs` or `resourceSpans`.
    """
    if "protobuf" in signatures.header(headers, "Content-Type").lower():
        raise MalformedRequest("OTLP is read in its JSON encoding: set the exporter's encoding to json.")
    export = read_object(body)
    if not any(name in export.fields for name in ("resourceLogs", "resourceSpans")):
        raise Invalid("resourceLogs", "A list is expected here.", "required")
    records = list(islice(_records(export), _RECORDS))
    told = {record.node.path: record for record in records if _matters(record)}
    items = each((record.node for record in told.values()), lambda node: _alert(told[node.path]))
    if left := len(records) - len(told):
        items.append(f"{left} records are neither exceptions nor errors")
    return received(items)


def verify(
    secret: bytes, body: bytes, headers: Mapping[str, str], now: datetime, *, query_token: str = ""
) -> bool:
    """Check the token: exporters sign nothing."""
    return signatures.token(secret, headers, query_token)


def _records(export: Node) -> Iterator[Record]:
    """Yield log records, then the events of spans; every level is bounded, however empty its parts are."""
    for scope, resource in _scopes(export, "resourceLogs", "scopeLogs"):
        for node in scope.items("logRecords", _RECORDS):
            yield _record(node, node, resource)
    for scope, resource in _scopes(export, "resourceSpans", "scopeSpans"):
        for span in scope.items("spans", _RECORDS):
            for node in span.items("events", _RECORDS):
                yield _record(node, span, resource)


def _scopes(export: Node, holders: str, scopes: str) -> Iterator[tuple[Node, Node]]:
    """Yield each scope with its resource's attributes."""
    for holder in export.items(holders, _HOLDERS):
        resource = _attributes(holder.child("resource"))
        for scope in holder.items(scopes, _HOLDERS):
            yield scope, resource


def _record(node: Node, span: Node, resource: Node) -> Record:
    return Record(node, resource, _attributes(node), span.text("traceId") or "", span.text("spanId") or "")


def _attributes(node: Node) -> Node:
    found = node.fields.get("attributes")
    pairs = (
        (pair for pair in found[:_ATTRIBUTES] if isinstance(pair, dict)) if isinstance(found, list) else ()
    )
    named = {key: _value(pair.get("value")) for pair in pairs if isinstance(key := pair.get("key"), str)}
    return Node(named, node.place("attributes"))


def _value(any_value: Any) -> Any:
    """Return an AnyValue as a plain value; integers come as digits."""
    node = Node(any_value)
    for name in _VALUES:
        if name in node.fields:
            return node.fields[name]
    if node.child("arrayValue").fields:
        return [_value(item.value) for item in node.child("arrayValue").items("values")]
    pairs = node.child("kvlistValue").items("values")
    return {str(pair.fields.get("key")): _value(pair.fields.get("value")) for pair in pairs}


def _matters(record: Record) -> bool:
    told = record.attributes.fields
    return "exception.type" in told or "exception.message" in told or _number(record.node) >= _ERROR


def _number(node: Node) -> int:
    return node.count("severityNumber") or 0


def _alert(record: Record) -> IncomingAlert:
    told, node = record.attributes, record.node
    body = _value(node.fields.get("body"))
    said = texts.cut(body, texts.LONG) if isinstance(body, str) else None
    named = split_error(said)
    error_type = told.text("exception.type") or named[0]
    message = told.text("exception.message", limit=texts.LONG) or named[1]
    stacktrace = told.trace("exception.stacktrace", "code.stacktrace")
    title = ": ".join(part for part in (error_type, message) if part) or said or ""
    return IncomingAlert(
        alert_id=_identity(record, error_type, message, stacktrace),
        source="otlp",
        severity=_severity(node),
        title=texts.cut(title, texts.TITLE),
        description=said if said and said != message else "",
        error_type=error_type,
        error_message=message,
        stacktrace=stacktrace,
        frames=() if stacktrace else _place(told),
        timestamp=_when(node),
        affected_users=None,
        metadata=_metadata(record),
        **_running(record),
    )


def _identity(record: Record, *told: str | None) -> str:
    """Return an id that a resend repeats, and an exception told both on its span and in the log shares."""
    service = record.resource.text("service.name")
    within = record.trace_id and record.span_id
    moment = None if within else record.node.raw("timeUnixNano", "observedTimeUnixNano")
    found = texts.digest([service, *told, None if within else record.node.path, moment])
    return texts.identifier(record.trace_id, record.span_id, found[:32])


def _severity(node: Node) -> Severity:
    number = _number(node)
    named = next((severity for least, severity in _SEVERITIES if number >= least), None)
    return named or severity_of(node.text("severityText"), Severity.HIGH)


def _when(node: Node) -> datetime | None:
    found = (texts.moment(node.fields.get(name)) for name in ("timeUnixNano", "observedTimeUnixNano"))
    return next((moment for moment in found if moment), None)


def _running(record: Record) -> common.Running:
    both = Node({**record.resource.fields, **record.attributes.fields})
    release = both.text("service.version")
    commit = texts.commit_of(both.text("vcs.ref.head.revision"))
    return {
        "service_name": both.text("service.name"),
        "environment": both.text("deployment.environment.name", "deployment.environment"),
        "release": release,
        "commit_hash": commit or texts.commit_of(release) or texts.commit_in_release(release),
    }


def _place(told: Node) -> tuple[ReportedFrame, ...]:
    """Return where the record was written, when there is no trace; the old names of the attributes too."""
    frame = {
        "file": told.text("code.file.path", "code.filepath", limit=texts.URL),
        "function": told.text("code.function.name", "code.function", limit=texts.TITLE),
        "module": told.text("code.namespace", limit=texts.TITLE),
        "line": told.count("code.line.number", "code.lineno", least=1),
        "column": told.count("code.column.number", "code.column", least=1),
    }
    return common.stack([Node(frame)])


def _metadata(record: Record) -> dict[str, Any]:
    told = {key: value for key, value in record.attributes.fields.items() if key not in _KEPT_APART}
    ids = {"trace_id": record.trace_id, "span_id": record.span_id}
    return texts.bounded(ids | {"attributes": told, "resource": record.resource.fields})
