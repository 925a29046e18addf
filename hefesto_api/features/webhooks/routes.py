"""The routes of outgoing webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.adapters.delivery import Sender
from hefesto_api.domain.errors import ServiceUnavailable
from hefesto_api.features.webhooks import followup, schemas, service
from hefesto_api.features.webhooks.messages import Sealed
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.conditional import require_match
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import Answer, success, to_json
from hefesto_api.web.rows import page_answer
from hefesto_api.web.scopes import admit, principal, require

if TYPE_CHECKING:
    from uuid import UUID

blp = Blueprint("webhooks", url_prefix="/api/v1/webhooks", description="Who is told of what happens.")
_SCOPE = "manage:webhooks"


@blp.route("", methods=["GET"])
@require(_SCOPE)
@blp.arguments(schemas.WebhooksQuery, location="query")
@blp.response(200, schemas.OutgoingWebhookListSchema)
def list_webhooks(query: dict[str, Any]) -> Any:
    """List the webhooks, the oldest first."""
    found = service.listed(_desk(), query)
    return page_answer(
        "webhooks", found.items, query["page"], total_count=found.total, next_key=found.next_key
    )


@blp.route("", methods=["POST"])
@require(_SCOPE)
@blp.arguments(schemas.NewWebhookSchema)
@blp.response(201, schemas.MadeWebhookSchema)
def create_webhook(wanted: dict[str, Any]) -> Any:
    """Have an address told of events, signed as Standard Webhooks has it; the secret is shown once."""
    _admit(wanted)
    made = service.create(_desk(), wanted)
    headers = {"Location": f"/api/v1/webhooks/{made['id']}", "Cache-Control": "no-store"}
    return success(to_json(made), 201, headers)


@blp.route("/health", methods=["GET"])
@require(_SCOPE)
@blp.arguments(schemas.HealthQuery, location="query")
@blp.response(200, schemas.WebhookHealthListSchema)
def list_webhook_health(query: dict[str, Any]) -> Any:
    """List how it goes with each webhook, with its latest attempts; in the order of the webhooks."""
    found = followup.every_health(_desk(), query)
    return page_answer("health", found.items, query["page"], total_count=found.total, next_key=found.next_key)


@blp.route("/<uuid:outgoing_id>", methods=["GET"])
@require(_SCOPE)
@blp.response(200, schemas.OutgoingWebhookSchema)
def read_outgoing_webhook(outgoing_id: UUID) -> Any:
    """Show a webhook."""
    desk = _desk()
    with desk.db.read() as session:
        found = service.read(session, desk, str(outgoing_id))
        return success(to_json(service.as_told(session, found)))


@blp.route("/<uuid:outgoing_id>", methods=["PUT"])
@require(_SCOPE)
@blp.arguments(schemas.NewWebhookSchema)
@blp.response(200, schemas.OutgoingWebhookSchema)
def replace_webhook(wanted: dict[str, Any], outgoing_id: UUID) -> Any:
    """Set all of a webhook: what is left out is as in a new one. Its secret stays."""
    _admit(wanted)
    values = {**service.DEFAULTS, **wanted}
    return success(to_json(service.change(_desk(), str(outgoing_id), values, require_match)))


@blp.route("/<uuid:outgoing_id>", methods=["PATCH"])
@require(_SCOPE)
@blp.arguments(schemas.WebhookChangeSchema)
@blp.response(200, schemas.OutgoingWebhookSchema)
def change_webhook(wanted: dict[str, Any], outgoing_id: UUID) -> Any:
    """Change a webhook; made active again, it is told of what happens from then on, and of what waited."""
    _admit(wanted)
    return success(to_json(service.change(_desk(), str(outgoing_id), wanted, require_match)))


@blp.route("/<uuid:outgoing_id>", methods=["DELETE"])
@require(_SCOPE)
@blp.response(204)
def delete_webhook(outgoing_id: UUID) -> Any:
    """Delete a webhook, with all that it was or is to be told."""
    service.delete(_desk(), str(outgoing_id), require_match)
    return Answer(status=204)


@blp.route("/<uuid:outgoing_id>/health", methods=["GET"])
@require(_SCOPE)
@blp.response(200, schemas.WebhookHealthSchema)
def read_webhook_health(outgoing_id: UUID) -> Any:
    """Show how it goes with a webhook: probes ask on schedule whether it is alive."""
    desk = _desk()
    with desk.db.read() as session:
        return success(to_json(followup.health(session, desk, str(outgoing_id))))


@blp.route("/<uuid:outgoing_id>/test", methods=["POST"])
@require(_SCOPE)
@blp.response(200, schemas.WebhookTestSchema)
def test_webhook(outgoing_id: UUID) -> Any:
    """Send a message `webhook.test` now, once, and tell how that went."""
    held = runtime()
    if not held.seats.acquire(blocking=False):
        raise ServiceUnavailable("Too many wait for others already; try again.", service="webhooks")
    try:
        sender = Sender(held.settings.webhook_allow_private)
        return success(to_json(service.test(_desk(), sender, str(outgoing_id))))
    finally:
        held.seats.release()


@blp.route("/<uuid:outgoing_id>/rotate-secret", methods=["POST"])
@require(_SCOPE)
@blp.arguments(schemas.WebhookRotationSchema, required=False)
@blp.response(200, schemas.RotatedWebhookSchema)
def rotate_webhook_secret(wanted: dict[str, Any], outgoing_id: UUID) -> Any:
    """Give a webhook another secret; for a day (`grace_seconds`) the former one signs as well."""
    told = service.rotate(_desk(), str(outgoing_id), wanted["grace_seconds"])
    return success(to_json(told), headers={"Cache-Control": "no-store"})


@blp.route("/<uuid:outgoing_id>/deliveries", methods=["GET"])
@require(_SCOPE)
@blp.arguments(schemas.DeliveriesQuery, location="query")
@blp.response(200, schemas.DeliveryListSchema)
def list_webhook_deliveries(query: dict[str, Any], outgoing_id: UUID) -> Any:
    """List what a webhook was or is to be told, the newest first; `status=dead` are the dead letters."""
    desk = _desk()
    with desk.db.read() as session:
        found = followup.delivered(session, desk, str(outgoing_id), query)
    return page_answer(
        "deliveries", found.items, query["page"], total_count=found.total, next_key=found.next_key
    )


@blp.route("/deliveries/<uuid:delivery_id>/redeliver", methods=["POST"])
@require(_SCOPE)
@blp.response(202, schemas.DeliverySchema)
@blp.alt_response(409, "Conflict")
def redeliver_webhook(delivery_id: UUID) -> Any:
    """Send a message anew, under the same id and with all its attempts: a dead letter, or any other."""
    return success(to_json(followup.redeliver(_desk(), str(delivery_id))), 202)


@blp.route("/<uuid:outgoing_id>/redeliver", methods=["POST"])
@require(_SCOPE)
@blp.response(202, schemas.RedeliveredSchema)
@blp.alt_response(409, "Conflict")
def redeliver_dead_letters(outgoing_id: UUID) -> Any:
    """Send all dead letters of a webhook anew, each under the same id and with all its attempts."""
    many = followup.redeliver_all(_desk(), str(outgoing_id))
    return success(to_json({"redelivered": many}), 202)


def _desk() -> service.Desk:
    held = runtime()
    networks = held.settings.webhook_allow_private
    return service.Desk(held.db, Sealed(lambda: held.vault), principal().projects, networks)


def _admit(wanted: dict[str, Any]) -> None:
    if wanted.get("project") is not None:
        admit(wanted["project"])
