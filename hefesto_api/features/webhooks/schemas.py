"""The wire forms of outgoing webhooks."""

from __future__ import annotations

from typing import ClassVar

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.domain import webhooks as rules
from hefesto_api.web import fields
from hefesto_api.web.paging import PageQuery, list_schema
from hefesto_api.web.schemas import Schema

FIELDS = (
    "id", "name", "url", "description", "format", "events", "is_active", "health_check_interval_seconds",
    "project", "health_status", "disabled_reason", "created_at", "updated_at",
)  # fmt: skip
_DAY = 86_400
_ABOUT_PROJECT = "Tell of this project alone; none: of all that its maker may see."


class WebhookChangeSchema(Schema):
    """What of a webhook may be changed; what is left out stays."""

    name = fields.text(200, least=1)
    url = fields.text(2000, least=1, metadata={"description": "http or https, on the public internet."})
    description = fields.text(2000)
    format = fields.Choice(rules.FORMATS)
    events = basic.List(
        fields.Choice(rules.EVENTS),
        validate=ma.validate.Length(max=100),
        metadata={"description": "None named: all that the format has."},
    )
    is_active = fields.Flag()
    health_check_interval_seconds = fields.Integer(validate=ma.validate.Range(10, _DAY))
    project = fields.slug(allow_none=True, metadata={"description": _ABOUT_PROJECT})
    routing_key = fields.text(
        200, least=1, load_only=True, metadata={"description": "Of PagerDuty's integration; never shown."}
    )


class NewWebhookSchema(WebhookChangeSchema):
    """A webhook to be, or all of one anew."""

    name = fields.text(200, least=1, required=True)
    url = fields.text(
        2000, least=1, required=True, metadata={"description": "http or https, on the public internet."}
    )


class OutgoingWebhookSchema(Schema):
    """A webhook; its secret is not shown again."""

    id = basic.UUID(required=True)
    name = basic.String(required=True)
    url = basic.String(required=True)
    description = basic.String(required=True)
    format = basic.String(required=True, validate=ma.validate.OneOf(rules.FORMATS))
    events = basic.List(basic.String(validate=ma.validate.OneOf(rules.EVENTS)), required=True)
    is_active = basic.Boolean(required=True)
    health_check_interval_seconds = basic.Integer(required=True)
    project = basic.String(required=True, allow_none=True)
    health_status = basic.String(required=True, validate=ma.validate.OneOf(rules.HEALTH))
    disabled_reason = basic.String(required=True, allow_none=True)
    created_at = basic.DateTime(required=True)
    updated_at = basic.DateTime(required=True)


class MadeWebhookSchema(OutgoingWebhookSchema):
    """A new webhook, with the secret that what it is told is signed with; it is shown once."""

    secret = basic.String(required=True, metadata={"description": "`whsec_` and base64."})


class WebhookRotationSchema(Schema):
    """How long the former secret signs beside the new one."""

    MAY_BE_ABSENT = True

    grace_seconds = fields.Integer(
        load_default=int(rules.OVERLAP.total_seconds()), validate=ma.validate.Range(0, 30 * _DAY)
    )


class RotatedWebhookSchema(MadeWebhookSchema):
    """A webhook with its new secret, which is shown once."""

    former_signs_until = basic.DateTime(required=True)


class WebhooksQuery(PageQuery):
    """The parameters of the list, which is in the order they were made."""

    FIELDS: ClassVar[tuple[str, ...]] = FIELDS

    project = fields.text(200)
    is_active = fields.QueryFlag()


class WebhookTestSchema(Schema):
    """How a test went."""

    delivered = basic.Boolean(required=True)
    message_id = basic.UUID(required=True)
    status_code = basic.Integer(required=True, allow_none=True)
    response_ms = basic.Float(required=True)
    error = basic.String(required=True, allow_none=True)


class AttemptSchema(Schema):
    """How an attempt went."""

    at = basic.DateTime(required=True)
    is_success = basic.Boolean(required=True)
    status_code = basic.Integer(required=True, allow_none=True)
    response_ms = basic.Float(required=True)
    error = basic.String(required=True, allow_none=True)


class HealthAttemptSchema(AttemptSchema):
    """One attempt to reach a webhook."""

    kind = basic.String(required=True, validate=ma.validate.OneOf(rules.KINDS))
    delivery_id = basic.UUID(required=True, allow_none=True)


class WebhookHealthSchema(Schema):
    """How it goes with a webhook, by its latest hundred attempts: deliveries, probes and tests."""

    id = basic.UUID(required=True)
    health_status = basic.String(required=True, validate=ma.validate.OneOf(rules.HEALTH))
    success_rate = basic.Float(required=True, allow_none=True, metadata={"description": "0..1"})
    p50_ms = basic.Float(required=True, allow_none=True)
    p95_ms = basic.Float(required=True, allow_none=True)
    attempts = basic.Integer(required=True)
    consecutive_failures = basic.Integer(required=True)
    last_success_at = basic.DateTime(required=True, allow_none=True)
    last_failure_at = basic.DateTime(required=True, allow_none=True)
    next_check_at = basic.DateTime(required=True, allow_none=True)
    disabled_reason = basic.String(required=True, allow_none=True)
    deliveries_waiting = basic.Integer(required=True)
    dead_letters = basic.Integer(required=True)
    next_attempt_at = basic.DateTime(
        required=True, allow_none=True, metadata={"description": "Of what waits; null: nothing does."}
    )
    attempt_log = basic.List(
        basic.Nested(HealthAttemptSchema),
        required=True,
        metadata={"description": "The latest hundred, the oldest first."},
    )


class DeliverySchema(Schema):
    """What a webhook is told; `id` is the message's `webhook-id` in every attempt."""

    id = basic.UUID(required=True)
    webhook_id = basic.UUID(required=True)
    event_id = basic.UUID(required=True)
    event_type = basic.String(required=True)
    status = basic.String(required=True, validate=ma.validate.OneOf(rules.STATUSES))
    attempts = basic.Integer(required=True)
    status_code = basic.Integer(required=True, allow_none=True)
    error = basic.String(required=True, allow_none=True)
    created_at = basic.DateTime(required=True)
    last_attempt_at = basic.DateTime(required=True, allow_none=True)
    next_attempt_at = basic.DateTime(required=True, allow_none=True)
    finished_at = basic.DateTime(required=True, allow_none=True)
    attempt_log = basic.List(basic.Nested(AttemptSchema), required=True)


class RedeliveredSchema(Schema):
    """How many dead letters are sent anew."""

    redelivered = basic.Integer(required=True)


class HealthQuery(WebhooksQuery):
    """The parameters of the list of health, which are those of the webhooks."""

    FIELDS = tuple(WebhookHealthSchema._declared_fields)  # noqa: SLF001 - their names


class DeliveriesQuery(PageQuery):
    """The parameters of the list, which begins with the newest."""

    FIELDS = tuple(DeliverySchema._declared_fields)  # noqa: SLF001 - their names

    status = fields.Choice(rules.STATUSES)
    event_type = fields.Choice(rules.EVENTS)


OutgoingWebhookListSchema = list_schema("OutgoingWebhookList", OutgoingWebhookSchema, plural="webhooks")
DeliveryListSchema = list_schema("DeliveryList", DeliverySchema, plural="deliveries")
WebhookHealthListSchema = list_schema("WebhookHealthList", WebhookHealthSchema, plural="health")
