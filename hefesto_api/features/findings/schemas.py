"""The wire forms of findings."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.domain.finding import Group, Severity, Status
from hefesto_api.features.findings.selection import ALL, ITEM
from hefesto_api.storage import finding_list
from hefesto_api.web import fields
from hefesto_api.web.paging import PageQuery, list_schema
from hefesto_api.web.schemas import Schema

EXPORTS = ("sarif", "csv", "json", "jsonl", "html", "junit", "codeclimate")
REASONS = ("false_positive", "accepted_risk", "test_code", "no_time", "duplicate")
CHANGES = ("acknowledged", "resolved", "ignored", "wontfix", "reopen", "open")
UNTIL_INCIDENT = "incident"
MOST_AT_ONCE = 1000
_GROUPS = tuple(group.value for group in Group)
_SEVERITIES = tuple(severity.value for severity in Severity)
_STATUSES = tuple(status.value for status in Status)


class _Filters(Schema):
    """What narrows the list down; every way of naming findings takes the same."""

    project = fields.text(200)
    file_path = fields.text(4096, metadata={"description": "Exact, or a prefix that ends in `/`."})
    analyzer = fields.Words(known=_GROUPS)
    severity = fields.Words(known=_SEVERITIES, upper=True)
    min_severity = fields.Choice(Severity, upper=True)
    status = fields.Words(known=(*_STATUSES, ALL), metadata={"description": "`open` by default; `all`."})
    rule_id = fields.text(300)
    tool = fields.text(100)
    cwe = fields.Weakness(metadata={"description": "As `89` or `CWE-89`."})
    q = fields.text(500, metadata={"description": "Text of the description, path, rule or function."})
    start_date = fields.Moment(metadata={"description": "The first `last_seen`, inclusive."})
    end_date = fields.Moment(end=True, metadata={"description": "The last `last_seen`, inclusive."})


class FindingsQuery(PageQuery, _Filters):
    """The list's parameters; by default what was seen last comes first."""

    SORTS = tuple(finding_list.SORTS)
    FIELDS = ITEM


class ExportQuery(_Filters):
    """The list's filters, and the form to write them in."""

    format = fields.Choice(EXPORTS, load_default="json")


class FileQuery(Schema):
    """Which findings of a file are wanted."""

    since = fields.Moment(metadata={"description": "The first `last_seen`, inclusive."})
    severity = fields.Choice(Severity, upper=True, metadata={"description": "The least severity."})
    project = fields.text(200)


class Until(fields.Moment):
    """A time, or the word for "until it appears in an incident"."""

    def __init__(self, **options: Any) -> None:
        told = "A date or an RFC 3339 date-time: open again from then on, within the hour. Or `incident`."
        super().__init__(metadata={"description": told}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        return value if value == UNTIL_INCIDENT else super()._deserialize(value, attr, data, **options)


class TriageSchema(Schema):
    """What a person decides about a finding; null is the same as not given."""

    status = fields.Choice(CHANGES, required=True)
    comment = fields.text(1000)
    reason = fields.Choice(REASONS)
    ignored_until = Until()

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Tell that what is optional may be null."""
        field_obj.allow_none = not field_obj.required

    @ma.pre_load
    def drop_nulls(self, data: Any, **_: Any) -> Any:
        """Leave out what is null."""
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}

    @ma.validates_schema
    def check_until(self, data: dict[str, Any], **_: Any) -> None:
        """Only what is ignored is ignored until a time."""
        if "ignored_until" in data and data["status"] != Status.IGNORED:
            raise ma.ValidationError("Goes with the status `ignored` alone.", "ignored_until")


class BulkTriageSchema(TriageSchema):
    """The same decision about several findings: by `ids`, or by a `filter` as the list takes it."""

    ids = basic.List(basic.UUID(), validate=ma.validate.Length(1, MOST_AT_ONCE))
    filter = basic.Nested(_Filters)

    @ma.validates_schema
    def check_selection(self, data: dict[str, Any], **_: Any) -> None:
        """Demand exactly one way of naming them, and no filter that means everything."""
        if ("ids" in data) == ("filter" in data):
            raise ma.ValidationError("Give either ids or filter.", "ids")
        if "filter" in data and not data["filter"]:
            raise ma.ValidationError("Name at least one thing to filter by.", "filter")


class FindingItemSchema(Schema):
    """A finding as the list shows it; `timestamp` is when it was last seen."""

    id = basic.UUID(required=True)
    timestamp = basic.DateTime(required=True)
    project = basic.String(required=True)
    file_path = basic.String(required=True)
    line = basic.Integer(required=True)
    column = basic.Integer(required=True)
    analyzer = basic.String(required=True, validate=ma.validate.OneOf(_GROUPS))
    tool = basic.String(required=True)
    rule_id = basic.String(required=True)
    severity = basic.String(required=True, validate=ma.validate.OneOf(_SEVERITIES))
    confidence = basic.Float(required=True)
    description = basic.String(required=True)
    status = basic.String(required=True, validate=ma.validate.OneOf(_STATUSES))
    first_seen = basic.DateTime(required=True)
    last_seen = basic.DateTime(required=True)
    occurrence_count = basic.Integer(required=True)
    function_name = basic.String(required=True, allow_none=True)


FindingListSchema = list_schema("FindingList", FindingItemSchema, plural="findings")


class HistoryEntrySchema(Schema):
    """One thing that happened to a finding; `user` is null for what an analysis did."""

    timestamp = basic.DateTime(required=True)
    action = basic.String(required=True)
    user = basic.String(required=True, allow_none=True)
    details = basic.String(required=True)


class RelatedFindingSchema(Schema):
    """Another finding of the same rule: in the same file, or of much the same code."""

    id = basic.UUID(required=True)
    file_path = basic.String(required=True)
    line = basic.Integer(required=True)
    description = basic.String(required=True)
    similarity_score = basic.Float(required=True)


class SuppressionSchema(Schema):
    """The comment in the source that asks not to report a finding."""

    kind = basic.String(required=True)
    line = basic.Integer(required=True)
    justification = basic.String(required=True)


class OwnersQuery(Schema):
    """Whose owners are wanted."""

    path = fields.text(4096, required=True, least=1, metadata={"description": "As findings have it."})


class OwnershipSchema(Schema):
    """Who owns a file: the rule that decides and where it stands, or why there is none."""

    owners = basic.List(basic.String(), required=True)
    rule = basic.String(required=True, allow_none=True)
    line = basic.Integer(required=True, allow_none=True)
    file = basic.String(required=True, allow_none=True)
    explanation = basic.String(required=True)


class PathOwnersSchema(OwnershipSchema):
    """Who owns a path of a project."""

    path = basic.String(required=True)


class FindingSchema(FindingItemSchema):
    """All that is known of a finding."""

    type = basic.String(required=True)
    branch = basic.String(required=True, allow_none=True)
    analysis_id = basic.UUID(required=True)
    recommendation = basic.String(required=True)
    code_snippet = basic.String(required=True)
    fingerprint = basic.String(required=True)
    cwe = basic.List(basic.Integer(), required=True)
    class_name = basic.String(required=True, allow_none=True)
    end_line = basic.Integer(required=True)
    metadata = basic.Dict(required=True)
    reason = basic.String(required=True, allow_none=True)
    ignored_until = basic.String(
        required=True, allow_none=True, metadata={"description": "A date-time, or `incident`."}
    )
    suppression = basic.Nested(SuppressionSchema, required=True, allow_none=True)
    resolved_at = basic.DateTime(required=True, allow_none=True)
    updated_at = basic.DateTime(required=True)
    updated_by = basic.String(required=True, allow_none=True)
    incidents = basic.List(
        basic.Dict(),
        required=True,
        metadata={"description": "The alerts correlated with it, the latest first."},
    )
    ownership = basic.Nested(OwnershipSchema)
    history = basic.List(basic.Nested(HistoryEntrySchema), required=True)
    related_findings = basic.List(basic.Nested(RelatedFindingSchema), required=True)


class FileFindingSchema(Schema):
    """A finding of one file; `issue_type` is the analyzer, `type` the rule's slug."""

    id = basic.UUID(required=True)
    timestamp = basic.DateTime(required=True)
    file_path = basic.String(required=True)
    severity = basic.String(required=True, validate=ma.validate.OneOf(_SEVERITIES))
    issue_type = basic.String(required=True, validate=ma.validate.OneOf(_GROUPS))
    type = basic.String(required=True)
    line_number = basic.Integer(required=True)
    message = basic.String(required=True)
    status = basic.String(required=True, validate=ma.validate.OneOf(_STATUSES))


class FileFindingsSchema(Schema):
    """The findings of a file (or, for a path that ends in `/`, of a folder), at most a thousand."""

    file_path = basic.String(required=True)
    findings = basic.List(basic.Nested(FileFindingSchema), required=True)
    total_count = basic.Integer(required=True)


class TriagedSchema(Schema):
    """A finding after a decision about it."""

    id = basic.UUID(required=True)
    status = basic.String(required=True, validate=ma.validate.OneOf(_STATUSES))
    updated_at = basic.DateTime(required=True)
    updated_by = basic.String(required=True, allow_none=True)


class TriageErrorSchema(Schema):
    """Why a decision could not be kept."""

    code = basic.String(required=True)
    message = basic.String(required=True)


class TriageResultSchema(Schema):
    """What became of one item of several: the finding's new state, or an error."""

    id = basic.UUID(required=True)
    success = basic.Boolean(required=True)
    changed = basic.Boolean()
    status = basic.String()
    updated_at = basic.DateTime()
    updated_by = basic.String(allow_none=True)
    error = basic.Nested(TriageErrorSchema)


class BulkTriagedSchema(Schema):
    """A result for each item, as sent; `has_more` says that the filter holds for more than were taken."""

    updated = basic.Integer(required=True)
    unchanged = basic.Integer(required=True)
    failed = basic.Integer(required=True)
    has_more = basic.Boolean(required=True)
    results = basic.List(basic.Nested(TriageResultSchema), required=True)


class ExportedSchema(Schema):
    """Findings as JSON: items of the list with their advice, code and identity."""

    findings = basic.List(basic.Nested(FindingItemSchema), required=True)
