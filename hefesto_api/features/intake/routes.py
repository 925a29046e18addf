"""The routes that monitoring tools send to, and those that say which tools may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import request

from hefesto_api.domain.access import ANONYMOUS
from hefesto_api.domain.errors import HefestoError, ServiceUnavailable, StorageError
from hefesto_api.features.intake import arrivals, schemas, sources, status
from hefesto_api.features.intake.arrivals import Sent
from hefesto_api.web import body, metering
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.conditional import require_match
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import Answer, success, to_json
from hefesto_api.web.errors import InsufficientPermissions, UnsupportedMediaType
from hefesto_api.web.idempotency import idempotent
from hefesto_api.web.limits import unlimited
from hefesto_api.web.rows import page_answer
from hefesto_api.web.scopes import admit, demand, principal, require

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from hefesto_api.storage.alert_sources import SourceRecord

blp = Blueprint("intake", url_prefix="/api/v1/iris", description="What monitoring tools send.")
_RETRY_AFTER = "10"  # seconds
_ANY = {"schema": {"type": "object"}}
_SCOPE = "write:alerts"
# What curl and small scripts say of JSON when nobody told them.
_JSON = frozenset({"", "application/json", "text/json", "text/plain", "application/octet-stream",
                   "application/x-www-form-urlencoded"})  # fmt: skip


class Overloaded(ServiceUnavailable):
    """Nothing was kept; the sender is to try again."""

    headers = {"Retry-After": _RETRY_AFTER}  # noqa: RUF012 - read alone


def foreign_body(view: Callable[..., Any]) -> Callable[..., Any]:
    """Document a body whose form is the sender's."""
    about = view.__dict__.setdefault("_apidoc", {}).setdefault("manual_doc", {})
    kinds = ("application/json", "application/cloudevents+json", "application/cloudevents-batch+json")
    about["requestBody"] = {"required": True, "content": dict.fromkeys(kinds, _ANY)}
    return view


@blp.route("/webhook", methods=["POST"])
@unlimited
@foreign_body
@blp.arguments(schemas.TokenQuery, location="query")
@blp.response(202, schemas.AcceptedWebhookSchema)
@blp.alt_response(401, "AuthenticationRequired")
def receive_native(query: dict[str, Any]) -> Any:
    """Take in alerts in our own form: `{alert_id, alert_type, timestamp, payload}`.

    Signed by `X-Webhook-Signature: sha256=<hex HMAC of the raw body>` or as Standard Webhooks has it. The
    message is on disk when it is acknowledged; the same one again is answered with the same `webhook_id`.
    """
    return _received(arrivals.NATIVE, query)


@blp.route("/webhook/<string:source>", methods=["POST"])
@unlimited
@foreign_body
@blp.arguments(schemas.TokenQuery, location="query")
@blp.response(202, schemas.AcceptedWebhookSchema)
@blp.alt_response(401, "AuthenticationRequired")
def receive(query: dict[str, Any], source: str) -> Any:
    """Take in what a tool sends: alertmanager, grafana, sentry, glitchtip, rollbar, pagerduty, otlp,
    cloudevents (and native).

    Each shows who it is in its own way; see the page on alert sources. A source of which none is
    configured is accepted in open mode.
    """
    return _received(source, query)


@blp.route("/webhook/<uuid:webhook_id>", methods=["GET"])
@require("read:alerts")
@blp.response(200, schemas.WebhookSchema)
def read_webhook(webhook_id: UUID) -> Any:
    """Show what became of a message: its alerts, and why some of it was left."""
    with runtime().db.read() as session:
        return success(to_json(status.read(session, str(webhook_id), principal().projects)))


@blp.route("/sources", methods=["GET"])
@require("manage:webhooks")
@blp.arguments(schemas.SourcesQuery, location="query")
@blp.response(200, schemas.SourceListSchema)
def list_sources(query: dict[str, Any]) -> Any:
    """List the configured sources, the oldest first."""
    found = sources.listed(runtime().db, query, principal().projects)
    return page_answer(
        "sources", found.items, query["page"], total_count=found.total, next_key=found.next_key
    )


@blp.route("/sources", methods=["POST"])
@require("manage:webhooks")
@idempotent
@blp.arguments(schemas.NewSourceSchema)
@blp.response(201, schemas.SourceSchema)
@blp.alt_response(409, "Conflict")
def create_source(wanted: dict[str, Any]) -> Any:
    """Configure a source of a project: from then on that tool's messages must show the secret (or token).

    Without `project` it is the project `default`. Each project may have one source of a kind; the secret
    that a message shows tells which project it is for.
    """
    wanted = {"project": "default", **wanted}
    admit(wanted["project"])
    made = sources.create(runtime().db, runtime().vault, wanted)
    return success(to_json(made), 201, {"Location": f"/api/v1/iris/sources/{made['id']}"})


@blp.route("/sources/<uuid:source_id>", methods=["GET"])
@require("manage:webhooks")
@blp.response(200, schemas.SourceSchema)
def read_source(source_id: UUID) -> Any:
    """Show a configured source."""
    with runtime().db.read() as session:
        return success(to_json(sources.read(session, str(source_id), principal().projects)))


@blp.route("/sources/<uuid:source_id>", methods=["PATCH"])
@require("manage:webhooks")
@blp.arguments(schemas.SourceChangeSchema)
@blp.response(200, schemas.SourceSchema)
@blp.alt_response(409, "Conflict")
def change_source(wanted: dict[str, Any], source_id: UUID) -> Any:
    """Change a source's project or secret; the old secret is refused from then on."""
    if "project" in wanted:
        admit(wanted["project"])
    held, allowed = runtime(), principal().projects
    changed = sources.change(held.db, held.vault, str(source_id), wanted, allowed, require=require_match)
    return success(to_json(changed))


@blp.route("/sources/<uuid:source_id>", methods=["DELETE"])
@require("manage:webhooks")
@blp.response(204)
def delete_source(source_id: UUID) -> Any:
    """Delete a source; alerts that it sent stay."""
    sources.delete(runtime().db, str(source_id), principal().projects, require=require_match)
    return Answer(status=204)


def _received(source: str, query: dict[str, Any]) -> Answer:
    """Keep the request's message and acknowledge it, counted by how that went."""
    _check_type()
    raw = body.read(request.environ, runtime().settings.max_body_mb * body.MEGABYTE)
    sent = Sent(arrivals.known(source), raw, dict(request.headers.items()), query.get("token", ""))
    try:
        answer = _accepted(sent)
    except HefestoError as error:
        metering.metrics().count_arrival(source, error.code)
        raise
    metering.metrics().count_arrival(source, "accepted")
    return answer


def _check_type() -> None:
    """Refuse what says that it is no JSON; an event in binary mode may be of any type."""
    kind = request.mimetype
    if kind in _JSON or kind.endswith("+json") or "ce-specversion" in request.headers:
        return
    hint = " For OTLP, set the exporter's encoding to json." if "protobuf" in kind else ""
    raise UnsupportedMediaType(f"Alerts are JSON, not {kind[:100]!r}.{hint}")


def _accepted(sent: Sent) -> Answer:
    held = runtime()
    try:
        kept = arrivals.receive(
            held.db,
            held.intake,
            sent,
            _vouched,
            reveal=_secret_of,
            by_key=_has_key(),
            project_id=_only_project(),
        )
    except (ServiceUnavailable, StorageError) as error:
        raise Overloaded(error.message, **error.details) from error
    headers = {"Location": f"{sources.ADDRESS}/{kept.id}"}
    return success(to_json(arrivals.as_told(kept)), 202, headers)


def _secret_of(source: SourceRecord) -> bytes:
    return sources.secret_of(lambda: runtime().vault, source)


def _vouched() -> None:
    """Let in a message that no configured source stands for: in open mode anybody's."""
    demand(_SCOPE)


def _only_project() -> str | None:
    """Return the project that the alerts of a caller belong to who is bound to it, whatever they name.

    They are read later, when nobody is at hand who may be asked; so one who is bound to several has to
    send through a source.
    """
    projects = principal().projects
    if projects is None or not _has_key():
        return None
    if len(projects) != 1:
        raise InsufficientPermissions("Alerts are sent with a key of one project, or through a source.")
    return sources.project_id(runtime().db, next(iter(projects)))


def _has_key() -> bool:
    """Tell whether the caller has shown a key of his own that may send alerts."""
    caller = principal()
    return caller.id != ANONYMOUS.id and not caller.scopes.isdisjoint({_SCOPE, "admin"})
