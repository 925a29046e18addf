"""The single occurrences of alerts, kept for a while: what happened when, and what tells one from another."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain import ids
from hefesto_api.domain.alert import IncomingAlert
from hefesto_api.domain.errors import Invalid
from hefesto_api.domain.grouping import Traits
from hefesto_api.storage import alert_deliveries as deliveries
from hefesto_api.storage import hot
from hefesto_api.storage.base import Blob, Session, Text, UtcDateTime, metadata, upsert, wire
from hefesto_api.storage.moments import seconds_between, whole

KEPT = timedelta(days=30)
SAMPLES = 100  # messages kept whole of one alert, each of another kind
EXACT_TO = 10_000
_SHOWN = 2_000  # characters of a message
_EDGE = 0.0005  # seconds by which SQLite's arithmetic of days may miss

alert_occurrences = sa.Table(
    "alert_occurrences",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("alert_id", Text, sa.ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("project_id", Text, nullable=False),
    sa.Column("occurred_at", UtcDateTime, nullable=False),
    sa.Column("received_at", UtcDateTime, nullable=False),
    sa.Column("source", Text, nullable=False),
    sa.Column("sender_id", Text, nullable=False),  # what the sender calls `alert_id`
    sa.Column("alert_key", Text, nullable=False),
    sa.Column("group_key", Text),
    sa.Column("severity", Text, nullable=False),
    sa.Column("severity_rank", sa.SmallInteger, nullable=False),
    sa.Column("message", Text, nullable=False),
    sa.Column("release", Text),
    sa.Column("commit_hash", Text),
    sa.Column("affected_users", sa.BigInteger),
    sa.Column("fingerprint", Text, nullable=False),  # as grouping has it, whatever people say
    sa.Column("variant", Text, nullable=False),  # a digest of the traits
    sa.Column("plain_message", Text, nullable=False),
    sa.Column("stack", Text, nullable=False),
    sa.Column("error_type", Text, nullable=False),
    sa.Column("service_name", Text, nullable=False),
    sa.Column("environment", Text, nullable=False),
    sa.Column("sender_group", Text, nullable=False),
    sa.Index(None, "alert_id", "occurred_at", "id"),
    sa.Index(None, "project_id", "fingerprint"),
    sa.Index(None, "received_at"),
)

# The first message of each kind, whole: what an alert is made of when people part it from another.
alert_samples = sa.Table(
    "alert_samples",
    metadata,
    sa.Column("alert_id", Text, sa.ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("variant", Text, primary_key=True),
    sa.Column("incoming", Blob, nullable=False),
)
_o, _s = alert_occurrences.c, alert_samples.c

COLUMN_OF = {
    "message": _o.plain_message,
    "stack": _o.stack,
    "error_type": _o.error_type,
    "service_name": _o.service_name,
    "environment": _o.environment,
    "group": _o.sender_group,
}
"""Where each of the traits stands."""


class Told(Struct, frozen=True):
    """A message with what grouping made of it."""

    incoming: IncomingAlert
    fingerprint: str
    traits: Traits

    @property
    def variant(self) -> str:
        """What is the same for messages with the same fingerprint and traits."""
        return deliveries.digest(self.fingerprint, *structs.astuple(self.traits))


class ListedOccurrence(Struct, frozen=True):
    """One occurrence as it goes over the wire; `alert_id` is the sender's, times are text."""

    id: str
    timestamp: str
    received_at: str
    source: str
    alert_id: str
    severity: str
    error_type: str
    message: str
    service_name: str
    environment: str
    release: str | None
    commit_hash: str | None
    affected_users: int | None
    fingerprint: str
    stack: str
    group: str


ITEM = ListedOccurrence.__struct_fields__


def told(incoming: IncomingAlert, fingerprint: str, traits: Traits) -> Told:
    """Return a message with what grouping made of it."""
    return Told(incoming, fingerprint, traits)


def add(session: Session, project_id: str, alert_id: str, one: Told, moment: datetime) -> None:
    """Keep one occurrence, and its message whole if none like it was."""
    incoming, traits = one.incoming, one.traits
    message = incoming.error_message or incoming.description or incoming.title or incoming.alert_id
    row = {
        "id": ids.new_id(),
        "alert_id": alert_id,
        "project_id": project_id,
        "occurred_at": min(incoming.timestamp or moment, moment),
        "received_at": moment,
        "source": incoming.source,
        "sender_id": incoming.alert_id,
        "alert_key": deliveries.digest(incoming.source, incoming.alert_id),
        "group_key": None
        if incoming.group_id is None
        else deliveries.digest(incoming.source, incoming.group_id),
        "severity": incoming.severity.value,
        "severity_rank": incoming.severity.rank,
        "message": message[:_SHOWN],
        "release": incoming.release,
        "commit_hash": incoming.commit_hash,
        "affected_users": incoming.affected_users,
        "fingerprint": one.fingerprint,
        "variant": one.variant,
        **{COLUMN_OF[name].name: value for name, value in structs.asdict(traits).items()},
    }
    hot.change(session, _ADD, row)
    sample = {"of_alert": alert_id, "of_variant": one.variant}
    if hot.fetch(session, _WANTS_SAMPLE, sample):
        whole = {"alert_id": alert_id, "variant": one.variant, "incoming": msgspec.json.encode(incoming)}
        session.execute(_keep(session.dialect.name), whole)


def page(
    session: Session,
    alert_id: str,
    *,
    limit: int,
    offset: int = 0,
    after: tuple[Any, ...] | None = None,
) -> tuple[list[ListedOccurrence], tuple[Any, ...] | None]:
    """Return a page of an alert's occurrences, the latest first, and the key to go on after.

    Raises Invalid for a key that is none.
    """
    values: dict[str, Any] = {"alert": alert_id, "limit": limit + 1, "offset": offset}
    statement = _PAGE
    if after is not None:
        values |= dict(zip(("moment", "last_id"), _key(after), strict=True))
        statement = _PAGE_AFTER
    rows = session.execute(statement, values).fetchall()
    items = [ListedOccurrence(*row) for row in rows[:limit]]
    return items, (items[-1].timestamp, items[-1].id) if len(rows) > limit else None


def count(session: Session, alert_id: str) -> tuple[int, bool]:
    """Count an alert's kept occurrences up to a cap; tell whether the count is exact."""
    found = session.execute(_COUNT, {"alert": alert_id}).scalar_one()
    return (found, True) if found <= EXACT_TO else (EXACT_TO, False)


def rate(session: Session, alert_id: str, start: datetime, end: datetime, width: timedelta) -> dict[int, int]:
    """Return how often an alert occurred in each stretch of `width` from a start on, by its number."""
    values = {
        "alert": alert_id, "start": start, "end": end, "width": width.total_seconds(), "edge": _EDGE,
    }  # fmt: skip
    return {int(row[0]): row[1] for row in session.execute(_RATE, values)}


def places(session: Session, alert_id: str) -> list[str]:
    """Return the environments that an alert occurred in ("" where none was told)."""
    return list(session.execute(_PLACES, {"alert": alert_id}).scalars())


def longest_gap(session: Session, alert_id: str) -> timedelta:
    """Return the longest silence between two of an alert's kept occurrences."""
    return timedelta(seconds=session.execute(_GAP, {"alert": alert_id}).scalar() or 0.0)


def purge(session: Session, before: datetime, *, limit: int = 5_000) -> int:
    """Forget at most `limit` occurrences that came before a time; return how many."""
    return session.execute(_PURGE, {"before": before, "limit": limit}).rowcount


def _key(after: tuple[Any, ...]) -> tuple[datetime, str]:
    with suppress(ValueError, TypeError, AttributeError):
        moment, last_id = after
        found = datetime.fromisoformat(moment)
        if found.tzinfo is not None:
            return found, str(UUID(last_id))
    raise Invalid("cursor", "this is no cursor of this list")


@cache
def _keep(dialect: str) -> Any:
    return upsert(dialect, alert_samples).on_conflict_do_nothing()


_ADD = sa.insert(alert_occurrences)
_OF_SAMPLE = sa.and_(_s.alert_id == sa.bindparam("of_alert"), _s.variant == sa.bindparam("of_variant"))
_OTHERS = (
    sa.select(sa.func.count())
    .select_from(alert_samples)
    .where(_s.alert_id == sa.bindparam("of_alert"))
    .scalar_subquery()
)
_WANTS_SAMPLE = sa.select(sa.literal(1)).where(
    ~sa.exists(sa.select(sa.literal(1)).select_from(alert_samples).where(_OF_SAMPLE)), _OTHERS < SAMPLES
)
_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    "timestamp": wire(_o.occurred_at),
    "received_at": wire(_o.received_at),
    "alert_id": _o.sender_id,
    "group": _o.sender_group,
}
_MINE = _o.alert_id == sa.bindparam("alert")
_NEWEST = (_o.occurred_at.desc(), _o.id.desc())
_told: list[sa.ColumnElement[Any]] = [
    _COLUMNS[name] if name in _COLUMNS else _o[name] for name in ListedOccurrence.__struct_fields__
]
_LISTED: sa.Select[Any] = sa.select(*(one.label(f"told_{at}") for at, one in enumerate(_told))).where(_MINE)
_PAGE = _LISTED.order_by(*_NEWEST).limit(sa.bindparam("limit")).offset(sa.bindparam("offset"))
_PAGE_AFTER = _PAGE.where(
    sa.tuple_(_o.occurred_at, _o.id)
    < sa.tuple_(sa.bindparam("moment", type_=UtcDateTime), sa.bindparam("last_id", type_=Text))
)
_COUNT = sa.select(sa.func.count()).select_from(
    sa.select(sa.literal_column("1"))
    .select_from(alert_occurrences)
    .where(_MINE)
    .limit(EXACT_TO + 1)
    .subquery()
)
_START, _END = (sa.bindparam(name, type_=UtcDateTime) for name in ("start", "end"))
_number = whole(
    (seconds_between(_START, _o.occurred_at) + sa.bindparam("edge", type_=sa.Float))
    / sa.bindparam("width", type_=sa.Float)
).label("number")
_each = (
    sa.select(_number).where(_MINE, _o.occurred_at >= _START, _o.occurred_at < _END).subquery()
)  # PostgreSQL takes the parameters of a group for others than those of the columns
_RATE = sa.select(_each.c.number, sa.func.count()).group_by(_each.c.number)
_PLACES = sa.select(_o.environment).where(_MINE).distinct().order_by(_o.environment)
_gaps = (
    sa.select(
        seconds_between(sa.func.lag(_o.occurred_at).over(order_by=_o.occurred_at), _o.occurred_at).label(
            "gap"
        )
    )
    .where(_MINE)
    .subquery()
)
_GAP = sa.select(sa.func.max(_gaps.c.gap))
_PURGE = sa.delete(alert_occurrences).where(
    _o.id.in_(
        sa.select(_o.id)
        .where(_o.received_at < sa.bindparam("before", type_=UtcDateTime))
        .limit(sa.bindparam("limit"))
    )
)
