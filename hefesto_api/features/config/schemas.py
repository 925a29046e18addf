"""The wire form of the configuration."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields

from hefesto_api.web.schemas import Schema


class ThresholdsSchema(Schema):
    """The complexity from which a function is of each severity."""

    low = fields.Integer(required=True)
    medium = fields.Integer(required=True)
    high = fields.Integer(required=True)
    critical = fields.Integer(required=True)


class ComplexityConfigSchema(Schema):
    """Complexity."""

    enabled = fields.Boolean(required=True)
    thresholds = fields.Nested(ThresholdsSchema, required=True)


class SecurityConfigSchema(Schema):
    """Security; `checks` are the ids of its rules."""

    enabled = fields.Boolean(required=True)
    checks = fields.List(fields.String(), required=True)


class SmellsConfigSchema(Schema):
    """Code smells."""

    enabled = fields.Boolean(required=True)
    max_function_lines = fields.Integer(required=True)
    max_parameters = fields.Integer(required=True)


class PracticesConfigSchema(Schema):
    """Best practices."""

    enabled = fields.Boolean(required=True)
    enforce_docstrings = fields.Boolean(required=True)


class AnalyzersConfigSchema(Schema):
    """The four analyzers."""

    complexity = fields.Nested(ComplexityConfigSchema, required=True)
    security = fields.Nested(SecurityConfigSchema, required=True)
    code_smells = fields.Nested(SmellsConfigSchema, required=True)
    best_practices = fields.Nested(PracticesConfigSchema, required=True)


class SwitchSchema(Schema):
    """Something that is on or off."""

    enabled = fields.Boolean(required=True)


class IrisConfigSchema(SwitchSchema):
    """From alert to code."""

    correlation_confidence_threshold = fields.Float(required=True)


class BigQueryConfigSchema(SwitchSchema):
    """Streaming out to BigQuery."""

    project_id = fields.String(required=True, allow_none=True)
    dataset = fields.String(required=True, allow_none=True)


class BudgetSchema(Schema):
    """What the language model may cost this month, and has cost."""

    status = fields.String(required=True, validate=ma.validate.OneOf(("OK", "WARNING", "EXCEEDED")))
    spent_usd = fields.Float(required=True)
    limit_usd = fields.Float(required=True)


class LlmConfigSchema(SwitchSchema):
    """The language model."""

    model = fields.String(required=True, allow_none=True)
    budget = fields.Nested(BudgetSchema, required=True)


class IntegrationsConfigSchema(Schema):
    """The outside parts."""

    iris = fields.Nested(IrisConfigSchema, required=True)
    bigquery = fields.Nested(BigQueryConfigSchema, required=True)
    llm = fields.Nested(LlmConfigSchema, required=True)
    redis = fields.Nested(SwitchSchema, required=True)
    webhooks = fields.Nested(SwitchSchema, required=True)


class LicenseSchema(Schema):
    """What the installation may use."""

    tier = fields.String(required=True, validate=ma.validate.OneOf(("free", "pro", "enterprise")))
    features = fields.List(fields.String(), required=True)


class ConfigSchema(Schema):
    """The configuration, without secrets."""

    version = fields.String(required=True)
    analyzers = fields.Nested(AnalyzersConfigSchema, required=True)
    integrations = fields.Nested(IntegrationsConfigSchema, required=True)
    license = fields.Nested(LicenseSchema, required=True)
