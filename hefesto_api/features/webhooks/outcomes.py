"""Writing down how attempts went: the health of an endpoint, and its event when that has another name."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hefesto_api.domain import audit, clock
from hefesto_api.domain import webhooks as rules
from hefesto_api.storage import deliveries, outbox, webhooks
from hefesto_api.storage.deliveries import Ending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.adapters.delivery import Outcome
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.deliveries import DeliveryRecord
    from hefesto_api.storage.webhooks import Attempt, WebhookRecord

GONE = 410
_ALIVE_BELOW = 500
_BREATH_SECONDS = 1.0


def is_alive(outcome: Outcome) -> bool:
    """Tell whether what answers a probe is alive: any answer under 500."""
    return outcome.status is not None and outcome.status < _ALIVE_BELOW


def ends_batch(outcome: Outcome) -> bool:
    """Tell whether an endpoint asks to be left alone after an answer."""
    return not outcome.is_success and (outcome.status == GONE or outcome.retry_after is not None)


def of_probe(record: WebhookRecord, outcome: Outcome) -> Attempt:
    """Return how a probe went, as it is kept."""
    alive = is_alive(outcome)
    return _attempt(record.id, "probe", outcome, is_success=alive, error=None if alive else outcome.error)


def of_test(record: WebhookRecord, outcome: Outcome) -> Attempt:
    """Return how a test went, as it is kept."""
    return _attempt(record.id, "test", outcome, is_success=outcome.is_success, error=outcome.error)


def of_delivery(delivery: DeliveryRecord, outcome: Outcome) -> Attempt:
    """Return how an attempt of a delivery went, as it is kept."""
    told = {"delivery_id": delivery.id, "is_success": outcome.is_success, "error": outcome.error}
    return _attempt(delivery.webhook_id, "delivery", outcome, **told)


def ending(delivery: DeliveryRecord, outcome: Outcome) -> Ending:
    """Return what becomes of a delivery by an attempt: delivered, tried again, or a dead letter."""
    now = clock.now()
    pause = rules.pause(delivery.attempts + 1, rules.retry_after(outcome.retry_after, now))
    status = rules.DELIVERED if outcome.is_success else rules.DEAD if pause is None else rules.PENDING
    next_at = now + timedelta(seconds=pause or 0)
    return Ending(delivery.id, status, delivery.attempts + 1, next_at, outcome.status, outcome.error)


def after(record: WebhookRecord, went: Sequence[Outcome]) -> dict[str, Any]:
    """Return the columns of an endpoint that attempts change.

    One that fails and fails is let alone for a second now and then: it may be the many requests.
    """
    now, failed = clock.now(), record.delivery_failures
    changed: dict[str, Any] = {}
    for outcome in went:
        failed = 0 if outcome.is_success else failed + 1
        changed["last_success_at" if outcome.is_success else "last_failure_at"] = now
    wait = rules.retry_after(went[-1].retry_after, now) if not went[-1].is_success else None
    if failed >= rules.FAILURES:
        wait = max(wait or 0.0, _BREATH_SECONDS)
    if wait:
        changed["rests_until"] = now + timedelta(seconds=wait)
    return {**changed, "delivery_failures": failed}


def after_probe(record: WebhookRecord, alive: bool) -> dict[str, Any]:
    """Return the columns of an endpoint that a probe changes."""
    when = "last_success_at" if alive else "last_failure_at"
    return {"probe_failures": 0 if alive else record.probe_failures + 1, when: clock.now()}


def settle(session: Session, webhook_id: str) -> None:
    """Name an endpoint's health anew; where it has another name, tell others (`webhook.status_changed`)."""
    now = webhooks.get(session, webhook_id, lock=True)
    measured = webhooks.health(session, webhook_id)
    named = rules.health(
        active=now.is_active,
        attempts=measured.attempts,
        rate=measured.success_rate,
        failures=failures(now),
    )
    if named == now.health_status:
        return
    webhooks.change(session, webhook_id, health_status=named)
    data = {
        "id": now.id,
        "name": now.name,
        "health_status": named,
        "former_status": now.health_status,
        "reason": now.disabled_reason,
    }
    outbox.append(session, "webhook.status_changed", data, project_id=now.project_id)


def _attempt(webhook_id: str, kind: str, outcome: Outcome, **told: Any) -> Attempt:
    return webhooks.attempt(
        webhook_id, kind, status_code=outcome.status, response_ms=outcome.milliseconds, **told
    )


def failures(record: WebhookRecord) -> int:
    """Return how many attempts failed in a row: of deliveries or of probes, whichever is more."""
    return max(record.delivery_failures, record.probe_failures)


def disable(session: Session, record: WebhookRecord, reason: str) -> None:
    """Send nothing more to an endpoint that said it is gone; what waited for it can be replayed."""
    webhooks.change(session, record.id, is_active=False, disabled_reason=reason, updated_at=clock.now())
    dead = deliveries.give_up(session, record.id, reason)
    audit.note("webhook.disabled", "webhook", record.id, {"reason": reason, "dead_letters": dead})
