"""What webhooks are to be told: made of the outbox by a cursor, kept until it was taken or given up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain import clock, ids
from hefesto_api.domain import webhooks as rules
from hefesto_api.domain.errors import NotFound
from hefesto_api.storage import hot, outbox
from hefesto_api.storage.base import Json, Session, Text, UtcDateTime, metadata, upsert
from hefesto_api.storage.outbox import Event
from hefesto_api.storage.webhooks import WebhookRecord, webhooks

_PENDING = sa.text("status = 'pending'")
_CURSOR = "webhooks"

alert_delivery_queue = sa.Table(
    "alert_delivery_queue",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("webhook_id", Text, sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    sa.Column("event_id", Text, nullable=False),
    sa.Column("event_type", Text, nullable=False),
    sa.Column("event_at", UtcDateTime, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("subject", Text),
    sa.Column("project_id", Text),
    sa.Column("data", Json, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt_at", UtcDateTime, nullable=False),
    sa.Column("status_code", sa.Integer),
    sa.Column("error", Text),
    sa.Column("last_attempt_at", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("finished_at", UtcDateTime),
    sa.UniqueConstraint("webhook_id", "event_id"),
    # What waits, in the order it is sent; partial on PostgreSQL too, as its revision says.
    sa.Index("ix_alert_delivery_queue_due", "webhook_id", "next_attempt_at", sqlite_where=_PENDING),
    sa.Index("ix_alert_delivery_queue_subject", "webhook_id", "subject", "seq", sqlite_where=_PENDING),
    sa.Index(None, "finished_at"),
)
event_cursors = sa.Table(
    "event_cursors",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
)
_d = alert_delivery_queue.c


class DeliveryRecord(Struct, frozen=True):
    """A row of `alert_delivery_queue`; what has the same `subject` reaches a webhook in the order of `seq`.

    Its id is the message's, in every attempt; `error` is the latest attempt's.
    """

    id: str
    webhook_id: str
    event_id: str
    event_type: str
    event_at: datetime
    seq: int
    subject: str | None
    project_id: str | None
    data: dict[str, Any]
    status: str
    attempts: int
    next_attempt_at: datetime
    status_code: int | None
    error: str | None
    last_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


class Ending(Struct, frozen=True):
    """How an attempt of a delivery ended, and when the next one is due."""

    delivery_id: str
    status: str
    attempts: int
    next_at: datetime
    status_code: int | None
    error: str | None


# No parameters: the databases must see, when they plan, that the partial indexes fit.
_IS_PENDING: sa.ColumnElement[str] = sa.literal_column("'pending'")
_NOW = sa.bindparam("now", type_=UtcDateTime)
_earlier = alert_delivery_queue.alias("earlier")
_HELD_UP = (
    sa.select(sa.literal(1))
    .where(
        _earlier.c.webhook_id == _d.webhook_id,
        _earlier.c.subject == _d.subject,
        _earlier.c.seq < _d.seq,
        _earlier.c.status == _IS_PENDING,
        _earlier.c.next_attempt_at > _NOW,
        _earlier.c.attempts < rules.ORDERED,
    )
    .exists()
)
_WAITING = sa.and_(_d.status == _IS_PENDING, _d.next_attempt_at <= _NOW)
_DUE = (
    sa.select(alert_delivery_queue)
    .where(_d.webhook_id == sa.bindparam("webhook_id"), _WAITING, sa.or_(_d.subject.is_(None), ~_HELD_UP))
    .order_by(_d.seq)
    .limit(sa.bindparam("limit"))
)
_w = webhooks.c
_CALLED = (
    sa.select(_w.id)
    .where(
        _w.is_active,
        sa.or_(_w.lease_expires_at.is_(None), _w.lease_expires_at <= _NOW),
        sa.or_(
            _w.next_check_at <= _NOW,
            sa.and_(
                sa.or_(_w.rests_until.is_(None), _w.rests_until <= _NOW),
                sa.select(sa.literal(1))
                .where(_d.webhook_id == _w.id, _WAITING, sa.or_(_d.subject.is_(None), ~_HELD_UP))
                .correlate(webhooks)
                .exists(),
            ),
        ),
    )
    .order_by(_w.delivery_failures, _w.id)
)
_ANYBODY: sa.Select[Any] = (
    sa.select(sa.literal_column("1")).select_from(webhooks).limit(sa.literal_column("1"))
)
_CURSOR_AT = sa.select(event_cursors.c.seq).where(event_cursors.c.name == _CURSOR)
_ended = sa.update(alert_delivery_queue).where(_d.id == sa.bindparam("of_id"), _d.status == _IS_PENDING)
_RECORD = _ended.values(
    status=sa.bindparam("new_status"),
    attempts=sa.bindparam("new_attempts"),
    next_attempt_at=sa.bindparam("next_at", type_=UtcDateTime),
    status_code=sa.bindparam("code"),
    error=sa.bindparam("reason"),
    last_attempt_at=_NOW,
    finished_at=sa.bindparam("ended_at", type_=UtcDateTime),
)
_WITH_ID = sa.select(alert_delivery_queue).where(_d.id == sa.bindparam("id"))


def behind(session: Session) -> int:
    """Return how many events nobody has looked at for webhooks, or more: numbers may have been left out."""
    at = hot.fetch(session, _CURSOR_AT, {})
    return max(outbox.last(session) - (at[0][0] if at else 0), 0)


def has_listeners(session: Session) -> bool:
    """Tell whether there are webhooks at all."""
    return bool(hot.fetch(session, _ANYBODY, {}))


def take(
    session: Session,
    wanted: Callable[[Event], Sequence[str]],
    *,
    subject: Callable[[Event], str | None],
    limit: int,
) -> int:
    """Make deliveries of the next events, and move the cursor on; return how many events there were.

    `wanted` names the webhooks that an event is for. All of it is one transaction: an event is neither
    missed nor taken twice.
    """
    session.execute(_begin(session.dialect.name), {"name": _CURSOR, "seq": 0})
    at: int = session.execute(_CURSOR_AT.with_for_update()).scalar_one()
    events = outbox.after(session, at, limit=limit)
    if not events:
        return 0
    now = clock.now()
    rows = [_row(event, one, subject(event), now) for event in events for one in wanted(event)]
    if rows:
        session.execute(sa.insert(alert_delivery_queue), rows)
    session.execute(
        sa.update(event_cursors).where(event_cursors.c.name == _CURSOR).values(seq=events[-1].seq)
    )
    return len(events)


def called(session: Session) -> list[str]:
    """Return the webhooks that have something to do now, those that fail last."""
    return [row[0] for row in hot.fetch(session, _CALLED, {"now": clock.now()})]


def due(session: Session, webhook_id: str, limit: int) -> list[DeliveryRecord]:
    """Return what a webhook is to be told now, in order."""
    values = {"webhook_id": webhook_id, "now": clock.now(), "limit": limit}
    return [DeliveryRecord(*row) for row in session.execute(_DUE, values)]


def record(session: Session, endings: Sequence[Ending]) -> None:
    """Write down how attempts went; what was ended by others meanwhile stays as it is."""
    now = clock.now()
    rows = [
        {
            "of_id": one.delivery_id, "new_status": one.status, "new_attempts": one.attempts,
            "next_at": one.next_at, "code": one.status_code, "reason": one.error, "now": now,
            "ended_at": None if one.status == rules.PENDING else now,
        }
        for one in endings
    ]  # fmt: skip
    if rows:
        session.execute(_RECORD, rows)


def give_up(session: Session, webhook_id: str, reason: str) -> int:
    """Put all that waits for a webhook to the dead letters; return how many."""
    waiting = sa.and_(_d.webhook_id == webhook_id, _d.status == _IS_PENDING)
    values = {"status": rules.DEAD, "error": reason, "finished_at": clock.now()}
    return session.execute(sa.update(alert_delivery_queue).where(waiting).values(**values)).rowcount


def again(session: Session, delivery_id: str) -> None:
    """Send something anew, now, with all its attempts."""
    values = {"status": rules.PENDING, "attempts": 0, "next_attempt_at": clock.now(), "finished_at": None}
    session.execute(sa.update(alert_delivery_queue).where(_d.id == delivery_id).values(**values))


def get(session: Session, delivery_id: str) -> DeliveryRecord:
    """Return a delivery; raises NotFound."""
    row = session.execute(_WITH_ID, {"id": delivery_id}).first()
    if row is None:
        raise NotFound("delivery", delivery_id)
    return DeliveryRecord(*row)


def page(
    session: Session,
    webhook_id: str,
    *,
    status: str | None,
    event_type: str | None,
    limit: int,
    offset: int = 0,
    before: str | None = None,
) -> tuple[list[DeliveryRecord], int]:
    """Return a page of a webhook's deliveries, the newest first, and how many there are."""
    wanted = [_d.webhook_id == webhook_id]
    wanted += [
        column == value for column, value in ((_d.status, status), (_d.event_type, event_type)) if value
    ]
    behind_it = [] if before is None else [_d.id < before]
    statement = (
        sa.select(alert_delivery_queue)
        .where(*wanted, *behind_it)
        .order_by(_d.id.desc())
        .limit(limit)
        .offset(offset)
    )
    total = session.execute(
        sa.select(sa.func.count()).select_from(alert_delivery_queue).where(*wanted)
    ).scalar_one()
    return [DeliveryRecord(*row) for row in session.execute(statement)], total


def waiting(session: Session) -> int:
    """Return how many deliveries wait, for their first attempt or another."""
    statement = sa.select(sa.func.count()).select_from(alert_delivery_queue).where(_d.status == _IS_PENDING)
    return int(session.execute(statement).scalar_one())


def purge(session: Session, statuses: Collection[str], before: datetime, *, limit: int = 1000) -> int:
    """Delete some deliveries that ended so before a time; return how many."""
    old = sa.select(_d.id).where(_d.status.in_(list(statuses)), _d.finished_at < before).limit(limit)
    return session.execute(sa.delete(alert_delivery_queue).where(_d.id.in_(old))).rowcount


def is_of(record: WebhookRecord, event: Event) -> bool:
    """Tell whether an event is of a webhook's time: what happened before it was made is not for it."""
    return event.created_at >= record.created_at


def _row(event: Event, webhook_id: str, subject: str | None, now: datetime) -> dict[str, Any]:
    return {
        "id": ids.new_id(), "webhook_id": webhook_id, "event_id": event.id, "event_type": event.type,
        "event_at": event.created_at, "seq": event.seq, "subject": subject, "project_id": event.project_id,
        "data": event.data, "status": rules.PENDING, "attempts": 0, "next_attempt_at": now,
        "status_code": None, "error": None, "last_attempt_at": None, "created_at": now, "finished_at": None,
    }  # fmt: skip


def _begin(dialect: str) -> Any:
    return upsert(dialect, event_cursors).on_conflict_do_nothing(index_elements=["name"])
