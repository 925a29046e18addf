"""The route that enriches an alert with its code."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.domain.finding import Group, Severity
from hefesto_api.features.iris import enriching
from hefesto_api.features.iris.context_schemas import ComplexitySchema, LineChangeSchema
from hefesto_api.features.iris.correlation_routes import desk
from hefesto_api.features.iris.correlation_schemas import AlertBody, Stack
from hefesto_api.web import fields
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.envelope import success, to_json
from hefesto_api.web.schemas import Schema
from hefesto_api.web.scopes import principal, require

blp = Blueprint("enrichment", url_prefix="/api/v1/alerts", description="Alerts with their code.")


class AlertToEnrichSchema(AlertBody):
    """An alert with a place, a trace, or both; the place is shown, and the trace tells how it came there."""

    alert_id = fields.text(10_000, required=True, least=1)
    file_path = fields.text(4096, least=1)
    line_number = fields.Integer(validate=ma.validate.Range(1, 2**31 - 1))
    stack_trace = Stack()

    @ma.validates_schema
    def check_place(self, data: dict[str, Any], **_: Any) -> None:
        """Demand something to look for."""
        if not data.get("file_path") and not data.get("stack_trace"):
            raise ma.ValidationError("Give a file_path or a stack_trace.", "file_path")


class EnrichedContextSchema(Schema):
    """The code that the alert came from, and the commits that changed it, newest first."""

    file_path = basic.String(required=True)
    function_name = basic.String(required=True, allow_none=True)
    line_number = basic.Integer(required=True, allow_none=True)
    code_snippet = basic.String(required=True, allow_none=True)
    complexity = basic.Nested(ComplexitySchema, required=True)
    recent_changes = basic.List(basic.Nested(LineChangeSchema), required=True)


class EnrichedFindingSchema(Schema):
    """A finding at that place, or one whose rule fits the error; `issue_type` is the analyzer."""

    id = basic.UUID(required=True)
    issue_type = basic.String(required=True, validate=ma.validate.OneOf([group.value for group in Group]))
    severity = basic.String(required=True, validate=ma.validate.OneOf([one.value for one in Severity]))
    message = basic.String(required=True)
    line_number = basic.Integer(required=True)
    suggestion = basic.String(required=True)


class EnrichedAlertSchema(Schema):
    """An alert with its code; what cannot be found is not `enriched`."""

    alert_id = basic.String(required=True)
    enriched = basic.Boolean(required=True)
    code_context = basic.Nested(EnrichedContextSchema, required=True, allow_none=True)
    hefesto_findings = basic.List(basic.Nested(EnrichedFindingSchema), required=True)
    correlation_confidence = basic.Float(required=True, validate=ma.validate.Range(0, 1))


@blp.route("/enrich", methods=["POST"])
@require("read:findings")
@blp.arguments(AlertToEnrichSchema)
@blp.response(200, EnrichedAlertSchema)
def enrich_alert(wanted: dict[str, Any]) -> Any:
    """Show the code behind an alert, with its findings and its latest changes; nothing is stored."""
    return success(to_json(enriching.enrich(desk(), wanted, principal().projects)))
