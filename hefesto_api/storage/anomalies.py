"""What is measured over weeks, what is usual of it, and when it was something else.

A measure is of the whole service (its project is "") or of one project. Its points are followed in order: one
that is taken in once is never taken in again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain import baseline, clock, decoding, ids
from hefesto_api.domain.baseline import Band, Baseline, Episode, Point, State
from hefesto_api.storage import outbox
from hefesto_api.storage.base import Json, Session, Text, UtcDateTime, metadata, upsert
from hefesto_api.storage.projects import projects

WHOLE = ""
OPEN, ENDED = "open", "ended"
RECALCULATED = 86_400
KEPT_POINTS = baseline.WINDOW + timedelta(days=8)
KEPT_ANOMALIES = timedelta(days=90)


def _measure() -> tuple[sa.Column[Any], sa.Column[Any]]:
    return sa.Column("metric", Text, primary_key=True), sa.Column("project_id", Text, primary_key=True)


metric_points = sa.Table(
    "metric_points",
    metadata,
    *_measure(),
    sa.Column("at", UtcDateTime, primary_key=True),
    sa.Column("value", sa.Float, nullable=False),
    sqlite_with_rowid=False,
)

baselines = sa.Table(
    "baselines",
    metadata,
    *_measure(),
    sa.Column("known", Json, nullable=False),
    sa.Column("state", Json, nullable=False),
    sa.Column("learned_at", UtcDateTime),
    sa.Column("seen_at", UtcDateTime, nullable=False),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("anomaly_id", Text),
)

anomalies = sa.Table(
    "anomalies",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("metric", Text, nullable=False),
    sa.Column("project_id", Text, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("detected_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("expected", sa.Float, nullable=False),
    sa.Column("lower", sa.Float, nullable=False),
    sa.Column("upper", sa.Float, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("severity", Text, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Index(None, "detected_at"),
)

baseline_recalc_schedule = sa.Table(
    "baseline_recalc_schedule",
    metadata,
    *_measure(),
    sa.Column("every_seconds", sa.Integer, nullable=False),
    sa.Column("next_run_at", UtcDateTime, nullable=False),
    sa.Column("last_run_at", UtcDateTime),
    sa.Column("last_status", Text),
    sa.Column("last_error", Text),
    sa.Index(None, "next_run_at"),
)
_p, _b, _n, _s = metric_points.c, baselines.c, anomalies.c, baseline_recalc_schedule.c


class Measure(NamedTuple):
    """What is measured; `project_id` is "" where it is of the whole service."""

    metric: str
    project_id: str = WHOLE


class AnomalyRecord(Struct, frozen=True):
    """A row of `anomalies`; the numbers are those of its worst point so far."""

    id: str
    metric: str
    project_id: str
    started_at: datetime
    detected_at: datetime
    ended_at: datetime | None
    value: float
    expected: float
    lower: float
    upper: float
    score: float
    severity: str
    status: str


class BaselineRecord(Struct, frozen=True):
    """What is known of a measure, and its latest point."""

    metric: str
    project_id: str
    known: Baseline
    learned_at: datetime | None
    seen_at: datetime
    value: float

    def band(self, at: datetime) -> Band | None:
        """Return what is expected at a time."""
        return self.known.band(at)


_state = decoding.of_builtins(State)
_baseline = decoding.of_builtins(Baseline, strict=False)
_record = decoding.of_builtins(BaselineRecord, strict=False)


class Recalculation(Struct, frozen=True):
    """A row of `baseline_recalc_schedule`."""

    metric: str
    project_id: str
    every_seconds: int
    next_run_at: datetime
    last_run_at: datetime | None
    last_status: str | None
    last_error: str | None


def take(session: Session, measure: Measure, point: Point) -> AnomalyRecord | None:
    """Keep a point and follow it; return the anomaly that it opens, which the outbox is told of."""
    row = {**measure._asdict(), "at": point.at, "value": point.value}
    if session.execute(_keep(session.dialect.name, metric_points).returning(_p.at), row).first() is None:
        return None
    held = session.execute(_HELD, measure._asdict()).first()
    if held is None:
        _begin(session, measure, point)
        return None
    if held.seen_at >= point.at:  # it comes late, and is only learned from
        return None
    before = _state(held.state)
    band = _baseline(held.known).band(point.at)
    after = before if band is None else baseline.follow(before, point, band)
    opened, anomaly_id = _settled(session, measure, held.anomaly_id, before.open, after.open, point.at)
    values = {
        "of_metric": measure.metric, "of_project": measure.project_id, "state": msgspec.to_builtins(after),
        "seen_at": point.at, "value": point.value, "anomaly_id": anomaly_id,
    }  # fmt: skip
    session.execute(_FOLLOWED, values)
    return opened


def due(session: Session, now: datetime, *, limit: int) -> list[Measure]:
    """Return the measures whose baselines are to be learned anew, the longest due first."""
    return [Measure(*row) for row in session.execute(_DUE, {"now": now, "limit": limit})]


def learn(session: Session, measure: Measure, now: datetime, *, least_spread: float) -> Baseline:
    """Return what the points of a measure teach."""
    asked = {**measure._asdict(), "since": now - baseline.WINDOW - timedelta(days=1)}
    points = (Point(*row) for row in session.execute(_POINTS, asked))
    return baseline.learn(points, now, least_spread=least_spread)


def learned(session: Session, measure: Measure, known: Baseline, now: datetime) -> None:
    """Keep what was learned, and say when that is done again: in the first minutes of a day."""
    of = {"of_metric": measure.metric, "of_project": measure.project_id}
    session.execute(_LEARNED, {**of, "known": msgspec.to_builtins(known, str_keys=True), "now": now})
    midnight = now.astimezone(UTC).replace(hour=0, minute=2, second=0, microsecond=0)
    _ran(session, measure, now, midnight + timedelta(days=1), "succeeded", None)


def failed(session: Session, measure: Measure, error: str, now: datetime) -> None:
    """Note that a baseline could not be learned; it is tried again in an hour."""
    _ran(session, measure, now, now + timedelta(hours=1), "failed", error)


def points(session: Session, measure: Measure, since: datetime) -> list[Point]:
    """Return the points of a measure, the earliest first."""
    return [Point(*row) for row in session.execute(_POINTS, {**measure._asdict(), "since": since})]


def seen(session: Session, metric: str) -> dict[str, datetime]:
    """Return of which projects a metric was measured, and when that was last."""
    rows = session.execute(sa.select(_b.project_id, _b.seen_at).where(_b.metric == metric))
    return {row.project_id: row.seen_at for row in rows}


def latest(session: Session, measure: Measure) -> datetime | None:
    """Return when the latest point of a measure was."""
    return session.execute(_SEEN_AT, measure._asdict()).scalar()


def every_baseline(session: Session, project_ids: Sequence[str] | None) -> list[BaselineRecord]:
    """Return what is known of each measure that may be seen: of the service, and of some projects or all."""
    names = ("metric", "project_id", "known", "learned_at", "seen_at", "value")
    statement = sa.select(*(_b[name] for name in names)).where(*_seen(_b, project_ids))
    rows = session.execute(statement.order_by(_b.metric, _b.project_id))
    found = (dict(zip(names, row, strict=True)) for row in rows)
    return [_record(one) for one in found]


def page(
    session: Session, project_ids: Sequence[str] | None, *, since: datetime, status: str | None, limit: int
) -> list[AnomalyRecord]:
    """Return the anomalies that may be seen and were detected or are open since a time, the latest first."""
    wanted = [*_seen(_n, project_ids), sa.or_(_n.detected_at >= since, _n.status == OPEN)]
    if status is not None:
        wanted.append(_n.status == status)
    statement = sa.select(anomalies).where(*wanted).order_by(_n.detected_at.desc(), _n.id.desc()).limit(limit)
    return [AnomalyRecord(*row) for row in session.execute(statement)]


def recalculations(session: Session) -> list[Recalculation]:
    """Return when each baseline is learned anew."""
    rows = session.execute(sa.select(baseline_recalc_schedule).order_by(_s.next_run_at, _s.metric))
    return [Recalculation(*row) for row in rows]


def purge(session: Session, now: datetime) -> None:
    """Delete points and anomalies that are old, and what is of projects that are gone."""
    session.execute(sa.delete(metric_points).where(_p.at < now - KEPT_POINTS))
    session.execute(sa.delete(anomalies).where(_n.detected_at < now - KEPT_ANOMALIES, _n.status == ENDED))
    for table in (metric_points, baselines, anomalies, baseline_recalc_schedule):
        there = sa.select(projects.c.id)
        gone = sa.and_(table.c.project_id != WHOLE, table.c.project_id.not_in(there))
        session.execute(sa.delete(table).where(gone))


def _begin(session: Session, measure: Measure, point: Point) -> None:
    row = {
        **measure._asdict(), "known": msgspec.to_builtins(Baseline(), str_keys=True),
        "state": msgspec.to_builtins(State()), "learned_at": None, "seen_at": point.at, "value": point.value,
        "anomaly_id": None,
    }  # fmt: skip
    session.execute(_keep(session.dialect.name, baselines), row)
    due_now = {**measure._asdict(), "every_seconds": RECALCULATED, "next_run_at": clock.now()}
    session.execute(_keep(session.dialect.name, baseline_recalc_schedule), due_now)


def _settled(
    session: Session,
    measure: Measure,
    anomaly_id: str | None,
    before: Episode | None,
    now: Episode | None,
    at: datetime,
) -> tuple[AnomalyRecord | None, str | None]:
    """Write down what became of an episode; return the anomaly that is new, and the id of the open one."""
    if now is None:
        if before is not None:
            session.execute(_ENDED, {"of_id": anomaly_id, "now": at})
        return None, None
    if before is not None:
        if now.score != before.score:
            session.execute(_WORSE, {"of_id": anomaly_id, **_numbers(now)})
        return None, anomaly_id
    made = AnomalyRecord(
        id=ids.new_id(), metric=measure.metric, project_id=measure.project_id, started_at=now.since,
        detected_at=clock.now(), ended_at=None, status=OPEN, **_numbers(now),
    )  # fmt: skip
    session.execute(sa.insert(anomalies), msgspec.structs.asdict(made))
    _announce(session, made)
    return made, made.id


def _numbers(episode: Episode) -> dict[str, Any]:
    names = ("value", "expected", "lower", "upper", "score", "severity")
    return {name: getattr(episode, name) for name in names}


def _announce(session: Session, made: AnomalyRecord) -> None:
    told = msgspec.structs.asdict(made)
    project_id = told.pop("project_id") or None
    for name in ("started_at", "detected_at"):
        told[name] = clock.rfc3339(told[name])
    slug = sa.select(projects.c.slug).where(projects.c.id == project_id)
    told["project"] = session.execute(slug).scalar() if project_id else None
    outbox.append(session, "anomaly.detected", told, project_id=project_id)


def _ran(
    session: Session, measure: Measure, now: datetime, following: datetime, status: str, error: str | None
) -> None:
    of = {"of_metric": measure.metric, "of_project": measure.project_id}
    session.execute(_RAN, {**of, "now": now, "following": following, "status": status, "error": error})


def _seen(columns: Any, project_ids: Sequence[str] | None) -> Iterable[sa.ColumnElement[bool]]:
    return () if project_ids is None else (columns.project_id.in_([WHOLE, *project_ids]),)


@cache
def _keep(dialect: str, table: sa.Table) -> Any:
    return upsert(dialect, table).on_conflict_do_nothing()


def _of(columns: Any) -> tuple[sa.ColumnElement[bool], ...]:
    return columns.metric == sa.bindparam("metric"), columns.project_id == sa.bindparam("project_id")


def _named(columns: Any) -> tuple[sa.ColumnElement[bool], ...]:
    return columns.metric == sa.bindparam("of_metric"), columns.project_id == sa.bindparam("of_project")


_NOW = sa.bindparam("now", type_=UtcDateTime)
_HELD = sa.select(baselines).where(*_of(_b)).with_for_update()
_SEEN_AT = sa.select(_b.seen_at).where(*_of(_b))
_FOLLOWED = (
    sa.update(baselines)
    .where(*_named(_b))
    .values({name: sa.bindparam(name) for name in ("state", "seen_at", "value", "anomaly_id")})
)
_LEARNED = sa.update(baselines).where(*_named(_b)).values(known=sa.bindparam("known"), learned_at=_NOW)
_POINTS = (
    sa.select(_p.at, _p.value)
    .where(*_of(_p), _p.at >= sa.bindparam("since", type_=UtcDateTime))
    .order_by(_p.at)
)
_DUE = (
    sa.select(_s.metric, _s.project_id)
    .where(_s.next_run_at <= _NOW)
    .order_by(_s.next_run_at)
    .limit(sa.bindparam("limit"))
)
_RAN = (
    sa.update(baseline_recalc_schedule)
    .where(*_named(_s))
    .values(
        next_run_at=sa.bindparam("following", type_=UtcDateTime),
        last_run_at=_NOW,
        last_status=sa.bindparam("status"),
        last_error=sa.bindparam("error"),
    )
)
_WORSE = (
    sa.update(anomalies)
    .where(_n.id == sa.bindparam("of_id"))
    .values(
        {name: sa.bindparam(name) for name in ("value", "expected", "lower", "upper", "score", "severity")}
    )
)
_ENDED = sa.update(anomalies).where(_n.id == sa.bindparam("of_id")).values(status=ENDED, ended_at=_NOW)
