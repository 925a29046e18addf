"""How it goes with webhooks: their health, what they were or are to be told, and telling it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain import audit, clock
from hefesto_api.domain import webhooks as rules
from hefesto_api.domain.errors import Conflict, NotFound
from hefesto_api.features.webhooks import outcomes
from hefesto_api.features.webhooks.service import Desk, Listed, is_seen, key_of, listed, read, slugs_of
from hefesto_api.storage import deliveries, delivery_queues, webhooks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.deliveries import DeliveryRecord
    from hefesto_api.storage.delivery_queues import Queue
    from hefesto_api.storage.webhooks import Attempt, WebhookRecord
    from hefesto_api.web.paging import Page


def health(session: Session, desk: Desk, webhook_id: str) -> dict[str, Any]:
    """Return how it goes with a webhook that the caller may see; raises NotFound."""
    return _health(session, read(session, desk, webhook_id))


def every_health(desk: Desk, query: Mapping[str, Any]) -> Listed:
    """Return a page of how it goes with the webhooks that the caller may see, the oldest first."""
    return listed(desk, query, _health)


def _health(session: Session, record: WebhookRecord) -> dict[str, Any]:
    measured = webhooks.health(session, record.id)
    queue = delivery_queues.of_webhook(session, record.id)
    return {
        "id": record.id,
        "health_status": record.health_status,
        "success_rate": measured.success_rate,
        "p50_ms": measured.p50_ms,
        "p95_ms": measured.p95_ms,
        "attempts": measured.attempts,
        "consecutive_failures": outcomes.failures(record),
        "last_success_at": _moment(record.last_success_at),
        "last_failure_at": _moment(record.last_failure_at),
        "next_check_at": _moment(record.next_check_at) if record.is_active else None,
        "disabled_reason": record.disabled_reason,
        "deliveries_waiting": queue.waiting,
        "dead_letters": queue.dead,
        "next_attempt_at": _moment(_next_attempt(record, queue)),
        "attempt_log": [
            {"kind": one.kind, "delivery_id": one.delivery_id, **attempt_as_told(one)}
            for one in reversed(webhooks.latest_attempts(session, record.id))
        ],
    }


def _next_attempt(record: WebhookRecord, queue: Queue) -> datetime | None:
    """Return when something is sent next: not while the endpoint rests."""
    if not record.is_active or queue.next_attempt_at is None:
        return None
    return max(queue.next_attempt_at, record.rests_until or queue.next_attempt_at)


def delivered(session: Session, desk: Desk, webhook_id: str, query: Mapping[str, Any]) -> Listed:
    """Return a page of what a webhook was or is to be told, the newest first."""
    read(session, desk, webhook_id)
    page: Page = query["page"]
    found, total = deliveries.page(
        session,
        webhook_id,
        status=query.get("status"),
        event_type=query.get("event_type"),
        limit=page.limit + 1,
        offset=page.offset if page.cursor is None else 0,
        before=None if page.cursor is None else key_of(page.cursor),
    )
    shown = found[: page.limit]
    attempts = webhooks.attempts_of(session, [one.id for one in shown])
    items = [delivery_as_told(one, attempts.get(one.id, [])) for one in shown]
    return Listed(items, (shown[-1].id,) if len(found) > page.limit else None, total)


def redeliver(desk: Desk, delivery_id: str) -> dict[str, Any]:
    """Send something anew, whatever became of it; raises Conflict when its webhook is not active."""
    with desk.db.write() as session:
        delivery = deliveries.get(session, delivery_id)
        record = webhooks.get(session, delivery.webhook_id)
        slugs = slugs_of(session)
        if not is_seen(record, desk.allowed, slugs):
            raise NotFound("delivery", delivery_id)
        _require_active(record)
        deliveries.again(session, delivery_id)
        slug = slugs.get(record.project_id or "")
        changes = {"status": {"from": delivery.status, "to": rules.PENDING}}
        audit.note("delivery.replayed", "delivery", delivery_id, changes, project=slug)
        attempts = webhooks.attempts_of(session, [delivery_id]).get(delivery_id, [])
        return delivery_as_told(deliveries.get(session, delivery_id), attempts)


def redeliver_all(desk: Desk, webhook_id: str) -> int:
    """Send all dead letters of a webhook anew, and return how many; raises Conflict when it is not active.

    Where there are none nothing is changed, nor locked: to PostgreSQL a lock is a change, too.
    """
    with desk.db.write() as session:
        _require_active(read(session, desk, webhook_id))
        if not delivery_queues.of_webhook(session, webhook_id).dead:
            return 0
        record = read(session, desk, webhook_id, lock=True)
        _require_active(record)
        many = delivery_queues.revive(session, webhook_id)
        if many:
            slug = slugs_of(session).get(record.project_id or "")
            audit.note("webhook.replayed", "webhook", webhook_id, {"dead_letters": many}, project=slug)
        return many


def _require_active(record: WebhookRecord) -> None:
    if not record.is_active:
        raise Conflict("The webhook is not active; activate it first.", resource_type="webhook")


def delivery_as_told(delivery: DeliveryRecord, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return a delivery as it goes over the wire, with its attempts."""
    waits = delivery.status == rules.PENDING
    return {
        "id": delivery.id,
        "webhook_id": delivery.webhook_id,
        "event_id": delivery.event_id,
        "event_type": delivery.event_type,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "status_code": delivery.status_code,
        "error": delivery.error,
        "created_at": clock.rfc3339(delivery.created_at),
        "last_attempt_at": _moment(delivery.last_attempt_at),
        "next_attempt_at": clock.rfc3339(delivery.next_attempt_at) if waits else None,
        "finished_at": _moment(delivery.finished_at),
        "attempt_log": [attempt_as_told(one) for one in attempts],
    }


def attempt_as_told(one: Attempt) -> dict[str, Any]:
    """Return an attempt as it goes over the wire."""
    return {
        "at": clock.rfc3339(one.measured_at),
        "is_success": one.is_success,
        "status_code": one.status_code,
        "response_ms": one.response_ms,
        "error": one.error,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else clock.rfc3339(moment)
