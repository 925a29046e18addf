"""The wire forms of analyses."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.domain.finding import Group, Severity
from hefesto_api.web import fields
from hefesto_api.web.paging import PageQuery, list_schema
from hefesto_api.web.schemas import Schema

FORMATS = ("json", "text", "html", "sarif")
STATUSES = ("queued", "running", "completed", "failed", "cancelled")
BATCH_STATUSES = ("processing", "completed", "partial_failure")
MEMBER_STATUSES = ("pending", "processing", "success", "failed")
MOST_FILES = 1000
MOST_PATHS = 100
_LONGEST_PATH = 4096


class _Order(Schema):
    """What every way of asking for an analysis takes; null is the same as not given."""

    project = fields.slug()
    analyzers = basic.List(fields.Choice(Group), validate=ma.validate.Length(max=4))
    severity_threshold = fields.Choice(
        Severity, upper=True, metadata={"description": "The least severity shown; MEDIUM by default."}
    )
    severity = fields.Choice(Severity, upper=True, metadata={"description": "The same, under another name."})
    exclude_patterns = basic.List(
        fields.text(1000),
        validate=ma.validate.Length(max=1000),
        metadata={"description": "What not to look at, in the syntax of gitignore."},
    )

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Tell that what is optional may be null."""
        field_obj.allow_none = not field_obj.required

    @ma.pre_load
    def drop_nulls(self, data: Any, **_: Any) -> Any:
        """Leave out what is null."""
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}

    @ma.post_load
    def settle_threshold(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Read `severity` as `severity_threshold`, which goes first when both are given."""
        alias = data.pop("severity", Severity.MEDIUM.value)
        return {**data, "severity_threshold": data.get("severity_threshold", alias)}


class _SingleOrder(_Order):
    format = fields.Choice(FORMATS, load_default="json")
    commit_hash = fields.text(100)
    branch = fields.text(255)
    diff_base = fields.text(255, metadata={"description": "Report only what is new against this commit."})
    run_async = fields.Flag(
        data_key="async", load_default=False, metadata={"description": "Answer 202 and do not wait."}
    )


class InlineFileSchema(Schema):
    """A file that comes with the request."""

    path = fields.text(_LONGEST_PATH, required=True, least=1)
    content = basic.String(required=True)


class AnalyzeSchema(_SingleOrder):
    """What to analyse: either `path`, or `files`."""

    path = fields.text(_LONGEST_PATH, least=1)
    files = basic.List(basic.Nested(InlineFileSchema), validate=ma.validate.Length(1, MOST_FILES))

    @ma.validates_schema
    def check_source(self, data: dict[str, Any], **_: Any) -> None:
        """Demand exactly one source."""
        if ("path" in data) == ("files" in data):
            raise ma.ValidationError("Give either path or files (or upload an archive).", "path")


class UploadOrderSchema(_SingleOrder):
    """What may stand beside an uploaded archive; lists are separated by commas."""


class BatchOrderSchema(_Order):
    """Several paths to analyse."""

    paths = basic.List(
        fields.text(_LONGEST_PATH, least=1), required=True, validate=ma.validate.Length(1, MOST_PATHS)
    )


class AnalysisQuery(Schema):
    """How to show one analysis."""

    format = fields.Choice(FORMATS, load_default="json")
    severity_threshold = fields.Choice(
        Severity,
        upper=True,
        metadata={"description": "The least severity shown; by default what the analysis was asked for."},
    )
    severity = fields.Choice(Severity, upper=True, metadata={"description": "The same, under another name."})


class AnalysesQuery(PageQuery):
    """The filters of analyses."""

    FIELDS = (
        "analysis_id", "project", "path", "kind", "tool", "status", "timestamp", "started_at", "finished_at",
        "branch", "commit_hash", "summary", "execution_time_ms", "files_analyzed", "lines_of_code",
    )  # fmt: skip

    project = fields.text(200)
    status = fields.Choice(STATUSES)


class ImportQuery(Schema):
    """What an imported report belongs to."""

    project = fields.slug()
    branch = fields.text(255, metadata={"description": "Instead of the one that the report names."})
    commit_hash = fields.text(100, metadata={"description": "Instead of the one that the report names."})


class SummarySchema(Schema):
    """The findings shown, by severity; beside them, how many the threshold and the source left out."""

    total_issues = basic.Integer(required=True)
    critical = basic.Integer(required=True)
    high = basic.Integer(required=True)
    medium = basic.Integer(required=True)
    low = basic.Integer(required=True)
    below_threshold = basic.Integer()
    suppressed = basic.Integer()


class AnalysisFindingSchema(Schema):
    """A finding as an analysis saw it."""

    id = basic.UUID(required=True)
    analyzer = basic.String(required=True, validate=ma.validate.OneOf(list(Group)))
    rule_id = basic.String(required=True)
    type = basic.String(required=True)
    severity = basic.String(required=True, validate=ma.validate.OneOf(list(Severity)))
    file = basic.String(required=True)
    line = basic.Integer(required=True)
    column = basic.Integer(required=True)
    end_line = basic.Integer(required=True)
    description = basic.String(required=True)
    recommendation = basic.String(required=True)
    code_snippet = basic.String(required=True)
    confidence = basic.Float(required=True)
    cwe = basic.List(basic.Integer(), required=True)
    metadata = basic.Dict(required=True)
    tool = basic.String(required=True)
    function_name = basic.String(required=True, allow_none=True)
    fingerprint = basic.String(required=True)


class SkippedFileSchema(Schema):
    """A file that was not (wholly) analysed."""

    path = basic.String(required=True)
    reason = basic.String(required=True)


class ProgressSchema(Schema):
    """How far an analysis is."""

    files_done = basic.Integer(required=True)
    files_total = basic.Integer(required=True)


class FailureSchema(Schema):
    """Why an analysis failed."""

    code = basic.String(required=True)
    message = basic.String(required=True)
    details = basic.Dict()


class AnalysisItemSchema(Schema):
    """An analysis without its findings. `project` is null for content that belongs to none."""

    analysis_id = basic.UUID(required=True)
    project = basic.String(required=True, allow_none=True)
    path = basic.String(required=True)
    kind = basic.String(required=True)
    tool = basic.String(required=True)
    status = basic.String(required=True, validate=ma.validate.OneOf(STATUSES))
    timestamp = basic.DateTime(required=True)
    started_at = basic.DateTime(required=True, allow_none=True)
    finished_at = basic.DateTime(required=True, allow_none=True)
    branch = basic.String(required=True, allow_none=True)
    commit_hash = basic.String(required=True, allow_none=True)
    summary = basic.Nested(SummarySchema, required=True)
    execution_time_ms = basic.Integer(required=True)
    files_analyzed = basic.Integer(required=True)
    lines_of_code = basic.Integer(required=True)


class AnalysisSchema(AnalysisItemSchema):
    """An analysis with its findings; `progress` while it is queued or runs, `error` when it failed."""

    findings = basic.List(basic.Nested(AnalysisFindingSchema), required=True)
    files_skipped = basic.List(basic.Nested(SkippedFileSchema), required=True)
    diff_base = basic.String(allow_none=True)
    progress = basic.Nested(ProgressSchema)
    error = basic.Nested(FailureSchema)


AnalysisListSchema = list_schema("AnalysisList", AnalysisItemSchema, plural="analyses")


class AcceptedSchema(Schema):
    """An analysis that goes on."""

    analysis_id = basic.UUID(required=True)
    status = basic.String(required=True, validate=ma.validate.OneOf(STATUSES))


class BatchMemberSchema(Schema):
    """One path of a batch; `error` says why it failed, `error_code` in one word."""

    path = basic.String(required=True)
    status = basic.String(required=True, validate=ma.validate.OneOf(MEMBER_STATUSES))
    analysis_id = basic.UUID(required=True)
    error = basic.String(required=True, allow_none=True)
    error_code = basic.String(required=True, allow_none=True)


class BatchSchema(Schema):
    """A batch; `completed` counts what succeeded."""

    batch_id = basic.UUID(required=True)
    project = basic.String(required=True, allow_none=True)
    timestamp = basic.DateTime(required=True)
    total_paths = basic.Integer(required=True)
    status = basic.String(required=True, validate=ma.validate.OneOf(BATCH_STATUSES))
    completed = basic.Integer(required=True)
    failed = basic.Integer(required=True)
    results = basic.List(basic.Nested(BatchMemberSchema), required=True)


class RefusedResultSchema(Schema):
    """A result of an imported report that was not taken."""

    pointer = basic.String(required=True)
    reason = basic.String(required=True)


class ImportedSchema(Schema):
    """What an imported report did to the findings on record."""

    analysis_id = basic.UUID(required=True)
    new = basic.Integer(required=True)
    updated = basic.Integer(required=True)
    unchanged = basic.Integer(required=True)
    resolved = basic.Integer(required=True)
    refused = basic.Integer(required=True)
    refused_results = basic.List(basic.Nested(RefusedResultSchema), required=True)
