"""The lease table: work that is promised in the transaction of its cause, and done at least once.

A worker leases a job for some seconds and keeps it by heartbeats. The lease has a number (the fencing
token), which rises with each lease: whoever lost his finds out in the very transaction that would write
(`hold`, `finish`), so that the effect of a job happens once though it may be started twice.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain import clock, ids, tracing
from hefesto_api.domain.errors import Conflict, NotFound
from hefesto_api.storage import hot
from hefesto_api.storage import job_statements as statements
from hefesto_api.storage.base import QUEUED, Session
from hefesto_api.storage.database import Database

jobs = statements.jobs


class Job(Struct, frozen=True):
    """A row of `jobs`; `status` is queued, running, succeeded, dead or cancelled.

    At most one job of a `lane` runs at a time, and one that was begun is ended before another begins.
    A lower `priority` goes first (0 is usual), then the one that is due longer. `dedupe_key` is only set
    while the job waits.
    """

    id: str
    kind: str
    payload: dict[str, Any]
    lane: str | None
    priority: int
    status: str
    attempts: int
    max_attempts: int
    run_at: datetime
    leased_by: str | None
    lease_token: int
    lease_expires_at: datetime | None
    heartbeat_at: datetime | None
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None
    dedupe_key: str | None


class LeaseLost(Conflict):
    """The job is somebody else's now, or was cancelled: write nothing more."""


def enqueue(
    session: Session,
    kind: str,
    payload: dict[str, Any],
    *,
    lane: str | None = None,
    priority: int = 0,
    max_attempts: int = 5,
    run_at: datetime | None = None,
    dedupe_key: str | None = None,
) -> str:
    """Queue a job within the caller's transaction and return its id.

    With a `dedupe_key` that a waiting job has, nothing is queued and that job's id returned. One that
    runs already does not count: it may have read what has changed since.
    """
    now = clock.now()
    if parent := tracing.current.get():  # the job is part of the trace that it comes from
        payload = {**payload, tracing.HEADER: parent}
    row = {
        "id": ids.new_id(), "kind": kind, "payload": payload, "lane": lane, "priority": priority,
        "status": "queued", "max_attempts": max_attempts, "run_at": run_at or now, "created_at": now,
        "dedupe_key": dedupe_key,
    }  # fmt: skip
    while session.execute(statements.insert(session.dialect.name), row).first() is None:
        waiting = session.execute(statements.WAITING, {"key": dedupe_key}).scalar()
        if waiting is not None:  # else it was leased in this moment, and waits no more
            return str(waiting)
    if run_at is None or run_at <= now:
        session.info.setdefault(QUEUED, []).append(row["id"])
    return str(row["id"])


def lease(
    db: Database, worker: str, kinds: Sequence[str], seconds: float, *, now: datetime | None = None
) -> Job | None:
    """Take the next job of some kinds for some seconds; None when there is none to do."""
    moment = now or clock.now()
    due = {"kinds": list(kinds), "now": moment}
    with db.read() as session:  # an idle worker takes no writer's lock
        if not hot.fetch(session, statements.ANY_DUE, due):
            return None
        if session.execute(statements.DUE, due).first() is None:
            return None
    try:
        # On a server that crashes while the worker lives on, a lease that is forgotten would be given again
        # under the same number; where both end together (SQLite) it may be forgotten.
        with db.write(durable=not db.is_sqlite) as session:
            values = {**due, "worker": worker, "until": moment + timedelta(seconds=seconds)}
            row = session.execute(statements.LEASE, values).first()
    except Conflict:  # another worker took a job of the same lane in this moment (PostgreSQL)
        return None
    return None if row is None else Job(*row)


def may_begin(db: Database, job_id: str) -> bool:
    """Tell whether a job waits, is due, and its lane is free."""
    with db.read() as session:
        found = session.execute(statements.MAY_BEGIN, {"job_id": job_id, "now": clock.now()}).first()
    return found is not None


def next_in_lane(session: Session, lane: str) -> str | None:
    """Return the id of the job that a lane goes on with, if one waits and is due."""
    found = session.execute(statements.NEXT_IN_LANE, {"lane": lane, "now": clock.now()}).scalar()
    return None if found is None else str(found)


def heartbeat(db: Database, job: Job, seconds: float, *, now: datetime | None = None) -> bool:
    """Keep a job for some more seconds; False: stop, the lease is lost or the job cancelled."""
    moment = now or clock.now()
    values = {**_ours(job), "now": moment, "until": moment + timedelta(seconds=seconds)}
    with db.write(durable=False) as session:
        return session.execute(statements.BEAT, values).rowcount == 1


def hold(session: Session, job: Job) -> None:
    """Make sure, before an effect is written, that the job is ours until the end of this transaction.

    Raises LeaseLost.
    """
    if session.execute(statements.HOLD, _ours(job)).first() is None:
        raise LeaseLost("The job's lease was lost.", job_id=job.id)


def finish(session: Session, job: Job, *, now: datetime | None = None) -> None:
    """Record success, in the transaction of the job's last effect; raises LeaseLost."""
    _end(session, job, "succeeded", now or clock.now(), None, again=False)


def fail(
    session: Session, job: Job, error: str, *, retry_in: float | None = None, now: datetime | None = None
) -> str:
    """Record a failure: tried again after a growing pause (or `retry_in` seconds), dead at the last attempt.

    Return the status it has now. Raises LeaseLost.
    """
    moment = now or clock.now()
    if job.attempts >= job.max_attempts:
        _end(session, job, "dead", moment, error, again=False)
        return "dead"
    pause = backoff(job.attempts) if retry_in is None else retry_in
    _end(session, job, "queued", moment + timedelta(seconds=pause), error, again=True)
    return "queued"


def backoff(attempts: int) -> float:
    """Return the pause after so many attempts: 5 s doubled each time to an hour, a quarter more or less."""
    return float(min(5 * 2 ** (attempts - 1), 3600) * random.uniform(0.75, 1.25))  # noqa: S311 - no secret


def release(session: Session, worker: str) -> None:
    """Let the leases of a worker that is known to be dead run out now."""
    held = sa.and_(jobs.c.leased_by == worker, jobs.c.status == "running")
    session.execute(sa.update(jobs).where(held).values(lease_expires_at=clock.now()))


def reap(db: Database, *, now: datetime | None = None) -> list[tuple[str, str]]:
    """Take back the leases that ran out; return (id, status) of the jobs, now queued or dead."""
    moment = now or clock.now()
    with db.read() as session:
        if session.execute(statements.EXPIRED, {"now": moment}).first() is None:
            return []
    with db.write() as session:
        return [(row.id, row.status) for row in session.execute(statements.REAP, {"now": moment})]


def cancel(session: Session, job_id: str) -> bool:
    """Cancel a job that waits or runs (its worker is told at the next heartbeat); False: it had ended.

    Raises NotFound.
    """
    found = get(session, job_id)
    if found.status not in {"queued", "running"}:
        return False
    values = {"status": "cancelled", "finished_at": clock.now(), "dedupe_key": None}
    same = sa.and_(jobs.c.id == job_id, jobs.c.status.in_(["queued", "running"]))
    return session.execute(sa.update(jobs).where(same).values(**values)).rowcount == 1


def cancel_lanes(session: Session, beginning: str) -> int:
    """Cancel the jobs that wait or run in the lanes whose names begin so; return how many."""
    held = sa.and_(
        jobs.c.lane.startswith(beginning, autoescape=True), jobs.c.status.in_(["queued", "running"])
    )
    values = {"status": "cancelled", "finished_at": clock.now(), "dedupe_key": None}
    return session.execute(sa.update(jobs).where(held).values(**values)).rowcount


def retry(session: Session, job_id: str) -> None:
    """Queue a dead or cancelled job anew, with all its attempts; raises NotFound, Conflict."""
    values = {"status": "queued", "attempts": 0, "run_at": clock.now(), "finished_at": None}
    ended = sa.and_(jobs.c.id == job_id, jobs.c.status.in_(["dead", "cancelled"]))
    if session.execute(sa.update(jobs).where(ended).values(**values)).rowcount != 1:
        raise Conflict(f"The job is {get(session, job_id).status}; only dead or cancelled ones are retried.")


def get(session: Session, job_id: str) -> Job:
    """Return a job; raises NotFound."""
    row = session.execute(sa.select(jobs).where(jobs.c.id == job_id)).first()
    if row is None:
        raise NotFound("job", job_id)
    return Job(*row)


def page(
    session: Session, *, status: str | None = None, kind: str | None = None, limit: int = 50, offset: int = 0
) -> list[Job]:
    """Return jobs, the newest first."""
    wanted = [column == value for column, value in ((jobs.c.status, status), (jobs.c.kind, kind)) if value]
    statement = sa.select(jobs).where(*wanted).order_by(jobs.c.id.desc()).limit(limit).offset(offset)
    return [Job(*row) for row in session.execute(statement)]


def counts(session: Session) -> dict[str, int]:
    """Return how many jobs there are of each status."""
    return {row[0]: row[1] for row in session.execute(statements.COUNTS)}


def standing(session: Session, *, now: datetime | None = None) -> dict[tuple[str, str], tuple[int, float]]:
    """Return, for each kind and status of jobs that wait, run or are dead, how many and since when.

    Since when: the seconds for which the oldest has been due.
    """
    moment = now or clock.now()
    return {
        (kind, status): (number, max((moment - (oldest or moment)).total_seconds(), 0.0))
        for kind, status, number, oldest in session.execute(statements.STANDING, {"now": moment})
    }


def waiting(session: Session, *, now: datetime | None = None) -> tuple[int, float]:
    """Return how many jobs wait, and for how many seconds the one that is due longest has been."""
    moment = now or clock.now()
    number, oldest = session.execute(statements.WAITING_SINCE, {"now": moment}).one()
    return number, 0.0 if oldest is None else max((moment - oldest).total_seconds(), 0.0)


def purge(session: Session, before: datetime, *, limit: int = 1000) -> int:
    """Delete at most `limit` jobs that succeeded or were cancelled before a time; return how many."""
    return session.execute(statements.PURGE, {"before": before, "limit": limit}).rowcount


def _ours(job: Job) -> dict[str, Any]:
    return {"job_id": job.id, "token": job.lease_token}


def _end(session: Session, job: Job, status: str, moment: datetime, error: str | None, again: bool) -> None:
    values = {**_ours(job), "new_status": status, "now": moment, "error": error}
    if session.execute(statements.AGAIN if again else statements.END, values).rowcount != 1:
        raise LeaseLost("The job's lease was lost.", job_id=job.id)
