"""The wire forms of deployments."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.domain.finding import Group, Severity, Status
from hefesto_api.features.deployments import impact, risk
from hefesto_api.features.deployments.judging import STANDINGS, VERDICTS
from hefesto_api.storage.alerts import STATUSES
from hefesto_api.web import fields
from hefesto_api.web.paging import PageQuery, list_schema
from hefesto_api.web.schemas import Schema

FIELDS = (
    "id", "project", "environment", "commit_hash", "release", "deployed_at", "source", "deployed_by",
    "created_at", "previous", "is_running", "commits_known", "commits", "commits_total", "findings",
    "findings_total", "resolved", "resolved_total", "risk", "verdicts", "standing", "impact",
)  # fmt: skip
_A_HASH = ma.validate.Regexp(r"^[0-9a-fA-F]{4,64}$(?!\n)", error="Not the hash of a commit.")


class NewDeploymentSchema(Schema):
    """A marker: a commit, a release, or both began to run. Null is the same as not given."""

    project = fields.slug()
    environment = fields.text(
        200, least=1, allow_none=True, metadata={"description": "`production` by default."}
    )
    commit_hash = basic.String(validate=_A_HASH, allow_none=True)
    release = fields.text(250, least=1, allow_none=True)
    deployed_at = fields.Moment(allow_none=True, metadata={"description": "Now by default."})
    deployed_by = fields.text(
        200, least=1, allow_none=True, metadata={"description": "Who did it; by default who tells of it."}
    )

    @ma.pre_load
    def drop_nulls(self, data: Any, **_: Any) -> Any:
        """Leave out what is null."""
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}

    @ma.validates_schema
    def check_revision(self, data: dict[str, Any], **_: Any) -> None:
        """Demand to know what was deployed."""
        if not data.keys() & {"commit_hash", "release"}:
            raise ma.ValidationError("Give a commit_hash, a release, or both.", "commit_hash")


class DeploymentsQuery(PageQuery):
    """The list's parameters; the newest comes first."""

    FIELDS = FIELDS

    project = fields.text(200)
    environment = fields.text(200)
    since = fields.Moment(metadata={"description": "The first `deployed_at`, inclusive."})


class RevisionSchema(Schema):
    """The deployment before."""

    id = basic.UUID(required=True)
    commit_hash = basic.String(required=True, allow_none=True)
    release = basic.String(required=True, allow_none=True)
    deployed_at = basic.DateTime(required=True)


class ShippedCommitSchema(Schema):
    """A commit that was deployed for the first time."""

    commit_hash = basic.String(required=True)
    author = basic.String(required=True)
    timestamp = basic.DateTime(required=True, allow_none=True)
    message = basic.String(required=True)


class ShippedFindingSchema(Schema):
    """A finding that came with a deployment, with the status it has now."""

    id = basic.UUID(required=True)
    file_path = basic.String(required=True)
    line = basic.Integer(required=True)
    rule_id = basic.String(required=True)
    analyzer = basic.String(required=True, validate=ma.validate.OneOf([group.value for group in Group]))
    severity = basic.String(required=True, validate=ma.validate.OneOf([one.value for one in Severity]))
    description = basic.String(required=True)
    status = basic.String(required=True, validate=ma.validate.OneOf([one.value for one in Status]))
    first_seen = basic.DateTime(required=True)


class VerdictSchema(Schema):
    """How it went: the project's alerts in a window before the deployment and in one as long after.

    The window is shorter than `after_hours` when the next deployment came earlier.
    """

    after_hours = basic.Integer(required=True)
    verdict = basic.String(required=True, validate=ma.validate.OneOf(VERDICTS))
    alerts_before = basic.Integer(required=True)
    alerts_after = basic.Integer(required=True)
    new_alerts = basic.Integer(required=True)
    window_seconds = basic.Integer(required=True)
    decided_at = basic.DateTime(required=True)


class StandingSchema(Schema):
    """How it does by now, by the measure of the verdicts: over the window that `impact` counts in.

    `watching`: nothing speaks against it, and no verdict was given yet. `new_alerts_since` began after the
    deployment and are not in the latest verdict, which was given at `decided_at`.
    """

    verdict = basic.String(required=True, validate=ma.validate.OneOf(STANDINGS))
    decided_at = basic.DateTime(required=True, allow_none=True)
    new_alerts_since = basic.Integer(required=True)


class RiskSchema(Schema):
    """How risky it looks by what comes with it; `score` is the weight of the findings, as quality weighs."""

    level = basic.String(required=True, validate=ma.validate.OneOf(risk.LEVELS))
    score = basic.Float(required=True)
    reasons = basic.List(basic.String(), required=True)


class AlertsAroundSchema(Schema):
    """The project's alerts in a window before the deployment and in one as long after.

    The window lasts until the next deployment or now, at most a day (or as long as was asked for).
    """

    window_seconds = basic.Integer(required=True)
    alerts_before = basic.Integer(required=True)
    alerts_after = basic.Integer(required=True)
    new_alerts = basic.Integer(required=True)
    new_by_severity = basic.Dict(keys=basic.String(), values=basic.Integer(), required=True)


class DeploymentSchema(Schema):
    """A deployment, what shipped with it, and the verdicts given so far.

    `commits` are those that were not in the deployment before; without an index of the history, or a
    deployment before, `commits_known` is false. `resolved` are the findings that were resolved since the
    deployment before. The list shows the first ten of commits and of findings.
    """

    id = basic.UUID(required=True)
    project = basic.String(required=True)
    environment = basic.String(required=True)
    commit_hash = basic.String(required=True, allow_none=True)
    release = basic.String(required=True, allow_none=True)
    deployed_at = basic.DateTime(required=True)
    source = basic.String(required=True)
    deployed_by = basic.String(required=True, allow_none=True)
    created_at = basic.DateTime(required=True)
    previous = basic.Nested(RevisionSchema, required=True, allow_none=True)
    is_running = basic.Boolean(required=True)
    commits_known = basic.Boolean(required=True)
    commits = basic.List(basic.Nested(ShippedCommitSchema), required=True)
    commits_total = basic.Integer(required=True)
    findings = basic.List(basic.Nested(ShippedFindingSchema), required=True)
    findings_total = basic.Integer(required=True)
    resolved = basic.List(basic.Nested(ShippedFindingSchema), required=True)
    resolved_total = basic.Integer(required=True)
    risk = basic.Nested(RiskSchema, required=True)
    verdicts = basic.List(basic.Nested(VerdictSchema), required=True)
    standing = basic.Nested(StandingSchema, required=True)
    impact = basic.Nested(AlertsAroundSchema, required=True)


class ImpactQuery(Schema):
    """How long before and after a deployment to look."""

    hours = fields.QueryInteger(load_default=impact.HOURS, validate=ma.validate.Range(1, impact.MOST_HOURS))


class LikelySuspectSchema(Schema):
    """The function that is suspected most of an alert."""

    file_path = basic.String(required=True)
    function_name = basic.String(required=True)
    probability = basic.Float(required=True)


class AlertAfterSchema(Schema):
    """An alert that was on after a deployment; `is_new`: it was seen first after it."""

    id = basic.UUID(required=True)
    error_type = basic.String(required=True, allow_none=True)
    title = basic.String(required=True)
    severity = basic.String(required=True, validate=ma.validate.OneOf([one.value for one in Severity]))
    status = basic.String(required=True, validate=ma.validate.OneOf(STATUSES))
    service_name = basic.String(required=True, allow_none=True)
    first_seen = basic.DateTime(required=True)
    last_seen = basic.DateTime(required=True)
    occurrence_count = basic.Integer(required=True)
    is_new = basic.Boolean(required=True)
    suspect = basic.Nested(LikelySuspectSchema, required=True, allow_none=True)


class StretchSchema(Schema):
    """A stretch of time."""

    start = basic.DateTime(required=True)
    end = basic.DateTime(required=True)


class OccurrencesAroundSchema(Schema):
    """How often alerts occurred from `start` to the next: those known before the deployment, and new ones."""

    start = basic.DateTime(required=True)
    known = basic.Integer(required=True)
    new = basic.Integer(required=True)


class NeighbourSchema(RevisionSchema):
    """A deployment of the same environment in the period."""

    environment = basic.String(required=True)


class DeploymentImpactSchema(AlertsAroundSchema):
    """What followed a deployment; `alerts` are the first hundred of those after it, the new ones first."""

    deployment_id = basic.UUID(required=True)
    alerts = basic.List(basic.Nested(AlertAfterSchema), required=True)
    period = basic.Nested(StretchSchema, required=True)
    bucket_seconds = basic.Integer(required=True)
    buckets = basic.List(basic.Nested(OccurrencesAroundSchema), required=True)
    deployments = basic.List(basic.Nested(NeighbourSchema), required=True)


class ChangedFileSchema(Schema):
    """A file that the commits touched; of what was added, deleted or is no text no lines are counted."""

    file_path = basic.String(required=True)
    kind = basic.String(required=True, validate=ma.validate.OneOf(("added", "modified", "deleted")))
    commits = basic.Integer(required=True)
    lines_added = basic.Integer(required=True)
    lines_removed = basic.Integer(required=True)


class DeploymentChangesSchema(Schema):
    """The files that the commits of a deployment touched, the most changed first, at most a thousand."""

    deployment_id = basic.UUID(required=True)
    commits_known = basic.Boolean(required=True)
    files_total = basic.Integer(required=True)
    files = basic.List(basic.Nested(ChangedFileSchema), required=True)


DeploymentListSchema = list_schema("DeploymentList", DeploymentSchema, plural="deployments")
