"""The outbox: what happened, written in the transaction in which it happened, for others to react to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain import clock, ids
from hefesto_api.storage import hot
from hefesto_api.storage.base import RINGS, Json, Serial, Session, Text, UtcDateTime, metadata

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("seq", Serial, primary_key=True),
    sa.Column("id", Text, nullable=False),
    sa.Column("type", Text, nullable=False),
    sa.Column("project_id", Text),  # no foreign key: an event outlives what it tells of
    sa.Column("data", Json, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index(None, "created_at"),
    sqlite_autoincrement=True,
)


class Event(Struct, frozen=True):
    """A row of `outbox`; `type` is `noun.past_participle`. A later commit has a higher `seq`."""

    seq: int
    id: str
    type: str
    project_id: str | None
    data: dict[str, Any]
    created_at: datetime


_TOLD = ("id", "type", "project_id", "data", "created_at")
_INSERT = (
    sa.insert(outbox)
    .inline()
    .values({name: sa.bindparam(f"new_{name}", type_=outbox.c[name].type) for name in _TOLD})
)
_AFTER = (
    sa.select(outbox)
    .where(outbox.c.seq > sa.bindparam("seq"))
    .order_by(outbox.c.seq)
    .limit(sa.bindparam("limit"))
)
_LAST = sa.select(sa.func.coalesce(sa.func.max(outbox.c.seq), 0))
_LOCK = 0x6F7574626F78  # of PostgreSQL's advisory locks, the outbox's: "outbox" in ASCII


def append(session: Session, event_type: str, data: dict[str, Any], *, project_id: str | None = None) -> str:
    """Append an event and return its id; call it late in the transaction.

    On PostgreSQL two transactions append one after the other: numbers are given before commits, so a
    reader could otherwise pass a number whose row shows up only later, and never see it.
    """
    if session.dialect.name == "postgresql":
        session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    event_id = ids.new_id()
    row = {
        "id": event_id,
        "type": event_type,
        "project_id": project_id,
        "data": data,
        "created_at": clock.now(),
    }
    hot.change(session, _INSERT, {f"new_{name}": value for name, value in row.items()})
    session.info[RINGS] = True
    return event_id


def after(session: Session, seq: int, *, limit: int = 100) -> list[Event]:
    """Return the events after a number, in order."""
    return [Event(*row) for row in session.execute(_AFTER, {"seq": seq, "limit": limit})]


def last(session: Session) -> int:
    """Return the latest event's number; 0 when there is none."""
    return int(hot.fetch(session, _LAST, {})[0][0])


def purge(session: Session, before: datetime) -> int:
    """Delete the events from before a time; return how many. Numbers are never given again."""
    return session.execute(sa.delete(outbox).where(outbox.c.created_at < before)).rowcount
