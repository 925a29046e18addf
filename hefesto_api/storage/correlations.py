"""Correlations: what was answered about an alert, from what, and which findings and functions it named."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import orjson
import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain.errors import NotFound
from hefesto_api.storage import hot
from hefesto_api.storage.alerts import alerts
from hefesto_api.storage.base import Blob, Session, Text, UtcDateTime, metadata, upsert, wire
from hefesto_api.storage.findings import findings as known_findings

correlations = sa.Table(
    "correlations",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    sa.Column("alert_id", Text, sa.ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("error_type", Text),
    sa.Column("commit_hash", Text),  # the deployed revision that it was answered for
    sa.Column("confidence_score", sa.Float, nullable=False),
    sa.Column("correlation_found", sa.Boolean, nullable=False),
    sa.Column("model_version", Text, nullable=False),
    sa.Column("answer", Blob, nullable=False),
    sa.Column("inputs", Blob, nullable=False),
    sa.Index(None, "project_id", "id"),
    sa.Index(None, "alert_id", "id"),
)

# Of an alert's latest correlation: the findings that matched.
finding_incidents = sa.Table(
    "finding_incidents",
    metadata,
    sa.Column("finding_id", Text, sa.ForeignKey("findings.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("alert_id", Text, sa.ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("correlation_id", Text, nullable=False),
    sa.Column("match_confidence", sa.Float, nullable=False),
    sa.Index(None, "alert_id"),
)

# Of an alert's latest correlation: the functions that were named, and what a person said of each.
alert_suspects = sa.Table(
    "alert_suspects",
    metadata,
    sa.Column("alert_id", Text, sa.ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("file_path", Text, primary_key=True),
    sa.Column("function_name", Text, primary_key=True),
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    sa.Column("error_type", Text),
    sa.Column("probability", sa.Float, nullable=False),
    sa.Column("confirmed", sa.Boolean),
    sa.Column("seen_at", UtcDateTime, nullable=False),
    sa.Index(None, "project_id", "file_path", "seen_at"),
)

MOST_OF_A_FINDING = 100


class CorrelationRecord(Struct, frozen=True):
    """A row of `correlations`; `alert_id` is ours. `answer` is JSON, `inputs` compressed JSON."""

    id: str
    project_id: str
    alert_id: str
    created_at: datetime
    error_type: str | None
    commit_hash: str | None
    confidence_score: float
    correlation_found: bool
    model_version: str
    answer: bytes
    inputs: bytes

    def told(self) -> dict[str, Any]:
        """Return what was answered."""
        return orjson.loads(self.answer)  # type: ignore[no-any-return]

    def made_from(self) -> bytes:
        """Return, as JSON, all that the answer was made from."""
        return zlib.decompress(self.inputs)


class Named(Struct, frozen=True):
    """A function that a correlation named."""

    file_path: str
    function_name: str
    probability: float


def record(
    session: Session,
    made: CorrelationRecord,
    *,
    findings: Iterable[tuple[str, float]] = (),
    functions: Iterable[Named] = (),
) -> None:
    """Keep a correlation; what the alert's former one named gives way, but for what a person judged.

    `findings` are ids with the confidence of their match. One that was deleted meanwhile is left out. An
    alert whose sender did not tell the type of the error gets it.
    """
    hot.change(session, _INSERT, structs.asdict(made))
    of_alert = {"alert": made.alert_id}
    hot.change(session, _POINT, {**of_alert, "to": made.id, "error_type": made.error_type})
    hot.change(session, _FORGET_FINDINGS, of_alert)
    hot.change(session, _FORGET_SUSPECTS, of_alert)
    for finding_id, confidence in findings:
        row = {"finding": finding_id, **of_alert, "correlation": made.id, "confidence": confidence}
        hot.change(session, _ADD_FINDING, row)
    rows = [_suspect_row(made, one) | {"confirmed": None} for one in functions]
    hot.change_each(session, _suspect(session.dialect.name, judged=False), rows)


def judge(session: Session, made: CorrelationRecord, one: Named, *, confirmed: bool | None) -> None:
    """Note what a person says of a function; None takes it back."""
    row = _suspect_row(made, one) | {"confirmed": confirmed}
    session.execute(_suspect(session.dialect.name, judged=True), row)


def judge_finding(
    session: Session, made: CorrelationRecord, finding_id: str, *, confirmed: bool | None
) -> None:
    """Count an alert among a finding's incidents, or (when that is rejected) no longer."""
    row = {"finding": finding_id, "alert": made.alert_id, "correlation": made.id, "confidence": 1.0}
    if confirmed is not None:
        session.execute(_FORGET_FINDING, {"finding": finding_id, "alert": made.alert_id})
    if confirmed:
        session.execute(_ADD_FINDING, row)


def _suspect_row(made: CorrelationRecord, one: Named) -> dict[str, Any]:
    return {
        "alert_id": made.alert_id, "file_path": one.file_path, "function_name": one.function_name,
        "project_id": made.project_id, "error_type": made.error_type, "probability": one.probability,
        "seen_at": made.created_at,
    }  # fmt: skip


def get(session: Session, correlation_id: str) -> CorrelationRecord:
    """Return a correlation; raises NotFound."""
    row = session.execute(_BY_ID, {"id": correlation_id}).first()
    if row is None:
        raise NotFound("correlation", correlation_id)
    return CorrelationRecord(*row)


def page(
    session: Session,
    *,
    limit: int,
    offset: int = 0,
    project_ids: Sequence[str] | None = None,
    alert_id: str | None = None,
    before: str | None = None,
) -> list[CorrelationRecord]:
    """Return correlations, newest first; `before` is the id of the last one already seen."""
    c = correlations.c
    wanted = _conditions(project_ids, alert_id)
    if before is not None:
        wanted.append(c.id < before)
    columns = [column if column.name != "inputs" else sa.literal(b"").label("inputs") for column in c]
    statement = sa.select(*columns).where(*wanted).order_by(c.id.desc()).limit(limit).offset(offset)
    return [CorrelationRecord(*row) for row in session.execute(statement)]


def count(
    session: Session,
    *,
    project_ids: Sequence[str] | None = None,
    alert_id: str | None = None,
    cap: int = 10_001,
) -> int:
    """Count correlations, at most `cap` of them."""
    wanted = _conditions(project_ids, alert_id)
    some = sa.select(sa.literal(1)).select_from(correlations).where(*wanted).limit(cap)
    return session.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()


def incidents_of(session: Session, finding_id: str) -> list[dict[str, Any]]:
    """Return the alerts that were correlated with a finding, the latest first, as they go over the wire."""
    return [dict(row) for row in session.execute(_OF_FINDING, {"finding": finding_id}).mappings()]


def packed(inputs: bytes) -> bytes:
    """Compress what a correlation was made from, for `CorrelationRecord.inputs`."""
    return zlib.compress(inputs, 1)


def _conditions(project_ids: Sequence[str] | None, alert_id: str | None) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = []
    if project_ids is not None:
        wanted.append(correlations.c.project_id.in_(project_ids))
    if alert_id is not None:
        wanted.append(correlations.c.alert_id == alert_id)
    return wanted


@cache
def _suspect(dialect: str, *, judged: bool) -> Any:
    insert = upsert(dialect, alert_suspects)
    names = ("confirmed",) if judged else ("probability", "error_type", "seen_at")
    keys = ["alert_id", "file_path", "function_name"]
    return insert.on_conflict_do_update(
        index_elements=keys, set_={name: insert.excluded[name] for name in names}
    )


_INSERT = sa.insert(correlations)
_BY_ID = sa.select(correlations).where(correlations.c.id == sa.bindparam("id"))
_ALERT = sa.bindparam("alert", type_=Text)
_POINT = (
    sa.update(alerts)
    .where(alerts.c.id == _ALERT)
    .values(
        correlation_id=sa.bindparam("to"),
        error_type=sa.func.coalesce(alerts.c.error_type, sa.bindparam("error_type", type_=Text)),
    )
)
_FORGET_FINDINGS = sa.delete(finding_incidents).where(finding_incidents.c.alert_id == _ALERT)
_FORGET_FINDING = _FORGET_FINDINGS.where(finding_incidents.c.finding_id == sa.bindparam("finding"))
_FORGET_SUSPECTS = sa.delete(alert_suspects).where(
    alert_suspects.c.alert_id == _ALERT, alert_suspects.c.confirmed.is_(None)
)
_ADD_FINDING = sa.insert(finding_incidents).from_select(
    ["finding_id", "alert_id", "correlation_id", "match_confidence"],
    sa.select(
        known_findings.c.id,
        sa.cast(_ALERT, Text),
        sa.cast(sa.bindparam("correlation"), Text),
        sa.cast(sa.bindparam("confidence"), sa.Float),
    ).where(known_findings.c.id == sa.bindparam("finding")),
)
_OF_FINDING = (
    sa.select(
        alerts.c.id,
        alerts.c.alert_id,
        alerts.c.error_type,
        alerts.c.message,
        alerts.c.severity,
        alerts.c.status,
        alerts.c.occurrence_count,
        wire(alerts.c.first_seen).label("first_seen"),
        wire(alerts.c.last_seen).label("last_seen"),
        alerts.c.affected_users,
        finding_incidents.c.correlation_id,
        finding_incidents.c.match_confidence,
    )
    .join(finding_incidents, finding_incidents.c.alert_id == alerts.c.id)
    .where(finding_incidents.c.finding_id == sa.bindparam("finding"))
    .order_by(alerts.c.last_seen.desc(), alerts.c.id.desc())
    .limit(MOST_OF_A_FINDING)
)
