"""Throttles: failures in a row, counted by what they have in common."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.storage.base import Session, Text, UtcDateTime, metadata, upsert

throttles = sa.Table(
    "throttles",
    metadata,
    sa.Column("key", Text, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("forgotten_at", UtcDateTime, nullable=False),
    sa.Index(None, "forgotten_at"),
)
_t = throttles.c


class Limit(Struct, frozen=True):
    """So many failures, none further from the next than `within`, and no more are heard for that long."""

    failures: int
    within: timedelta


_NOW = sa.bindparam("now", type_=UtcDateTime)
_FIND = sa.select(_t.failures, _t.forgotten_at).where(_t.key == sa.bindparam("key"), _t.forgotten_at > _NOW)
_CLEAR = sa.delete(throttles).where(_t.key == sa.bindparam("key"))


def blocked_for(session: Session, key: str, limit: Limit, *, now: datetime) -> timedelta | None:
    """Return how long nothing is heard of a key any more; None when it is heard."""
    row = session.execute(_FIND, {"key": key, "now": now}).first()
    return row.forgotten_at - now if row is not None and row.failures >= limit.failures else None


def fail(session: Session, key: str, limit: Limit, *, now: datetime) -> int:
    """Count a failure, and return how many these are."""
    row = {"key": key, "failures": 1, "forgotten_at": now + limit.within, "now": now}
    return int(session.execute(_count(session.dialect.name), row).scalar_one())


def clear(session: Session, key: str) -> None:
    """Forget the failures of a key."""
    session.execute(_CLEAR, {"key": key})


def clear_all(session: Session, prefix: str) -> int:
    """Forget the failures of all keys that begin alike; return how many these were."""
    return session.execute(sa.delete(throttles).where(_t.key.startswith(prefix, autoescape=True))).rowcount


def purge(session: Session, now: datetime) -> int:
    """Delete what is forgotten."""
    return session.execute(sa.delete(throttles).where(_t.forgotten_at <= now)).rowcount


@cache
def _count(dialect: str) -> Any:
    insert = upsert(dialect, throttles).values(
        key=sa.bindparam("key"),
        failures=sa.bindparam("failures"),
        forgotten_at=sa.bindparam("forgotten_at", type_=UtcDateTime),
    )
    failures = sa.case((_t.forgotten_at <= _NOW, 1), else_=_t.failures + 1)
    return insert.on_conflict_do_update(
        index_elements=["key"], set_={"failures": failures, "forgotten_at": insert.excluded.forgotten_at}
    ).returning(_t.failures)
