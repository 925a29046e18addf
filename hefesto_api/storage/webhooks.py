"""Outgoing webhooks: who is told of what, and how it goes with them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain import clock, ids
from hefesto_api.domain import webhooks as rules
from hefesto_api.domain.errors import NotFound
from hefesto_api.storage.base import Json, Session, Text, UtcDateTime, metadata
from hefesto_api.storage.sealed import SealedText

PURPOSE, FORMER_PURPOSE, ROUTING_PURPOSE = "webhook", "webhook former", "webhook routing"
LATEST = 100  # attempts that health is judged by

webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("url", Text, nullable=False),
    sa.Column("description", Text, nullable=False),
    sa.Column("format", Text, nullable=False),
    sa.Column("events", Json, nullable=False),
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE")),
    sa.Column("projects", Json),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", Text),
    sa.Column("secret", SealedText(PURPOSE, row="id"), nullable=False),
    sa.Column("former_secret", SealedText(FORMER_PURPOSE, row="id")),
    sa.Column("former_until", UtcDateTime),
    sa.Column("routing_key", SealedText(ROUTING_PURPOSE, row="id")),
    sa.Column("health_check_interval_seconds", sa.Integer, nullable=False),
    sa.Column("health_status", Text, nullable=False),
    sa.Column("delivery_failures", sa.Integer, nullable=False),
    sa.Column("probe_failures", sa.Integer, nullable=False),
    sa.Column("last_success_at", UtcDateTime),
    sa.Column("last_failure_at", UtcDateTime),
    sa.Column("next_check_at", UtcDateTime, nullable=False),
    sa.Column("rests_until", UtcDateTime),
    sa.Column("leased_by", Text),
    sa.Column("lease_token", sa.BigInteger, nullable=False),
    sa.Column("lease_expires_at", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Index(None, "project_id"),
)
webhook_health_metrics = sa.Table(
    "webhook_health_metrics",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("webhook_id", Text, sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    sa.Column("delivery_id", Text),
    sa.Column("kind", Text, nullable=False),
    sa.Column("is_success", sa.Boolean, nullable=False),
    sa.Column("status_code", sa.Integer),
    sa.Column("response_ms", sa.Float, nullable=False),
    sa.Column("error", Text),
    sa.Column("measured_at", UtcDateTime, nullable=False),
    sa.Index(None, "webhook_id", "id"),
    sa.Index(None, "delivery_id"),
    sa.Index(None, "measured_at"),
)
_w = webhooks.c
_m = webhook_health_metrics.c


class WebhookRecord(Struct, frozen=True):
    """A row of `webhooks`.

    `projects` are the slugs that its maker was bound to (None: to none), for one that has no project of its
    own. Its secrets are sealed for the row. Who sends to it has it leased: one at a time, in order.
    """

    id: str
    name: str
    url: str
    description: str
    format: str
    events: list[str]
    project_id: str | None
    projects: list[str] | None
    is_active: bool
    disabled_reason: str | None
    secret: str
    former_secret: str | None
    former_until: datetime | None
    routing_key: str | None
    health_check_interval_seconds: int
    health_status: str
    delivery_failures: int
    probe_failures: int
    last_success_at: datetime | None
    last_failure_at: datetime | None
    next_check_at: datetime
    rests_until: datetime | None
    leased_by: str | None
    lease_token: int
    lease_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime

    def __repr__(self) -> str:
        return f"WebhookRecord({self.id!r})"


class Attempt(Struct, frozen=True):
    """A row of `webhook_health_metrics`; `kind` is delivery, probe or test."""

    id: str
    webhook_id: str
    delivery_id: str | None
    kind: str
    is_success: bool
    status_code: int | None
    response_ms: float
    error: str | None
    measured_at: datetime


class Health(Struct, frozen=True):
    """What the latest attempts say: how many, the part that succeeded, and how long they took."""

    attempts: int
    success_rate: float | None
    p50_ms: float | None
    p95_ms: float | None


_ALL = sa.select(webhooks).order_by(_w.id)
_BY_ID = sa.select(webhooks).where(_w.id == sa.bindparam("id"))
_LOCKED = _BY_ID.with_for_update()
_NOW = sa.bindparam("now", type_=UtcDateTime)
_FREE = sa.or_(_w.lease_expires_at.is_(None), _w.lease_expires_at <= _NOW)
_LEASE = (
    sa.update(webhooks)
    .where(_w.id == sa.bindparam("of_id"), _FREE)
    .values(
        leased_by=sa.bindparam("worker"),
        lease_token=_w.lease_token + 1,
        lease_expires_at=sa.bindparam("until", type_=UtcDateTime),
    )
    .returning(webhooks)
)
_OURS = sa.and_(_w.id == sa.bindparam("of_id"), _w.lease_token == sa.bindparam("token"))
_KEEP = sa.update(webhooks).where(_OURS).values(lease_expires_at=sa.bindparam("until", type_=UtcDateTime))
_LET_GO = sa.update(webhooks).where(_OURS).values(leased_by=None, lease_expires_at=None)
_LATEST_OF = (
    sa.select(_m.is_success, _m.response_ms)
    .where(_m.webhook_id == sa.bindparam("webhook_id"))
    .order_by(_m.id.desc())
    .limit(LATEST)
)


_ATTEMPTS = (
    sa.select(webhook_health_metrics)
    .where(_m.webhook_id == sa.bindparam("webhook_id"))
    .order_by(_m.id.desc())
    .limit(sa.bindparam("limit"))
)


def create(session: Session, **fields: Any) -> WebhookRecord:
    """Insert a webhook with these columns, and return it; secrets are sealed for its id."""
    now = clock.now()
    row = {
        "description": "", "format": rules.STANDARD, "events": [], "project_id": None, "projects": None,
        "is_active": True, "disabled_reason": None, "former_secret": None, "former_until": None,
        "routing_key": None, "health_check_interval_seconds": 300, "delivery_failures": 0,
        "probe_failures": 0, "last_success_at": None, "last_failure_at": None, "next_check_at": now,
        "rests_until": None, "leased_by": None, "lease_token": 0, "lease_expires_at": None,
        "created_at": now, "updated_at": now, **fields,
    }  # fmt: skip
    row["health_status"] = rules.UNKNOWN if row["is_active"] else rules.DISABLED
    session.execute(sa.insert(webhooks), row)
    return get(session, row["id"])


def get(session: Session, webhook_id: str, *, lock: bool = False) -> WebhookRecord:
    """Return a webhook, with `lock` for a change of it; raises NotFound."""
    row = session.execute(_LOCKED if lock else _BY_ID, {"id": webhook_id}).first()
    if row is None:
        raise NotFound("webhook", webhook_id)
    return WebhookRecord(*row)


def every(session: Session) -> list[WebhookRecord]:
    """Return all webhooks, the oldest first."""
    return [WebhookRecord(*row) for row in session.execute(_ALL)]


def change(session: Session, webhook_id: str, **fields: Any) -> None:
    """Set columns of a webhook."""
    session.execute(sa.update(webhooks).where(_w.id == webhook_id).values(**fields))


def delete(session: Session, webhook_id: str) -> None:
    """Delete a webhook with its deliveries; raises NotFound."""
    if session.execute(sa.delete(webhooks).where(_w.id == webhook_id)).rowcount != 1:
        raise NotFound("webhook", webhook_id)


def lease(session: Session, webhook_id: str, worker: str, until: datetime) -> WebhookRecord | None:
    """Become the one who sends to a webhook; None while another is."""
    values = {"of_id": webhook_id, "worker": worker, "now": clock.now(), "until": until}
    row = session.execute(_LEASE, values).first()
    return None if row is None else WebhookRecord(*row)


def keep(session: Session, record: WebhookRecord, until: datetime) -> bool:
    """Stay the one who sends to a webhook; False: somebody else is, so write nothing."""
    values = {"of_id": record.id, "token": record.lease_token, "until": until}
    return session.execute(_KEEP, values).rowcount == 1


def let_go(session: Session, record: WebhookRecord) -> None:
    """Let another send to a webhook."""
    session.execute(_LET_GO, {"of_id": record.id, "token": record.lease_token})


def release(session: Session, worker: str) -> None:
    """Let others send to the webhooks of a worker that is known to be dead."""
    session.execute(
        sa.update(webhooks).where(_w.leased_by == worker).values(leased_by=None, lease_expires_at=None)
    )


def measured(session: Session, attempts: Sequence[Attempt]) -> None:
    """Keep how attempts went."""
    if attempts:
        session.execute(sa.insert(webhook_health_metrics), [structs.asdict(one) for one in attempts])


def attempt(webhook_id: str, kind: str, **fields: Any) -> Attempt:
    """Make a row of how an attempt went, now."""
    about: dict[str, Any] = {"delivery_id": None, "measured_at": clock.now(), **fields}
    return Attempt(id=ids.new_id(), webhook_id=webhook_id, kind=kind, **about)


def health(session: Session, webhook_id: str) -> Health:
    """Sum the latest attempts up."""
    rows = session.execute(_LATEST_OF, {"webhook_id": webhook_id}).all()
    if not rows:
        return Health(0, None, None, None)
    times = [row.response_ms for row in rows]
    rate = sum(row.is_success for row in rows) / len(rows)
    return Health(len(rows), round(rate, 4), rules.percentile(times, 0.5), rules.percentile(times, 0.95))


def latest_attempts(session: Session, webhook_id: str, limit: int = LATEST) -> list[Attempt]:
    """Return the attempts that health is judged by, the latest first."""
    rows = session.execute(_ATTEMPTS, {"webhook_id": webhook_id, "limit": limit})
    return [Attempt(*row) for row in rows]


def attempts_of(session: Session, delivery_ids: Collection[str]) -> dict[str, list[Attempt]]:
    """Return the attempts of deliveries, the oldest first."""
    found: dict[str, list[Attempt]] = {}
    statement = (
        sa.select(webhook_health_metrics).where(_m.delivery_id.in_(list(delivery_ids))).order_by(_m.id)
    )
    for row in session.execute(statement):
        found.setdefault(str(row.delivery_id), []).append(Attempt(*row))
    return found


def purge(session: Session, before: datetime) -> int:
    """Delete what was measured before a time; return how many."""
    return session.execute(sa.delete(webhook_health_metrics).where(_m.measured_at < before)).rowcount


def counts(session: Session) -> dict[str, int]:
    """Return how many webhooks there are of each health."""
    rows = session.execute(sa.select(_w.health_status, sa.func.count()).group_by(_w.health_status))
    return {row[0]: row[1] for row in rows}


def next_check(record: WebhookRecord) -> datetime:
    """Return when a webhook is probed again after a probe now."""
    return clock.now() + timedelta(seconds=record.health_check_interval_seconds)
