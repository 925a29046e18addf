"""Which workers are alive: each keeps a row by heartbeats."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain import clock, ids
from hefesto_api.storage.base import Session, Text, UtcDateTime, metadata

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("host", Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("heartbeat_at", UtcDateTime, nullable=False),
    sa.Column("slots", sa.Integer, nullable=False),
)


class Worker(Struct, frozen=True):
    """A row of `workers`; `slots` is how many jobs it does at once."""

    id: str
    host: str
    pid: int
    started_at: datetime
    heartbeat_at: datetime
    slots: int


def register(session: Session, host: str, pid: int, slots: int) -> Worker:
    """Insert a worker and return it."""
    now = clock.now()
    worker = Worker(ids.new_id(), host, pid, now, now, slots)
    session.execute(sa.insert(workers), structs.asdict(worker))
    return worker


def beat(session: Session, worker: Worker) -> None:
    """Say that a worker lives; its row is made again if it had been taken for gone."""
    now = clock.now()
    statement = sa.update(workers).where(workers.c.id == worker.id).values(heartbeat_at=now)
    if session.execute(statement).rowcount == 0:
        session.execute(sa.insert(workers), structs.asdict(structs.replace(worker, heartbeat_at=now)))


def leave(session: Session, worker: Worker) -> None:
    """Delete a worker that stops."""
    session.execute(sa.delete(workers).where(workers.c.id == worker.id))


def alive(session: Session, within_seconds: float, *, now: datetime | None = None) -> list[Worker]:
    """Return the workers that gave a sign within the last seconds, the oldest first."""
    since = (now or clock.now()) - timedelta(seconds=within_seconds)
    rows = session.execute(sa.select(workers).where(workers.c.heartbeat_at >= since).order_by(workers.c.id))
    return [Worker(*row) for row in rows]


def forget(session: Session, silent_since: datetime) -> int:
    """Delete the workers that gave no sign since a time; return how many."""
    return session.execute(sa.delete(workers).where(workers.c.heartbeat_at < silent_since)).rowcount


def on_host(session: Session, host: str) -> list[Worker]:
    """Return the workers of a host, whether they live or not."""
    return [Worker(*row) for row in session.execute(sa.select(workers).where(workers.c.host == host))]
