"""What became of the jobs that schedules queued: a row for each time that one was carried out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain import clock, ids
from hefesto_api.storage import schedules
from hefesto_api.storage.base import Session, Text, UtcDateTime, metadata
from hefesto_api.storage.jobs import Job

scheduled_job_execution = sa.Table(
    "scheduled_job_execution",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("schedule", Text, nullable=False),
    sa.Column("kind", Text, nullable=False),
    sa.Column("job_id", Text, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("error", Text),
    sa.Index(None, "ended_at"),
)
_e = scheduled_job_execution.c


class Execution(Struct, frozen=True):
    """A row of `scheduled_job_execution`; `status` is succeeded or failed."""

    id: str
    schedule: str
    kind: str
    job_id: str
    started_at: datetime
    ended_at: datetime
    status: str
    error: str | None


def ended(session: Session, job: Job, started_at: datetime, error: str | None = None) -> None:
    """Record how a job ended that a schedule queued; of other jobs nothing is recorded."""
    name = job.payload.get("schedule")
    if not isinstance(name, str):
        return
    status = "succeeded" if error is None else "failed"
    made = Execution(ids.new_id(), name, job.kind, job.id, started_at, clock.now(), status, error)
    session.execute(_INSERT, structs.asdict(made))
    schedules.ended(session, name, status, error)


def latest(session: Session, limit: int) -> list[Execution]:
    """Return the latest executions, the newest first."""
    return [Execution(*row) for row in session.execute(_LATEST, {"limit": limit})]


def purge(session: Session, before: datetime) -> int:
    """Delete the executions that ended before a time; return how many."""
    return session.execute(sa.delete(scheduled_job_execution).where(_e.ended_at < before)).rowcount


_INSERT: Any = sa.insert(scheduled_job_execution)
_LATEST = sa.select(scheduled_job_execution).order_by(_e.id.desc()).limit(sa.bindparam("limit"))
