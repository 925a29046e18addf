"""The wire forms of intake."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.features.intake.sources import FIELDS, LEAST_SECRET
from hefesto_api.formats.alerts import SOURCES
from hefesto_api.storage import intake
from hefesto_api.web import fields
from hefesto_api.web.paging import PageQuery, list_schema
from hefesto_api.web.schemas import Schema

_STATUSES = (intake.QUEUED, intake.PROCESSING, intake.COMPLETED, intake.FAILED)
_LONGEST_SECRET = 1000


class TokenQuery(Schema):
    """How a tool that can set no header shows who it is."""

    token = fields.text(_LONGEST_SECRET, metadata={"description": "The source's token; masked in every log."})


class AcceptedWebhookSchema(Schema):
    """The acknowledgement of a message, which is on disk."""

    received = basic.Boolean(required=True)
    webhook_id = basic.UUID(required=True)
    processing_status = basic.String(required=True, validate=ma.validate.OneOf(_STATUSES))
    estimated_processing_time_seconds = basic.Integer(required=True)


class WebhookSchema(AcceptedWebhookSchema):
    """What became of a message; `alerts` and `deployments` are our ids, `ignored` says what was left."""

    source = basic.String(required=True)
    source_id = basic.UUID(required=True, allow_none=True)
    project = basic.String(required=True, allow_none=True)
    received_at = basic.DateTime(required=True)
    processed_at = basic.DateTime(required=True, allow_none=True)
    size = basic.Integer(required=True)
    total = basic.Integer(required=True, metadata={"description": "Alerts and deployments in it."})
    new = basic.Integer(required=True)
    repeated = basic.Integer(required=True, metadata={"description": "Told before, so not counted."})
    resolved = basic.Integer(required=True)
    alerts = basic.List(basic.UUID(), required=True)
    deployments = basic.List(basic.UUID(), required=True)
    ignored = basic.List(basic.String(), required=True)
    error = basic.String(required=True, allow_none=True)


class SourceSchema(Schema):
    """A configured source; its secret is never shown."""

    id = basic.UUID(required=True)
    source = basic.String(required=True, validate=ma.validate.OneOf(tuple(SOURCES)))
    project = basic.String(required=True)
    credential = basic.String(required=True, validate=ma.validate.OneOf(("secret", "token")))
    url = basic.String(required=True, metadata={"description": "The path that the tool sends to."})
    setup = basic.String(required=True, metadata={"description": "What to enter in the tool."})
    created_at = basic.DateTime(required=True)
    updated_at = basic.DateTime(required=True)


class SourceChangeSchema(Schema):
    """What of a source may be changed: its project, and its secret (or token, which is the same)."""

    project = fields.slug()
    secret = fields.text(_LONGEST_SECRET, least=LEAST_SECRET, load_only=True)
    token = fields.text(_LONGEST_SECRET, least=LEAST_SECRET, load_only=True)

    @ma.validates_schema
    def check_secret(self, data: dict[str, Any], **_: Any) -> None:
        """A source has one credential, whatever its tool calls it."""
        if "secret" in data and "token" in data:
            raise ma.ValidationError("Give either secret or token.", "token")


class NewSourceSchema(SourceChangeSchema):
    """A source to be."""

    source = fields.Choice(SOURCES, required=True)

    @ma.validates_schema
    def check_given(self, data: dict[str, Any], **_: Any) -> None:
        """Without a credential anybody may send: then nothing need be configured."""
        if "secret" not in data and "token" not in data:
            raise ma.ValidationError("Missing data for required field.", "secret")


class SourcesQuery(PageQuery):
    """The parameters of the list, which is in the order they were made."""

    FIELDS = FIELDS

    source = fields.Choice(SOURCES)
    project = fields.text(200)


SourceListSchema = list_schema("SourceList", SourceSchema, plural="sources")
