"""What a database tells of clocks: its own, and those of whoever wrote to it."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from hefesto_api.storage.base import Session
from hefesto_api.storage.job_statements import jobs
from hefesto_api.storage.outbox import outbox
from hefesto_api.storage.workers import workers


def of_database(session: Session) -> datetime | None:
    """Return what time it is on the database's machine; None for SQLite, which has none of its own."""
    if session.dialect.name == "sqlite":
        return None
    now: datetime = session.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return now


def of_latest_entry(session: Session) -> datetime | None:
    """Return the latest instant that somebody wrote down as his present; None where nobody did."""
    latest = (
        sa.select(jobs.c.created_at).order_by(jobs.c.id.desc()).limit(1),
        sa.select(outbox.c.created_at).order_by(outbox.c.seq.desc()).limit(1),
        sa.select(workers.c.heartbeat_at).order_by(workers.c.heartbeat_at.desc()).limit(1),
    )
    found = [session.execute(statement).scalar() for statement in latest]
    return max((one for one in found if one is not None), default=None)
