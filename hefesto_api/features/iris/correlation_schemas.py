"""The wire forms of correlations."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.domain.finding import Group, Severity, Status
from hefesto_api.web import fields
from hefesto_api.web.paging import PageQuery, list_schema
from hefesto_api.web.schemas import Schema

ITEM = (
    "correlation_id", "alert_id", "recorded_alert_id", "project", "created_at", "error_type",
    "correlation_found", "confidence_score", "matching_findings", "suspect_functions", "suspect_commits",
    "suggested_root_cause", "model_version",
)  # fmt: skip
_SHARE = ma.validate.Range(0, 1)
_GROUPS = ma.validate.OneOf([group.value for group in Group])
_SEVERITIES = ma.validate.OneOf([one.value for one in Severity])


class Stack(basic.Field[Any]):
    """A stack trace: a text, or a list of its lines."""

    default_error_messages = {"invalid": "A text, or a list of lines."}  # noqa: RUF012 - the library's way

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        lines = value if isinstance(value, list) else [value]
        if not all(isinstance(line, str) for line in lines):
            raise self.make_error("invalid")
        return value


class AlertBody(Schema):
    """What all routes that take an alert read; null is the same as not given."""

    project = fields.slug(metadata={"description": "Else the one of `service_name`, else `default`."})
    service_name = fields.text(200)
    environment = fields.text(200)
    release = fields.text(250)
    commit_hash = fields.text(100)
    timestamp = basic.Raw(metadata={"description": "RFC 3339, or a Unix time."})
    severity = fields.text(50, metadata={"description": "In any tool's words: critical, error, P1, ..."})
    error_type = fields.text(1000)
    error_message = basic.String()

    @ma.pre_load
    def drop_nulls(self, data: Any, **_: Any) -> Any:
        """Leave out what is null."""
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Tell that what is optional may be null."""
        field_obj.allow_none = not field_obj.required


class AlertToCorrelateSchema(AlertBody):
    """An alert; `frames` (outermost first) may stand in the place of a `stacktrace`."""

    alert_id = fields.text(10_000, required=True, least=1)
    stacktrace = Stack()
    frames = basic.List(basic.Dict())
    title = basic.String()
    description = basic.String()
    affected_users = fields.Integer(validate=ma.validate.Range(0, fields.MOST))
    metadata = basic.Dict()


class EvidenceSchema(Schema):
    """A reason for or against, and what it adds to the logarithm of the odds."""

    feature = basic.String(required=True)
    value = basic.Raw(required=True, allow_none=True)
    contribution = basic.Float(required=True)


class MatchingFindingSchema(Schema):
    """A finding whose rule fits the error; `finding_type` is the analyzer."""

    finding_id = basic.UUID(required=True)
    file_path = basic.String(required=True)
    line_number = basic.Integer(required=True)
    finding_type = basic.String(required=True, validate=_GROUPS)
    severity = basic.String(required=True, validate=_SEVERITIES)
    description = basic.String(required=True)
    match_reason = basic.String(required=True)
    match_confidence = basic.Float(required=True, validate=_SHARE)
    evidence = basic.List(basic.Nested(EvidenceSchema), required=True)
    rule_id = basic.String()
    status = basic.String(validate=ma.validate.OneOf([one.value for one in Status]))


class SuspectFunctionSchema(Schema):
    """A function that may be at fault; `line_number` is where to look first."""

    file_path = basic.String(required=True)
    function_name = basic.String(required=True)
    line_number = basic.Integer(required=True)
    probability = basic.Float(required=True, validate=_SHARE)
    evidence = basic.List(basic.Nested(EvidenceSchema), required=True)


class SuspectCommitSchema(Schema):
    """A commit that may have brought the fault: one that the running revision contains."""

    commit_hash = basic.String(required=True)
    author = basic.String(required=True)
    timestamp = basic.DateTime(required=True, allow_none=True)
    message = basic.String(required=True)
    score = basic.Float(required=True, validate=_SHARE)


class CrashFrameSchema(Schema):
    """A frame; `in_app` says whether the file is the project's."""

    file = basic.String(required=True, allow_none=True)
    line = basic.Integer(required=True, allow_none=True)
    function = basic.String(required=True, allow_none=True)
    in_app = basic.Boolean(required=True)
    project_path = basic.String(required=True, allow_none=True)


class CostEstimateSchema(Schema):
    """What the incident costs."""

    affected_users = basic.Integer(required=True)
    estimated_revenue_impact_usd = basic.Float(required=True)
    calculation = basic.String(required=True)


class DeployedSchema(Schema):
    """The revision that ran."""

    commit_hash = basic.String(required=True, allow_none=True)
    release = basic.String(required=True, allow_none=True)
    deployment_id = basic.UUID(required=True, allow_none=True)
    deployed_at = basic.DateTime(required=True, allow_none=True)


class CorrelationSchema(Schema):
    """What is behind an alert; `confidence_score` is one minus the probability of "none of these".

    `alert_id` is the sender's, `recorded_alert_id` ours. `reopened_findings` had been put aside.
    """

    correlation_id = basic.UUID(required=True)
    alert_id = basic.String(required=True)
    correlation_found = basic.Boolean(required=True)
    confidence_score = basic.Float(required=True, validate=_SHARE)
    matching_findings = basic.List(basic.Nested(MatchingFindingSchema), required=True)
    suspect_functions = basic.List(basic.Nested(SuspectFunctionSchema), required=True)
    suspect_commits = basic.List(basic.Nested(SuspectCommitSchema), required=True)
    frames = basic.List(basic.Nested(CrashFrameSchema), required=True)
    suggested_root_cause = basic.String(required=True, allow_none=True)
    related_files = basic.List(basic.String(), required=True)
    recommended_actions = basic.List(basic.String(), required=True)
    cost_estimate = basic.Nested(CostEstimateSchema, required=True, allow_none=True)
    model_version = basic.String(required=True)
    deployed = basic.Nested(DeployedSchema, allow_none=True)
    reopened_findings = basic.List(basic.UUID())
    recorded_alert_id = basic.UUID()


class FeedbackGivenSchema(Schema):
    """What somebody said of a part of a correlation."""

    subject = basic.String(required=True)
    verdict = basic.String(required=True, validate=ma.validate.OneOf(("confirmed", "rejected")))
    comment = basic.String(required=True, allow_none=True)
    user = basic.String(required=True)
    updated_at = basic.DateTime(required=True)


class StoredCorrelationSchema(CorrelationSchema):
    """A correlation as it is kept."""

    project = basic.String(required=True)
    created_at = basic.DateTime(required=True)
    feedback = basic.List(basic.Nested(FeedbackGivenSchema), required=True)


class CorrelationItemSchema(Schema):
    """A correlation as the list shows it: the first of each kind of what is suspected."""

    correlation_id = basic.UUID(required=True)
    alert_id = basic.String(required=True)
    recorded_alert_id = basic.UUID(required=True)
    project = basic.String(required=True)
    created_at = basic.DateTime(required=True)
    error_type = basic.String(required=True, allow_none=True)
    correlation_found = basic.Boolean(required=True)
    confidence_score = basic.Float(required=True, validate=_SHARE)
    matching_findings = basic.List(basic.Nested(MatchingFindingSchema), required=True)
    suspect_functions = basic.List(basic.Nested(SuspectFunctionSchema), required=True)
    suspect_commits = basic.List(basic.Nested(SuspectCommitSchema), required=True)
    suggested_root_cause = basic.String(required=True, allow_none=True)
    model_version = basic.String(required=True)


class CorrelationsQuery(PageQuery):
    """The list's parameters; the newest comes first."""

    FIELDS = ITEM

    project = fields.text(200)
    alert_id = basic.UUID(metadata={"description": "Our id of an alert."})


CorrelationListSchema = list_schema("CorrelationList", CorrelationItemSchema, plural="correlations")


class FeedbackSchema(Schema):
    """What somebody found out: that a finding or a function was (or was not) behind the alert.

    Give one of `finding_id`, `function` (with `file_path` where the name alone is not clear) and
    `none: true` (nothing of what was named); without any, the answer's first suspect is meant.
    """

    verdict = fields.Choice(("confirmed", "rejected"), required=True)
    finding_id = basic.UUID(allow_none=True)
    function = fields.text(1000, least=1, allow_none=True)
    file_path = fields.text(4096, allow_none=True)
    none = fields.Flag(allow_none=True)
    comment = fields.text(1000, allow_none=True)

    @ma.validates_schema
    def check_subject(self, data: dict[str, Any], **_: Any) -> None:
        """Demand at most one subject."""
        if sum(bool(data.get(name)) for name in ("finding_id", "function", "none")) > 1:
            raise ma.ValidationError("Give one of finding_id, function and none.", "finding_id")


class LearnedSchema(Schema):
    """What feedback came to: whether it changed anything, and whether later answers follow it.

    `error_before` and `error_after` are the mean squared errors on everything that was judged so far.
    """

    correlation_id = basic.UUID(required=True)
    subject = basic.String(required=True)
    verdict = basic.String(required=True)
    is_new = basic.Boolean(required=True)
    is_learned = basic.Boolean(required=True)
    replayed = basic.Integer(required=True)
    error_before = basic.Float(required=True, allow_none=True)
    error_after = basic.Float(required=True, allow_none=True)
