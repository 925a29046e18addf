"""The wire forms of advice."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields

from hefesto_api.web.schemas import Schema


class AdviceBudgetSchema(Schema):
    """What the language model has cost this month (UTC), of how much."""

    status = fields.String(required=True, validate=ma.validate.OneOf(("OK", "WARNING", "EXCEEDED")))
    spent_usd = fields.Float(required=True)
    limit_usd = fields.Float(required=True)


class AdviceSchema(Schema):
    """What a language model says of a correlation: plain text, of which nothing is sure.

    `with_code` says whether it saw code, `cached` that it was said before, `is_cut` that there was more.
    """

    correlation_id = fields.UUID(required=True)
    text = fields.String(required=True)
    is_cut = fields.Boolean(required=True)
    model = fields.String(required=True)
    with_code = fields.Boolean(required=True)
    cached = fields.Boolean(required=True)
    cost_usd = fields.Float(required=True)
    created_at = fields.DateTime(required=True)
    created_by = fields.String(required=True)


class AdviceStandingSchema(Schema):
    """Whether there may be advice on a correlation, and the latest there is."""

    enabled = fields.Boolean(required=True)
    sends_code = fields.Boolean(required=True)
    advice = fields.Nested(AdviceSchema, required=True, allow_none=True)
    budget = fields.Nested(AdviceBudgetSchema, required=True)
