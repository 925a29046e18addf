"""What waits for a webhook and what was given up, counted; and sending the latter anew."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain import clock
from hefesto_api.domain import webhooks as rules
from hefesto_api.storage.base import Session
from hefesto_api.storage.deliveries import alert_delivery_queue

_d = alert_delivery_queue.c


class Queue(Struct, frozen=True):
    """How many deliveries wait and are dead letters, and when the first of those that wait is due."""

    waiting: int
    dead: int
    next_attempt_at: datetime | None


def of_webhook(session: Session, webhook_id: str) -> Queue:
    """Count the deliveries of a webhook that did not arrive."""
    rows = session.execute(_COUNTED, {"webhook_id": webhook_id}).all()
    found = {row.status: row for row in rows}
    waits, dead = found.get(rules.PENDING), found.get(rules.DEAD)
    return Queue(waits.many if waits else 0, dead.many if dead else 0, waits.due if waits else None)


def revive(session: Session, webhook_id: str) -> int:
    """Send all dead letters of a webhook anew, now, with all their attempts; return how many there are."""
    values = {"status": rules.PENDING, "attempts": 0, "next_attempt_at": clock.now(), "finished_at": None}
    dead = sa.and_(_d.webhook_id == webhook_id, _d.status == rules.DEAD)
    return session.execute(sa.update(alert_delivery_queue).where(dead).values(**values)).rowcount


_COUNTED = (
    sa.select(_d.status, sa.func.count().label("many"), sa.func.min(_d.next_attempt_at).label("due"))
    .where(_d.webhook_id == sa.bindparam("webhook_id"), _d.status.in_([rules.PENDING, rules.DEAD]))
    .group_by(_d.status)
)
