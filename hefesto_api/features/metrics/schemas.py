"""The wire forms of metrics."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.domain.finding import Group, Severity
from hefesto_api.features.metrics.trends import PERIODS
from hefesto_api.web import fields
from hefesto_api.web.schemas import Schema

MOST_DAYS = 365
MOST_NEW = 1_000_000
MOST_HOTSPOTS = 1_000
GRADES = ("A", "B", "C", "D", "F")
_SCORE = ma.validate.Range(0, 100)


class SummaryQuery(Schema):
    """Whole days (UTC), both included; by default the last 30."""

    start_date = fields.Moment()
    end_date = fields.Moment(end=True)
    project = fields.text(200)


class TrendsQuery(Schema):
    """How many days back, and into what they are joined."""

    period = fields.Choice(PERIODS, load_default="daily")
    days = fields.QueryInteger(load_default=30, validate=ma.validate.Range(1, MOST_DAYS))
    project = fields.text(200)


class HotspotsQuery(Schema):
    """How many days of changes and incidents count, and how many files are wanted."""

    days = fields.QueryInteger(load_default=90, validate=ma.validate.Range(1, MOST_DAYS))
    limit = fields.QueryInteger(load_default=200, validate=ma.validate.Range(1, MOST_HOTSPOTS))
    project = fields.text(200)


class MetricsPeriodSchema(Schema):
    """Whole days, both included."""

    start = basic.Date(required=True)
    end = basic.Date(required=True)


class QualitySchema(Schema):
    """The parts of a score: weight of what stands, lines of code, weight per 1000 lines."""

    weight = basic.Float(required=True)
    lines_of_code = basic.Integer(required=True)
    density = basic.Float(required=True)


class MetricsComparisonSchema(Schema):
    """Against the end of the period before; the percentage is null when nothing stood then."""

    findings_change_percent = basic.Float(required=True, allow_none=True)
    quality_score_change = basic.Float(required=True)


class TopFileSchema(Schema):
    """A file with what stands in it."""

    file_path = basic.String(required=True)
    project = basic.String(required=True)
    total = basic.Integer(required=True)
    critical = basic.Integer(required=True)
    high = basic.Integer(required=True)
    medium = basic.Integer(required=True)
    low = basic.Integer(required=True)
    weight = basic.Float(required=True)


class RulePrecisionSchema(Schema):
    """How often a rule was right: `resolved` of those that were resolved or called false positives."""

    rule_id = basic.String(required=True)
    findings = basic.Integer(required=True)
    resolved = basic.Integer(required=True)
    false_positives = basic.Integer(required=True)
    precision = basic.Float(required=True)


BySeveritySchema = Schema.from_dict(
    {one.value: basic.Integer(required=True) for one in reversed(Severity)}, name="FindingsBySeverity"
)
ByAnalyzerSchema = Schema.from_dict(
    {one.value: basic.Integer(required=True) for one in Group}, name="FindingsByAnalyzer"
)


class MetricsSummarySchema(Schema):
    """How things stood at the end of a period."""

    period = basic.Nested(MetricsPeriodSchema, required=True)
    total_analyses = basic.Integer(required=True)
    total_findings = basic.Integer(required=True)
    findings_by_severity = basic.Nested(BySeveritySchema, required=True)
    findings_by_analyzer = basic.Nested(ByAnalyzerSchema, required=True)
    trend = basic.String(required=True, validate=ma.validate.OneOf(("improving", "degrading", "stable")))
    quality_score = basic.Float(required=True, validate=_SCORE)
    quality_grade = basic.String(required=True, validate=ma.validate.OneOf(GRADES))
    quality = basic.Nested(QualitySchema, required=True)
    comparison_previous_period = basic.Nested(MetricsComparisonSchema, required=True, allow_none=True)
    top_files = basic.List(basic.Nested(TopFileSchema), required=True)
    rule_precision = basic.List(basic.Nested(RulePrecisionSchema), required=True)


class HotspotPartSchema(Schema):
    """Whether something is known at all, and if not, why."""

    known = basic.Boolean(required=True)
    reason = basic.String(required=True, allow_none=True)


class HotspotPartsSchema(Schema):
    """What scores are made of."""

    complexity = basic.Nested(HotspotPartSchema, required=True)
    churn = basic.Nested(HotspotPartSchema, required=True)
    incidents = basic.Nested(HotspotPartSchema, required=True)


class MostComplexSchema(Schema):
    """The most complex function of a file."""

    function_name = basic.String(required=True)
    line = basic.Integer(required=True)
    complexity = basic.Integer(required=True)


class StandingInFileSchema(Schema):
    """What stands in a file."""

    total = basic.Integer(required=True)
    critical = basic.Integer(required=True)
    high = basic.Integer(required=True)
    medium = basic.Integer(required=True)
    low = basic.Integer(required=True)


class HotspotSchema(Schema):
    """A file; `commits` is null where its project has no history.

    `complexity` is the cognitive complexity of all its functions together.
    """

    file_path = basic.String(required=True)
    project = basic.String(required=True)
    language = basic.String(required=True, allow_none=True)
    lines_of_code = basic.Integer(required=True)
    score = basic.Float(required=True, validate=_SCORE)
    commits = basic.Integer(required=True, allow_none=True)
    last_changed = basic.DateTime(required=True, allow_none=True)
    complexity = basic.Integer(required=True)
    most_complex = basic.Nested(MostComplexSchema, required=True, allow_none=True)
    incidents = basic.Integer(required=True)
    findings = basic.Nested(StandingInFileSchema, required=True)


class HotspotsSchema(Schema):
    """The hottest files, what their scores are made of, and since when changes and incidents count."""

    since = basic.Date(required=True)
    parts = basic.Nested(HotspotPartsSchema, required=True)
    files = basic.List(basic.Nested(HotspotSchema), required=True)


class DataPointSchema(Schema):
    """What stood at the end of a day (of a period's last day), and what the period changed."""

    date = basic.Date(required=True)
    total_findings = basic.Integer(required=True)
    critical = basic.Integer(required=True)
    high = basic.Integer(required=True)
    medium = basic.Integer(required=True)
    low = basic.Integer(required=True)
    opened = basic.Integer(required=True)
    resolved = basic.Integer(required=True)
    quality_score = basic.Float(required=True, validate=_SCORE)


class DayScoreSchema(Schema):
    """A day with its score."""

    date = basic.Date(required=True)
    quality_score = basic.Float(required=True, validate=_SCORE)


class TrendsSummarySchema(Schema):
    """The scores of all points in short."""

    average_quality_score = basic.Float(required=True, validate=_SCORE)
    best_day = basic.Nested(DayScoreSchema, required=True)
    worst_day = basic.Nested(DayScoreSchema, required=True)


class MetricsTrendsSchema(Schema):
    """How what stands has changed."""

    period = basic.String(required=True, validate=ma.validate.OneOf(PERIODS))
    data_points = basic.List(basic.Nested(DataPointSchema), required=True)
    summary = basic.Nested(TrendsSummarySchema, required=True)


def _most(severity: str, **options: Any) -> basic.Field[Any]:
    about = {"description": f"How many new findings of severity {severity} pass."}
    return fields.QueryInteger(validate=ma.validate.Range(0, MOST_NEW), metadata=about, **options)


class GateQuery(Schema):
    """Which new code is judged, and by what; without more said, nothing HIGH or CRITICAL may be new."""

    branch = fields.text(300)
    analysis_id = basic.UUID()
    max_critical = _most("CRITICAL", load_default=0)
    max_high = _most("HIGH", load_default=0)
    max_medium = _most("MEDIUM")
    max_low = _most("LOW")
    min_grade = fields.Choice(GRADES, upper=True, metadata={"description": "The least grade of the project."})


class GateConditionSchema(Schema):
    """One condition with what was found; numbers, but for the grade."""

    metric = basic.String(required=True)
    limit = basic.Raw(required=True)
    value = basic.Raw(required=True)
    passed = basic.Boolean(required=True)


NewFindingsSchema = Schema.from_dict(
    {name: basic.Integer(required=True) for name in ("total", *(one.value for one in reversed(Severity)))},
    name="NewFindings",
)


class GateSchema(Schema):
    """Whether new code passes; `compared_with` is null when a branch is compared with its own past."""

    passed = basic.Boolean(required=True)
    project = basic.String(required=True)
    analysis_id = basic.UUID(required=True)
    branch = basic.String(required=True, allow_none=True)
    compared_with = basic.String(required=True, allow_none=True)
    conditions = basic.List(basic.Nested(GateConditionSchema), required=True)
    new_findings = basic.Nested(NewFindingsSchema, required=True)
    quality_score = basic.Float(required=True, validate=_SCORE)
    quality_grade = basic.String(required=True, validate=ma.validate.OneOf(GRADES))
