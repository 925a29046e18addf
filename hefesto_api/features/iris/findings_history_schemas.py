"""The wire forms of the history of findings."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.domain.finding import Group, Severity
from hefesto_api.features.iris.findings_history import DIRECTIONS
from hefesto_api.web import fields
from hefesto_api.web.schemas import Schema

_GROUPS = tuple(group.value for group in Group)
_SEVERITIES = tuple(one.value for one in reversed(Severity))


class FindingsHistoryQuery(Schema):
    """Which findings; dates compare with when one was seen last, and bound the trend's period."""

    project = fields.text(200)
    file_path = fields.text(4096, metadata={"description": "Exact, or a prefix that ends in `/`."})
    finding_type = fields.Choice(_GROUPS, metadata={"description": "The analyzer."})
    start_date = fields.Moment(metadata={"description": "Inclusive; of the trend, 30 days before the end."})
    end_date = fields.Moment(end=True, metadata={"description": "Inclusive; of the trend, now."})
    limit = fields.QueryInteger(load_default=50, validate=ma.validate.Range(1, 1000))

    @ma.validates_schema
    def check_dates(self, data: dict[str, Any], **_: Any) -> None:
        """Demand that the start is not behind the end."""
        if "start_date" in data and "end_date" in data and data["start_date"] > data["end_date"]:
            raise ma.ValidationError("Begins after end_date.", "start_date")


class HistoricalFindingSchema(Schema):
    """A finding with what became of it."""

    id = basic.UUID(required=True)
    timestamp = basic.DateTime(required=True)
    file_path = basic.String(required=True)
    finding_type = basic.String(required=True, validate=ma.validate.OneOf(_GROUPS))
    severity = basic.String(required=True, validate=ma.validate.OneOf(_SEVERITIES))
    description = basic.String(required=True)
    resolved = basic.Boolean(required=True)
    resolution_date = basic.DateTime(required=True, allow_none=True)


class FindingsTrendSchema(Schema):
    """Findings seen first in the later half of the period against those of the earlier half."""

    direction = basic.String(required=True, validate=ma.validate.OneOf(DIRECTIONS))
    change_percentage = basic.Float(required=True)
    period_days = basic.Integer(required=True)
    description = basic.String(required=True)


class SeverityNumbersSchema(Schema):
    """How many there are of each severity."""

    CRITICAL = basic.Integer(required=True)
    HIGH = basic.Integer(required=True)
    MEDIUM = basic.Integer(required=True)
    LOW = basic.Integer(required=True)


class FindingsSummarySchema(Schema):
    """All findings meant in numbers; what was ignored is neither open nor resolved."""

    total_findings = basic.Integer(required=True)
    resolved_findings = basic.Integer(required=True)
    open_findings = basic.Integer(required=True)
    average_resolution_time_hours = basic.Float(required=True, allow_none=True)
    findings_by_severity = basic.Nested(SeverityNumbersSchema, required=True)


class FindingsHistorySchema(Schema):
    """Findings of every status, what was seen last first; the trend and the summary are of all of them."""

    findings = basic.List(basic.Nested(HistoricalFindingSchema), required=True)
    total_count = basic.Integer(required=True)
    trend = basic.Nested(FindingsTrendSchema, required=True)
    summary = basic.Nested(FindingsSummarySchema, required=True)
