"""The wire forms of the dashboard's data."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.domain import baseline
from hefesto_api.domain.finding import Severity
from hefesto_api.storage import anomalies
from hefesto_api.storage.alerts import ACKNOWLEDGED, PENDING
from hefesto_api.web import fields
from hefesto_api.web.schemas import Schema

_SEVERITY = ma.validate.OneOf([one.value for one in Severity])
_MOST_MINUTES = 129_600
_MOST_DAYS = 90


def _number(**options: Any) -> basic.Float:
    return basic.Float(required=True, **options)


def _moment(**options: Any) -> basic.DateTime:
    return basic.DateTime(required=True, **options)


def _count() -> basic.Integer:
    return basic.Integer(required=True)


class DashboardQuery(Schema):
    """One project, else all that may be seen."""

    project = fields.text(200)


class PerformanceQuery(Schema):
    """How far back; by default an hour."""

    minutes = fields.QueryInteger(load_default=60, validate=ma.validate.Range(1, _MOST_MINUTES))


class AnomaliesQuery(DashboardQuery):
    """Which anomalies: of the last days (and those still open), of one state, of one metric."""

    days = fields.QueryInteger(load_default=14, validate=ma.validate.Range(1, _MOST_DAYS))
    status = fields.Choice((anomalies.OPEN, anomalies.ENDED))
    metric = fields.text(100)


class TopSuspectSchema(Schema):
    """The function that is suspected first, and how probable it is."""

    file_path = basic.String(required=True)
    function_name = basic.String(required=True)
    line_number = _count()
    probability = _number()


class TopCommitSchema(Schema):
    """The commit that is suspected first."""

    commit_hash = basic.String(required=True)
    message = basic.String(required=True)
    score = _number()


class FiringAlertSchema(Schema):
    """An alert that nobody has resolved, with its top suspect; `why` is one line."""

    id = basic.UUID(required=True)
    project = basic.String(required=True)
    service_name = basic.String(required=True, allow_none=True)
    environment = basic.String(required=True, allow_none=True)
    error_type = basic.String(required=True, allow_none=True)
    title = basic.String(required=True)
    severity = basic.String(required=True, validate=_SEVERITY)
    status = basic.String(required=True, validate=ma.validate.OneOf((PENDING, ACKNOWLEDGED)))
    occurrence_count = _count()
    first_seen = _moment()
    last_seen = _moment()
    correlation_id = basic.UUID(required=True, allow_none=True)
    top_suspect = basic.Nested(TopSuspectSchema, required=True, allow_none=True)
    suspect_commit = basic.Nested(TopCommitSchema, required=True, allow_none=True)
    why = basic.String(required=True, allow_none=True)


class FiringSchema(Schema):
    """What fires: how much, and the worst of it."""

    firing = _count()
    pending = _count()
    acknowledged = _count()
    top = basic.List(basic.Nested(FiringAlertSchema), required=True)


class LatestVerdictSchema(Schema):
    """What was judged of a deployment after so many hours."""

    deployment_id = basic.UUID(required=True)
    after_hours = _count()
    verdict = basic.String(required=True)
    alerts_before = _count()
    alerts_after = _count()
    new_alerts = _count()
    window_seconds = _count()
    decided_at = _moment()


class LatestDeploymentSchema(Schema):
    """A deployment; `verdict` is the latest."""

    id = basic.UUID(required=True)
    project = basic.String(required=True)
    environment = basic.String(required=True)
    commit_hash = basic.String(required=True, allow_none=True)
    release = basic.String(required=True, allow_none=True)
    deployed_at = _moment()
    verdict = basic.String(required=True, allow_none=True)
    verdicts = basic.List(basic.Nested(LatestVerdictSchema), required=True)


class ProjectQualitySchema(Schema):
    """The quality of a project; null while no line of it was read."""

    project = basic.String(required=True)
    quality_score = basic.Float(required=True, allow_none=True)
    quality_grade = basic.String(required=True, allow_none=True)
    lines_of_code = _count()


class StandingFindingsSchema(Schema):
    """How many findings stand."""

    total = _count()
    by_severity = basic.Dict(required=True, keys=basic.String(), values=basic.Integer())


class HappenedSchema(Schema):
    """Something that happened."""

    id = basic.UUID(required=True)
    type = basic.String(required=True)
    timestamp = _moment()
    project = basic.String(required=True, allow_none=True)
    subject_id = basic.String(required=True, allow_none=True)
    title = basic.String(required=True, allow_none=True)
    severity = basic.String(required=True, allow_none=True)


class DashboardOverviewSchema(Schema):
    """How things are: what fires and why, what was deployed, how good the code is, what happened."""

    alerts = basic.Nested(FiringSchema, required=True)
    deployments = basic.List(basic.Nested(LatestDeploymentSchema), required=True)
    quality = basic.List(basic.Nested(ProjectQualitySchema), required=True)
    findings = basic.Nested(StandingFindingsSchema, required=True)
    lately = basic.List(basic.Nested(HappenedSchema), required=True)


class MeasuredRequestsSchema(Schema):
    """Requests: `refused` were answered with 400 to 499, `errors` with 500 and more."""

    requests = _count()
    requests_per_minute = _number()
    refused = _count()
    errors = _count()
    error_rate = _number()
    p50_ms = _number(allow_none=True)
    p95_ms = _number(allow_none=True)
    p99_ms = _number(allow_none=True)


class MeasuredRouteSchema(MeasuredRequestsSchema):
    """The requests of a route."""

    route = basic.String(required=True)


class MeasuredPointSchema(MeasuredRequestsSchema):
    """A stretch of time, from `at` on."""

    at = _moment()
    queue_depth = _number(allow_none=True)
    storage_writer_wait_ms = _number(allow_none=True)


class MeasuredPeriodSchema(Schema):
    """What was measured: whole minutes, the one at hand included."""

    start = _moment()
    end = _moment()
    minutes = _count()


class MeasuredQueueSchema(Schema):
    """The queue: as it is now, and as it was seen in the period."""

    depth = _count()
    oldest_waiting_seconds = _number()
    mean_depth = _number(allow_none=True)
    most_depth = _number(allow_none=True)
    most_waiting_seconds = _number(allow_none=True)


class WriterWaitSchema(Schema):
    """What writers waited for the storage's door; null where there is none to wait for."""

    writes = _count()
    mean_ms = _number(allow_none=True)
    most_ms = _number(allow_none=True)


class DashboardPerformanceSchema(Schema):
    """How the service itself does, all its processes together."""

    period = basic.Nested(MeasuredPeriodSchema, required=True)
    requests = basic.Nested(MeasuredRequestsSchema, required=True)
    routes = basic.List(basic.Nested(MeasuredRouteSchema), required=True)
    points = basic.List(basic.Nested(MeasuredPointSchema), required=True)
    queue = basic.Nested(MeasuredQueueSchema, required=True)
    cache_hit_rate = _number(allow_none=True)
    storage_writer_wait = basic.Nested(WriterWaitSchema, required=True)


class AnomalySchema(Schema):
    """A stretch in which a metric was not what it usually is; the numbers are of its worst point."""

    id = basic.UUID(required=True)
    metric = basic.String(required=True)
    project = basic.String(required=True, allow_none=True)
    started_at = _moment()
    detected_at = _moment()
    ended_at = _moment(allow_none=True)
    value = _number()
    expected = _number()
    lower = _number()
    upper = _number()
    score = basic.Float(required=True, metadata={"description": "Deviations above (below) what is usual."})
    severity = basic.String(required=True, validate=_SEVERITY)
    status = basic.String(required=True, validate=ma.validate.OneOf((anomalies.OPEN, anomalies.ENDED)))


class MetricPointSchema(Schema):
    """What a metric was at a time, and what was expected."""

    at = _moment()
    value = _number()
    expected = _number(allow_none=True)
    lower = _number(allow_none=True)
    upper = _number(allow_none=True)


class BaselineSchema(Schema):
    """What is usual of a metric now; null where too little is known to say."""

    metric = basic.String(required=True)
    project = basic.String(required=True, allow_none=True)
    granularity = basic.String(
        required=True,
        validate=ma.validate.OneOf((baseline.HOUR_OF_WEEK, baseline.HOUR_OF_DAY, baseline.NONE)),
    )
    learned_from_points = _count()
    learned_from_days = _count()
    learned_at = _moment(allow_none=True)
    value = _number()
    measured_at = _moment()
    expected = _number(allow_none=True)
    lower = _number(allow_none=True)
    upper = _number(allow_none=True)
    points = basic.List(
        basic.Nested(MetricPointSchema),
        required=True,
        metadata={"description": "Of the last day, where a metric is asked for."},
    )


class DashboardAnomaliesSchema(Schema):
    """What is not as it usually is, and what is usual."""

    anomalies = basic.List(basic.Nested(AnomalySchema), required=True)
    baselines = basic.List(basic.Nested(BaselineSchema), required=True)


class WebhookStandingSchema(Schema):
    """How a webhook does."""

    id = basic.UUID(required=True)
    name = basic.String(required=True)
    project = basic.String(required=True, allow_none=True)
    format = basic.String(required=True)
    is_active = basic.Boolean(required=True)
    health_status = basic.String(required=True)
    success_rate = _number(allow_none=True)
    p50_ms = _number(allow_none=True)
    p95_ms = _number(allow_none=True)
    last_success_at = _moment(allow_none=True)
    last_failure_at = _moment(allow_none=True)


class DashboardWebhooksSchema(Schema):
    """How the webhooks do that may be seen; how many deliveries wait is for who may see all."""

    enabled = basic.Boolean(required=True)
    total = _count()
    by_health = basic.Dict(required=True, keys=basic.String(), values=basic.Integer())
    deliveries_waiting = basic.Integer(required=True, allow_none=True)
    webhooks = basic.List(basic.Nested(WebhookStandingSchema), required=True)


class DashboardSchema(Schema):
    """All of the dashboard at once."""

    overview = basic.Nested(DashboardOverviewSchema, required=True)
    webhooks = basic.Nested(DashboardWebhooksSchema, required=True)
    performance = basic.Nested(DashboardPerformanceSchema, required=True)
    anomalies = basic.Nested(DashboardAnomaliesSchema, required=True)
