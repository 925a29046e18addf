"""The jobs' table and its named statements (`storage.jobs` uses them)."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa

from hefesto_api.storage.base import Json, Text, UtcDateTime, metadata, upsert

_RUNNING = sa.text("status = 'running'")
_QUEUED = sa.text("status = 'queued'")

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("kind", Text, nullable=False),
    sa.Column("payload", Json, nullable=False),
    sa.Column("lane", Text),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    sa.Column("status", Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("max_attempts", sa.Integer, nullable=False),
    sa.Column("run_at", UtcDateTime, nullable=False),
    sa.Column("leased_by", Text),
    sa.Column("lease_token", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("lease_expires_at", UtcDateTime),
    sa.Column("heartbeat_at", UtcDateTime),
    sa.Column("last_error", Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("finished_at", UtcDateTime),
    sa.Column("dedupe_key", Text, unique=True),
    # The waiting in the order they are taken, so that the next one is the first entry.
    # Both are partial on PostgreSQL too, as its revision says: saying so here would import its dialect.
    sa.Index("ix_jobs_next", "priority", "run_at", "id", sqlite_where=_QUEUED),
    # What keeps a lane to one job, whatever two workers see at the same moment.
    sa.Index("ix_jobs_lane_running", "lane", unique=True, sqlite_where=_RUNNING),
)


@cache
def insert(dialect: str) -> Any:
    """Return the INSERT that leaves a waiting job of the same key alone."""
    return upsert(dialect, jobs).on_conflict_do_nothing(index_elements=["dedupe_key"]).returning(jobs.c.id)


# No parameters: the databases must see, when they plan, that the partial indexes fit.
_IS_QUEUED: sa.ColumnElement[str] = sa.literal_column("'queued'")
_IS_RUNNING: sa.ColumnElement[str] = sa.literal_column("'running'")
_SOMETHING: sa.ColumnElement[int] = sa.literal_column("1", sa.Integer)
_NOW = sa.bindparam("now", type_=UtcDateTime)
_UNTIL = sa.bindparam("until", type_=UtcDateTime)
# What was queued to be done at once is due also when the clock was put back since.
_IS_DUE = sa.or_(jobs.c.run_at <= _NOW, jobs.c.run_at <= jobs.c.created_at)
_same_lane = jobs.alias("same_lane")
_LANE_TAKEN = (
    sa.select(sa.literal(1))
    .where(
        _same_lane.c.lane == jobs.c.lane,
        sa.or_(
            _same_lane.c.status == _IS_RUNNING,
            # What was begun is ended before the next begins: nothing of its lane overtakes a job that a
            # kill or a failure put back, which may have written half of what it has to write.
            sa.and_(
                _same_lane.c.status == _IS_QUEUED, _same_lane.c.attempts > 0, _same_lane.c.id != jobs.c.id
            ),
        ),
    )
    .exists()
)
# Whether there may be something to do: an idle worker looks at nothing else.
ANY_DUE = sa.select(_SOMETHING).where(jobs.c.status == _IS_QUEUED, _IS_DUE).limit(_SOMETHING)
DUE = (
    sa.select(jobs.c.id)
    .where(
        jobs.c.status == _IS_QUEUED,
        _IS_DUE,
        jobs.c.kind.in_(sa.bindparam("kinds", expanding=True)),
        sa.or_(jobs.c.lane.is_(None), ~_LANE_TAKEN),
    )
    .order_by(jobs.c.priority, jobs.c.run_at, jobs.c.id)
    .limit(1)
)
MAY_BEGIN = sa.select(jobs.c.id).where(
    jobs.c.id == sa.bindparam("job_id"),
    jobs.c.status == _IS_QUEUED,
    _IS_DUE,
    sa.or_(jobs.c.lane.is_(None), ~_LANE_TAKEN),
)
NEXT_IN_LANE = (
    sa.select(jobs.c.id)
    .where(jobs.c.lane == sa.bindparam("lane"), jobs.c.status == _IS_QUEUED, _IS_DUE)
    .order_by(jobs.c.priority, jobs.c.run_at, jobs.c.id)
    .limit(1)
)
LEASE = (
    sa.update(jobs)
    .where(jobs.c.id == DUE.correlate(None).with_for_update(skip_locked=True, of=jobs).scalar_subquery())
    .values(
        status="running",
        attempts=jobs.c.attempts + 1,
        leased_by=sa.bindparam("worker"),
        lease_token=jobs.c.lease_token + 1,
        lease_expires_at=_UNTIL,
        heartbeat_at=_NOW,
        dedupe_key=None,
    )
    .returning(*jobs.c)
)
_MINE = sa.and_(
    jobs.c.id == sa.bindparam("job_id"),
    jobs.c.lease_token == sa.bindparam("token"),
    jobs.c.status == _IS_RUNNING,
)
_LET_GO = (
    sa.update(jobs)
    .where(_MINE)
    .values(
        status=sa.bindparam("new_status"),
        last_error=sa.bindparam("error"),
        leased_by=None,
        lease_expires_at=None,
    )
)
END = _LET_GO.values(finished_at=_NOW)
AGAIN = _LET_GO.values(run_at=_NOW)
BEAT = sa.update(jobs).where(_MINE).values(lease_expires_at=_UNTIL, heartbeat_at=_NOW)
HOLD = sa.select(jobs.c.id).where(_MINE).with_for_update()
WAITING = sa.select(jobs.c.id).where(jobs.c.dedupe_key == sa.bindparam("key"))
_OVERDUE = sa.and_(jobs.c.status == _IS_RUNNING, jobs.c.lease_expires_at < _NOW)
EXPIRED = sa.select(jobs.c.id).where(_OVERDUE).limit(1)
_EXHAUSTED = jobs.c.attempts >= jobs.c.max_attempts
REAP = (
    sa.update(jobs)
    .where(_OVERDUE)
    .values(
        status=sa.case((_EXHAUSTED, "dead"), else_="queued"),
        run_at=_NOW,
        finished_at=sa.case((_EXHAUSTED, _NOW), else_=sa.null()),
        leased_by=None,
        lease_expires_at=None,
        last_error="The worker stopped without a word.",
    )
    .returning(jobs.c.id, jobs.c.status)
)
COUNTS = sa.select(jobs.c.status, sa.func.count()).group_by(jobs.c.status)
WAITING_SINCE = sa.select(
    sa.func.count(), sa.func.min(sa.case((jobs.c.run_at <= _NOW, jobs.c.run_at)), type_=UtcDateTime)
).where(jobs.c.status == _IS_QUEUED)
STANDING = (
    sa.select(
        jobs.c.kind,
        jobs.c.status,
        sa.func.count(),
        sa.func.min(sa.case((jobs.c.run_at <= _NOW, jobs.c.run_at)), type_=UtcDateTime),
    )
    .where(jobs.c.status.in_(["queued", "running", "dead"]))
    .group_by(jobs.c.kind, jobs.c.status)
)
PURGE = sa.delete(jobs).where(
    jobs.c.id.in_(
        sa.select(jobs.c.id)
        .where(
            jobs.c.status.in_(["succeeded", "cancelled"]),
            jobs.c.finished_at < sa.bindparam("before", type_=UtcDateTime),
        )
        .limit(sa.bindparam("limit"))
    )
)
