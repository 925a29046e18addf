"""What each API key asked for: requests a day and route."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.storage.api_keys import api_keys
from hefesto_api.storage.base import Session, Text, metadata, upsert

api_key_usage = sa.Table(
    "api_key_usage",
    metadata,
    sa.Column("key_id", Text, sa.ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("route", Text, primary_key=True),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("errors", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)
_u, _k = api_key_usage.c, api_keys.c


class Place(NamedTuple):
    """Where requests are counted; `route` is `METHOD /template`."""

    key_id: str
    day: date
    route: str


class Tally(NamedTuple):
    """How many requests, and how many of them were answered with 400 or more."""

    requests: int
    errors: int


class UsageRecord(Struct, frozen=True):
    """A row of `api_key_usage` without the key."""

    day: date
    route: str
    requests: int
    errors: int


def add(session: Session, tallies: Mapping[Place, Tally], used: Mapping[str, datetime]) -> None:
    """Add counts, and move each key's `last_used_at` forward; keys that are gone are passed over."""
    asked = {place.key_id for place in tallies} | used.keys()
    held = sa.select(_k.id).where(_k.id.in_(sorted(asked))).order_by(_k.id)
    there = set(session.execute(held.with_for_update(read=True, key_share=True)).scalars())
    rows: list[dict[str, Any]] = [
        {**place._asdict(), **tallies[place]._asdict()} for place in sorted(tallies) if place.key_id in there
    ]
    if rows:
        insert = upsert(session.dialect.name, api_key_usage)
        session.execute(
            insert.on_conflict_do_update(
                index_elements=["key_id", "day", "route"],
                set_={
                    "requests": _u.requests + insert.excluded.requests,
                    "errors": _u.errors + insert.excluded.errors,
                },
            ),
            rows,
        )
    for key_id in sorted(there & used.keys()):
        older = sa.or_(_k.last_used_at.is_(None), _k.last_used_at < used[key_id])
        session.execute(sa.update(api_keys).where(_k.id == key_id, older).values(last_used_at=used[key_id]))


def of_key(session: Session, key_id: str, since: date) -> list[UsageRecord]:
    """Return what a key asked for since a day, the latest day first, the busiest route first."""
    statement = (
        sa.select(_u.day, _u.route, _u.requests, _u.errors)
        .where(_u.key_id == key_id, _u.day >= since)
        .order_by(_u.day.desc(), _u.requests.desc(), _u.route)
    )
    return [UsageRecord(*row) for row in session.execute(statement)]


def prune(session: Session, before: date) -> int:
    """Delete what is older than a day; return how many rows it was."""
    return session.execute(sa.delete(api_key_usage).where(_u.day < before)).rowcount
