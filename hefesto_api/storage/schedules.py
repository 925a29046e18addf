"""Work that comes again: no leader, whoever sees first that a schedule is due queues its job."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain import clock
from hefesto_api.storage import jobs
from hefesto_api.storage.base import Json, Session, Text, UtcDateTime, metadata, upsert
from hefesto_api.storage.database import Database

schedules = sa.Table(
    "schedules",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("kind", Text, nullable=False),
    sa.Column("payload", Json, nullable=False),
    sa.Column("every_seconds", sa.Integer, nullable=False),
    sa.Column("next_run_at", UtcDateTime, nullable=False),
    sa.Column("last_run_at", UtcDateTime),
    sa.Column("last_status", Text),
    sa.Column("last_error", Text),
)


class Schedule(Struct, frozen=True):
    """A row of `schedules`: every so many seconds a job of `kind`; the `last_*` are its latest run's."""

    name: str
    kind: str
    payload: dict[str, Any]
    every_seconds: int
    next_run_at: datetime
    last_run_at: datetime | None
    last_status: str | None
    last_error: str | None


def ensure(
    session: Session,
    name: str,
    every_seconds: int,
    *,
    kind: str | None = None,
    payload: dict[str, Any] | None = None,
) -> None:
    """Have a schedule (of jobs called as it, unless `kind` is given); a changed interval takes effect."""
    row = {
        "name": name, "kind": kind or name, "payload": payload or {}, "every_seconds": every_seconds,
        "next_run_at": clock.now(),
    }  # fmt: skip
    session.execute(_ensure(session.dialect.name), row)


def tick(db: Database, *, now: datetime | None = None) -> list[str]:
    """Queue a job for each schedule that is due; return their names. Missed runs are not made up for."""
    moment = now or clock.now()
    with db.read() as session:
        due = [one for row in session.execute(_ALL) if _is_due(one := Schedule(*row), moment)]
    if not due:
        return []
    with db.write() as session:
        return [schedule.name for schedule in due if _claim(session, schedule, moment)]


def ended(session: Session, name: str, status: str, error: str | None = None) -> None:
    """Record how a schedule's latest run ended."""
    values = {"last_status": status, "last_error": error}
    session.execute(sa.update(schedules).where(schedules.c.name == name).values(**values))


def every(session: Session) -> list[Schedule]:
    """Return all schedules by name."""
    return [Schedule(*row) for row in session.execute(sa.select(schedules).order_by(schedules.c.name))]


def keep_only(session: Session, names: Iterable[str]) -> None:
    """Delete the schedules that this version no longer has."""
    session.execute(sa.delete(schedules).where(schedules.c.name.not_in(list(names))))


def _is_due(schedule: Schedule, moment: datetime) -> bool:
    """Tell whether a schedule's time has come, or is further away than it can be: the clock was put back."""
    away = (schedule.next_run_at - moment).total_seconds()
    return away <= 0 or away > schedule.every_seconds


def _claim(session: Session, schedule: Schedule, moment: datetime) -> bool:
    following = moment + timedelta(seconds=schedule.every_seconds)
    seen = {"of_name": schedule.name, "seen": schedule.next_run_at, "following": following, "now": moment}
    if session.execute(_CLAIM, seen).rowcount != 1:
        return False
    payload = {**schedule.payload, "schedule": schedule.name}
    jobs.enqueue(session, schedule.kind, payload, dedupe_key=f"schedule:{schedule.name}")
    return True


@cache
def _ensure(dialect: str) -> Any:
    insert = upsert(dialect, schedules)
    changed = {name: insert.excluded[name] for name in ("kind", "payload", "every_seconds")}
    return insert.on_conflict_do_update(index_elements=["name"], set_=changed)


_NOW = sa.bindparam("now", type_=UtcDateTime)
_ALL = sa.select(schedules).order_by(schedules.c.next_run_at)
_CLAIM = (
    sa.update(schedules)
    .where(
        schedules.c.name == sa.bindparam("of_name"),
        schedules.c.next_run_at == sa.bindparam("seen", type_=UtcDateTime),
    )
    .values(
        next_run_at=sa.bindparam("following", type_=UtcDateTime),
        last_run_at=_NOW,
        last_status="queued",
        last_error=None,
    )
)
