"""The wire forms of alerts."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.domain import clock
from hefesto_api.domain.finding import Severity
from hefesto_api.features.alerts import maintenance
from hefesto_api.features.alerts.changes import MOST_AT_ONCE
from hefesto_api.features.alerts.parting import TRAITS
from hefesto_api.features.alerts.service import ALL, ITEM
from hefesto_api.storage.alert_lists import SORTS
from hefesto_api.storage.alert_occurrences import ITEM as OCCURRENCE
from hefesto_api.storage.alerts import STATUSES
from hefesto_api.web import fields
from hefesto_api.web.paging import PageQuery, list_schema
from hefesto_api.web.schemas import Schema

_SEVERITIES = tuple(severity.value for severity in Severity)
_LONGEST = 10_000_000  # of a trace; the body's limit is nearer


class AlertItemSchema(Schema):
    """An alert as the list shows it: `id` is ours, `alert_id` the sender's."""

    id = basic.UUID(required=True)
    alert_id = basic.String(required=True)
    source = basic.String(required=True)
    project = basic.String(required=True)
    service_name = basic.String(required=True, allow_none=True)
    environment = basic.String(required=True, allow_none=True)
    error_type = basic.String(required=True, allow_none=True)
    title = basic.String(required=True)
    message = basic.String(required=True)
    severity = basic.String(required=True, validate=ma.validate.OneOf(_SEVERITIES))
    status = basic.String(required=True, validate=ma.validate.OneOf(STATUSES))
    fingerprint = basic.String(required=True)
    occurrence_count = basic.Integer(required=True)
    first_seen = basic.DateTime(required=True)
    last_seen = basic.DateTime(required=True)
    affected_users = basic.Integer(required=True, allow_none=True)
    correlation_id = basic.UUID(required=True, allow_none=True)
    acknowledged_at = basic.DateTime(required=True, allow_none=True)
    acknowledged_by = basic.String(required=True, allow_none=True)
    resolved_at = basic.DateTime(required=True, allow_none=True)
    comment = basic.String(required=True, allow_none=True)
    in_maintenance = basic.Boolean(
        required=True, metadata={"description": "Whether it came within a maintenance window alone."}
    )
    metadata = basic.Dict(required=True)


class AlertHistoryEntrySchema(Schema):
    """One thing that happened to an alert; `user` is null for what its sender or the service did."""

    timestamp = basic.DateTime(required=True)
    action = basic.String(required=True)
    user = basic.String(required=True, allow_none=True)
    details = basic.String(required=True)


class ReportedFrameSchema(Schema):
    """A call of the stack as the sender structured it; what it did not say is left out."""

    file = basic.String()
    line = basic.Integer()
    function = basic.String()
    module = basic.String()
    column = basic.Integer()
    in_app = basic.Boolean()
    abs_path = basic.String()
    context_line = basic.String()


class LinkSchema(Schema):
    """A page about the alert."""

    href = basic.String(required=True)
    text = basic.String(required=True)


class _MarkerSchema(Schema):
    """A deployment of the alert's project."""

    id = basic.UUID(required=True)
    environment = basic.String(required=True)
    commit_hash = basic.String(required=True, allow_none=True)
    release = basic.String(required=True, allow_none=True)
    deployed_at = basic.DateTime(required=True)


class ProofSchema(Schema):
    """Why an alert is taken for fixed: what was deployed, and the silence since.

    `chance` is how probable such a silence is had nothing changed; `needed_seconds` of it were asked for.
    """

    deployments = basic.List(basic.Nested(_MarkerSchema), required=True)
    deployed_at = basic.DateTime(required=True)
    occurrences = basic.Integer(required=True)
    watched_seconds = basic.Integer(required=True)
    longest_gap_seconds = basic.Integer(required=True)
    quiet_seconds = basic.Integer(required=True)
    needed_seconds = basic.Integer(required=True)
    chance = basic.Float(required=True)


class ResolutionSchema(Schema):
    """Who resolved an alert: a person, its sender, or the system by a proof."""

    by = basic.String(required=True, validate=ma.validate.OneOf(("person", "sender", "system")))
    user = basic.String(required=True, allow_none=True)
    proof = basic.Nested(ProofSchema, required=True, allow_none=True)


class DecisionSchema(Schema):
    """What somebody decided: what has this fingerprint (and this trait, if one is named) belongs here."""

    fingerprint = basic.String(required=True)
    trait = basic.String(required=True, allow_none=True)
    value = basic.String(required=True, allow_none=True)
    reason = basic.String(required=True)
    user = basic.String(required=True)
    timestamp = basic.DateTime(required=True)


class GroupingSchema(Schema):
    """Why the occurrences of an alert are one."""

    by = basic.String(required=True, validate=ma.validate.OneOf(("stack", "group", "words")))
    reason = basic.String(required=True)
    decisions = basic.List(basic.Nested(DecisionSchema), required=True)


class AlertSchema(AlertItemSchema):
    """All that is known of an alert; the trace is that of its first occurrence."""

    group_id = basic.String(required=True, allow_none=True)
    description = basic.String(required=True)
    release = basic.String(required=True, allow_none=True)
    commit_hash = basic.String(required=True, allow_none=True)
    stacktrace = basic.String(required=True, allow_none=True)
    frames = basic.List(basic.Nested(ReportedFrameSchema), required=True)
    links = basic.List(basic.Nested(LinkSchema), required=True)
    resolved_by = basic.String(required=True, allow_none=True)
    regression_of = basic.UUID(
        required=True, allow_none=True, metadata={"description": "The resolved alert of the same cause."}
    )
    resolution = basic.Nested(ResolutionSchema, required=True, allow_none=True)
    merged_into = basic.UUID(required=True, allow_none=True)
    split_from = basic.UUID(required=True, allow_none=True)
    grouping = basic.Nested(GroupingSchema, required=True)
    history = basic.List(basic.Nested(AlertHistoryEntrySchema), required=True)


class _Filters(Schema):
    """What narrows the list down."""

    project = fields.text(200)
    status = fields.Words(known=(*STATUSES, ALL))
    severity = fields.Words(known=_SEVERITIES, upper=True)
    source = fields.text(100)
    service_name = fields.text(200)
    environment = fields.text(200)
    alert_id = fields.text(255, metadata={"description": "The sender's own id."})
    fingerprint = fields.text(100)
    in_maintenance = fields.QueryFlag()
    q = fields.text(500, metadata={"description": "Text of the title, message, error type or service."})
    start_date = fields.Moment(metadata={"description": "The first `last_seen`, inclusive."})
    end_date = fields.Moment(end=True, metadata={"description": "The last `last_seen`, inclusive."})


class AlertsQuery(PageQuery, _Filters):
    """The list's parameters; by default what was seen last comes first."""

    SORTS = tuple(SORTS)
    FIELDS = ITEM


class SummaryQuery(_Filters):
    """Which alerts to add up: all of them by default."""


class OccurrenceSchema(Schema):
    """One occurrence of an alert; `alert_id` is the sender's, a text that was not said is empty.

    `fingerprint` is what grouping made of it, `stack` a digest of every call: what tells it from others.
    """

    id = basic.UUID(required=True)
    timestamp = basic.DateTime(required=True)
    received_at = basic.DateTime(required=True)
    source = basic.String(required=True)
    alert_id = basic.String(required=True)
    severity = basic.String(required=True, validate=ma.validate.OneOf(_SEVERITIES))
    error_type = basic.String(required=True)
    message = basic.String(required=True)
    service_name = basic.String(required=True)
    environment = basic.String(required=True)
    release = basic.String(required=True, allow_none=True)
    commit_hash = basic.String(required=True, allow_none=True)
    affected_users = basic.Integer(required=True, allow_none=True)
    fingerprint = basic.String(required=True)
    stack = basic.String(required=True)
    group = basic.String(required=True)


class OccurrencesQuery(PageQuery):
    """Which part of the occurrences is wanted."""

    FIELDS = OCCURRENCE


OccurrenceListSchema = list_schema("OccurrenceList", OccurrenceSchema, plural="occurrences")


class TimelineQuery(Schema):
    """The stretch to show: by default from the first occurrence until now, or until a while after its end."""

    start_date = fields.Moment()
    end_date = fields.Moment(end=True)


class _PeriodSchema(Schema):
    """From where to where the buckets reach."""

    start = basic.DateTime(required=True)
    end = basic.DateTime(required=True)


class _BucketSchema(Schema):
    """How often the alert occurred from one moment to the next bucket's."""

    start = basic.DateTime(required=True)
    count = basic.Integer(required=True)


class TimelineSchema(Schema):
    """The course of an alert in at most 120 buckets; occurrences from before `complete_since` are not kept.

    `deployments` are the latest 200 of the project in the period, `changes` what its history holds of it.
    """

    alert_id = basic.UUID(required=True)
    period = basic.Nested(_PeriodSchema, required=True)
    complete_since = basic.DateTime(required=True)
    bucket_seconds = basic.Integer(required=True)
    total = basic.Integer(required=True)
    buckets = basic.List(basic.Nested(_BucketSchema), required=True)
    deployments = basic.List(basic.Nested(_MarkerSchema), required=True)
    changes = basic.List(basic.Nested(AlertHistoryEntrySchema), required=True)


AlertListSchema = list_schema("AlertList", AlertItemSchema, plural="alerts")


class NewAlertSchema(Schema):
    """An alert in our own form; the fields may also stand in `payload`. Only `alert_id` is required."""

    alert_id = fields.text(1000, required=True, least=1)
    alert_type = fields.text(200)
    timestamp = fields.Moment()
    project = fields.slug()
    group_id = fields.text(1000)
    title = fields.text(_LONGEST)
    description = fields.text(_LONGEST)
    error_type = fields.text(_LONGEST)
    error_message = fields.text(_LONGEST)
    stacktrace = fields.text(_LONGEST)
    frames = basic.List(basic.Dict())
    service_name = fields.text(200)
    severity = fields.text(100)
    affected_users = fields.Integer(validate=ma.validate.Range(0, fields.MOST))
    release = fields.text(1000)
    commit_hash = fields.text(200)
    environment = fields.text(200)
    metadata = basic.Dict()
    payload = basic.Dict()

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Tell that what is optional may be null."""
        field_obj.allow_none = not field_obj.required

    @ma.post_load
    def told_again(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Write the time as the reader of our own form has it."""
        when = data.get("timestamp")
        return data if when is None else {**data, "timestamp": clock.rfc3339(when)}


class CommentSchema(Schema):
    """What a person says about it; without a body, nothing."""

    MAY_BE_ABSENT = True

    comment = fields.text(1000, allow_none=True, load_default="")


class SplitAlertSchema(CommentSchema):
    """What to part from an alert: certain occurrences, or all that grouping gave one fingerprint.

    `by` is the trait that tells them from the rest; without one the first that does is taken.
    """

    MAY_BE_ABSENT = False

    occurrences = basic.List(basic.UUID(), validate=ma.validate.Length(1, MOST_AT_ONCE))
    fingerprint = fields.text(100, least=1)
    by = fields.Choice(TRAITS)

    @ma.validates_schema
    def check_choice(self, data: dict[str, Any], **_: Any) -> None:
        """Demand one of the two ways to choose."""
        if len(data.keys() & {"occurrences", "fingerprint"}) != 1:
            raise ma.ValidationError("Give occurrences or a fingerprint.", "occurrences")
        if data.keys() >= {"by", "fingerprint"}:
            raise ma.ValidationError("It tells occurrences apart, not a fingerprint.", "by")


class MergeAlertSchema(CommentSchema):
    """The alert that another becomes part of."""

    MAY_BE_ABSENT = False

    into = basic.UUID(required=True)


class _WindowChangesSchema(Schema):
    """What can be changed of a maintenance window."""

    service_name = fields.text(200, least=1, allow_none=True)
    environment = fields.text(200, least=1, allow_none=True)
    starts_at = fields.Moment()
    ends_at = fields.Moment(end=True)
    comment = fields.text(1000, allow_none=True)


class MaintenanceWindowChangesSchema(_WindowChangesSchema):
    """What to change of a maintenance window: at least one thing."""

    @ma.validates_schema
    def check_changes(self, data: dict[str, Any], **_: Any) -> None:
        """Demand a change."""
        if not data:
            raise ma.ValidationError("Name what to change.")


class NewMaintenanceWindowSchema(_WindowChangesSchema):
    """When and for what to be quiet: what is not named narrows nothing down. It begins now by default."""

    project = fields.slug(allow_none=True)
    ends_at = fields.Moment(end=True, required=True)


class MaintenanceWindowsQuery(PageQuery):
    """Which maintenance windows are wanted; `active` asks for those that are on now."""

    FIELDS = maintenance.FIELDS

    project = fields.text(200)
    active = fields.QueryFlag()


class MaintenanceWindowSchema(Schema):
    """A time in which alerts are recorded and marked, and not announced; null narrows nothing down."""

    id = basic.UUID(required=True)
    project = basic.String(required=True, allow_none=True)
    service_name = basic.String(required=True, allow_none=True)
    environment = basic.String(required=True, allow_none=True)
    starts_at = basic.DateTime(required=True)
    ends_at = basic.DateTime(required=True)
    comment = basic.String(required=True, allow_none=True)
    is_active = basic.Boolean(required=True)
    created_by = basic.String(required=True)
    created_at = basic.DateTime(required=True)
    updated_at = basic.DateTime(required=True)


MaintenanceWindowListSchema = list_schema(
    "MaintenanceWindowList", MaintenanceWindowSchema, plural="maintenance_windows"
)


class AcknowledgeBatchSchema(CommentSchema):
    """Several alerts to acknowledge."""

    MAY_BE_ABSENT = False

    ids = basic.List(basic.UUID(), required=True, validate=ma.validate.Length(1, MOST_AT_ONCE))


class AcknowledgedBatchSchema(Schema):
    """How many were acknowledged; `already` were before, or are resolved."""

    acknowledged = basic.Integer(required=True)
    not_found = basic.List(basic.UUID(), required=True)
    already = basic.List(basic.UUID(), required=True)


class FlappingAlertSchema(AlertItemSchema):
    """The latest of several alerts of one cause within a week."""

    times = basic.Integer(required=True)


def _counts() -> basic.Dict:
    return basic.Dict(keys=basic.String(), values=basic.Integer(), required=True)


class TimesSchema(Schema):
    """How long it took: on average, for half of the alerts at most, for nine of ten at most."""

    mean = basic.Float(required=True, allow_none=True)
    p50 = basic.Float(required=True, allow_none=True)
    p90 = basic.Float(required=True, allow_none=True)


class AlertSummarySchema(Schema):
    """What alerts add up to. A mean time is null where there is none.

    Until it was acknowledged runs from the alert's arrival, until it was resolved from its first occurrence.
    """

    total = basic.Integer(required=True)
    by_status = _counts()
    by_severity = _counts()
    by_service = _counts()
    by_project = _counts()
    mean_time_to_acknowledge_seconds = basic.Float(required=True, allow_none=True)
    mean_time_to_resolve_seconds = basic.Float(required=True, allow_none=True)
    time_to_acknowledge_seconds = basic.Nested(TimesSchema, required=True)
    time_to_resolve_seconds = basic.Nested(TimesSchema, required=True)
    top = basic.List(basic.Nested(AlertItemSchema), required=True)
    flapping = basic.List(basic.Nested(FlappingAlertSchema), required=True)
    standing = basic.List(basic.Nested(AlertItemSchema), required=True)
