"""The wire forms of the service's own state."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields

from hefesto_api.web.schemas import Schema

_SERVICE = ma.validate.OneOf(("OK", "DEGRADED", "DOWN", "DISABLED"))
_STATE = ma.validate.OneOf(("healthy", "degraded", "unhealthy", "disabled"))


def _time(**options: object) -> fields.String:
    return fields.String(required=True, metadata={"format": "date-time"}, **options)  # type: ignore[arg-type]


class WelcomeSchema(Schema):
    """What this is, and where to read on."""

    message = fields.String(required=True)
    version = fields.String(required=True)
    docs = fields.String(required=True)


class HealthSchema(Schema):
    """Whether this process takes requests."""

    status = fields.String(required=True, validate=ma.validate.OneOf(("healthy", "unhealthy")))
    version = fields.String(required=True)
    timestamp = _time()


class LivenessSchema(Schema):
    """That the process answers."""

    status = fields.String(required=True, validate=ma.validate.Equal("alive"))


class ReadinessSchema(Schema):
    """Whether requests may be sent here, and what of it does not hold."""

    status = fields.String(required=True, validate=ma.validate.OneOf(("ready", "not_ready")))
    checks = fields.Dict(required=True, keys=fields.String(), values=fields.Boolean())


class ServicesSchema(Schema):
    """The parts of the service."""

    analyzer = fields.String(required=True, validate=_SERVICE)
    database = fields.String(required=True, validate=_SERVICE)
    cache = fields.String(required=True, validate=_SERVICE)
    queue = fields.String(required=True, validate=_SERVICE)
    llm = fields.String(required=True, validate=_SERVICE)
    gemini_api = fields.String(required=True, validate=_SERVICE)


class ServiceHealthSchema(Schema):
    """The state of the parts."""

    status = fields.String(required=True, validate=_STATE)
    version = fields.String(required=True)
    services = fields.Nested(ServicesSchema, required=True)
    timestamp = _time()


class CheckSchema(Schema):
    """The outcome of looking at one part."""

    status = fields.String(required=True, validate=_STATE)
    latency_ms = fields.Float(required=True)
    details = fields.Dict(required=True, keys=fields.String())


class DeepHealthSchema(Schema):
    """What each part looks like from close by."""

    status = fields.String(required=True, validate=_STATE)
    checks = fields.Dict(required=True, keys=fields.String(), values=fields.Nested(CheckSchema))
    warnings = fields.List(fields.String(), required=True)
    timestamp = _time()


class StatusSchema(Schema):
    """The state of the whole in one word, and of its parts."""

    status = fields.String(required=True, validate=ma.validate.OneOf(("operational", "degraded", "outage")))
    version = fields.String(required=True)
    analyzers = fields.Dict(required=True, keys=fields.String(), values=fields.String())
    integrations = fields.Dict(required=True, keys=fields.String(), values=fields.String())
    uptime_seconds = fields.Float(required=True)
    last_health_check = _time()


class ProcessSchema(Schema):
    """The process that answered."""

    pid = fields.Integer(required=True)
    started_at = _time()
    uptime_seconds = fields.Float(required=True)
    threads = fields.Integer(required=True)
    memory_bytes = fields.Integer(required=True)


class DatabaseSchema(Schema):
    """The database."""

    kind = fields.String(required=True, validate=ma.validate.OneOf(("sqlite", "postgresql")))
    version = fields.String(required=True)
    size_bytes = fields.Integer(required=True)


class SystemInfoSchema(Schema):
    """What the service is made of."""

    version = fields.String(required=True)
    versions = fields.Dict(required=True, keys=fields.String(), values=fields.String())
    process = fields.Nested(ProcessSchema, required=True)
    database = fields.Nested(DatabaseSchema, required=True)
    schema_revision = fields.String(required=True, allow_none=True)
    queue_depth = fields.Integer(required=True)
    worker_count = fields.Integer(required=True)
    feature_flags = fields.Dict(required=True, keys=fields.String(), values=fields.Boolean())


class JobSchema(Schema):
    """One job of the queue."""

    id = fields.UUID(required=True)
    kind = fields.String(required=True)
    status = fields.String(required=True)
    priority = fields.Integer(required=True)
    attempts = fields.Integer(required=True)
    max_attempts = fields.Integer(required=True)
    run_at = fields.DateTime(required=True)
    created_at = fields.DateTime(required=True)
    finished_at = fields.DateTime(required=True, allow_none=True)
    last_error = fields.String(required=True, allow_none=True)


class ScheduleSchema(Schema):
    """Work that comes round, with its latest run."""

    name = fields.String(required=True)
    kind = fields.String(required=True)
    every_seconds = fields.Integer(required=True)
    next_run_at = fields.DateTime(required=True)
    last_run_at = fields.DateTime(required=True, allow_none=True)
    last_status = fields.String(required=True, allow_none=True)
    last_error = fields.String(required=True, allow_none=True)


class ExecutionSchema(Schema):
    """One time that a schedule's work was carried out."""

    id = fields.UUID(required=True)
    schedule = fields.String(required=True)
    kind = fields.String(required=True)
    job_id = fields.UUID(required=True)
    started_at = fields.DateTime(required=True)
    ended_at = fields.DateTime(required=True)
    status = fields.String(required=True, validate=ma.validate.OneOf(("succeeded", "failed")))
    error = fields.String(required=True, allow_none=True)


class RecalculationSchema(Schema):
    """When the baseline of a metric is learned anew; `project_id` is empty for one of the whole service."""

    metric = fields.String(required=True)
    project_id = fields.String(required=True)
    every_seconds = fields.Integer(required=True)
    next_run_at = fields.DateTime(required=True)
    last_run_at = fields.DateTime(required=True, allow_none=True)
    last_status = fields.String(required=True, allow_none=True)
    last_error = fields.String(required=True, allow_none=True)


class JobsSchema(Schema):
    """The queue: the latest jobs of each state, the schedules, and how their latest runs ended."""

    queued = fields.List(fields.Nested(JobSchema), required=True)
    running = fields.List(fields.Nested(JobSchema), required=True)
    dead = fields.List(fields.Nested(JobSchema), required=True)
    scheduled = fields.List(fields.Nested(ScheduleSchema), required=True)
    executions = fields.List(fields.Nested(ExecutionSchema), required=True)
    baselines = fields.List(fields.Nested(RecalculationSchema), required=True)
    counts = fields.Dict(required=True, keys=fields.String(), values=fields.Integer())
