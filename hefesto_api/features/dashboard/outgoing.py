"""How the outgoing webhooks do that a caller may see; never where they lead, for that may be a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain import clock
from hefesto_api.storage import deliveries, projects, webhooks

if TYPE_CHECKING:
    from collections.abc import Collection

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.webhooks import WebhookRecord


def outgoing(session: Session, slug: str | None, allowed: Collection[str] | None) -> dict[str, Any]:
    """Return each webhook with its health; those of the whole installation are for who may see all of it."""
    ids = projects.chosen(session, slug, allowed)
    found = [one for one in webhooks.every(session) if ids is None or one.project_id in ids]
    slugs = projects.slugs(session, (one.project_id for one in found))
    by_health: dict[str, int] = {}
    for one in found:
        by_health[one.health_status] = by_health.get(one.health_status, 0) + 1
    return {
        "enabled": any(one.is_active for one in found),
        "total": len(found),
        "by_health": by_health,
        "deliveries_waiting": deliveries.waiting(session) if ids is None else None,
        "webhooks": [_webhook(session, one, slugs.get(one.project_id or "")) for one in found],
    }


def _webhook(session: Session, one: WebhookRecord, slug: str | None) -> dict[str, Any]:
    health = webhooks.health(session, one.id)
    return {
        "id": one.id,
        "name": one.name,
        "project": slug,
        "format": one.format,
        "is_active": one.is_active,
        "health_status": one.health_status,
        "success_rate": health.success_rate,
        "p50_ms": health.p50_ms,
        "p95_ms": health.p95_ms,
        "last_success_at": one.last_success_at and clock.rfc3339(one.last_success_at),
        "last_failure_at": one.last_failure_at and clock.rfc3339(one.last_failure_at),
    }
