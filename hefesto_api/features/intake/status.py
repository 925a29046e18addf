"""Telling what became of a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain import clock
from hefesto_api.domain.errors import NotFound
from hefesto_api.features.intake import arrivals
from hefesto_api.storage import intake, projects

if TYPE_CHECKING:
    from collections.abc import Collection

    from hefesto_api.storage.base import Session

_EMPTY: dict[str, Any] = {
    "total": 0, "new": 0, "repeated": 0, "resolved": 0, "alerts": [], "deployments": [], "ignored": [],
    "error": None,
}  # fmt: skip


def read(session: Session, webhook_id: str, allowed: Collection[str] | None) -> dict[str, Any]:
    """Return a message as it is told; raises NotFound, also for one of a project not to be seen."""
    found = intake.get(session, webhook_id)
    slugs = projects.slugs(session, [found.project_id])
    slug = slugs.get(found.project_id or "")
    if allowed is not None and slug not in allowed:
        raise NotFound("webhook", webhook_id)
    ahead = intake.waiting(session, most=intake.MOST_WAITING).messages if found.finished_at is None else 0
    told = {name: (found.outcome or {}).get(name, empty) for name, empty in _EMPTY.items()}
    return {
        "received": True,
        "webhook_id": found.id,
        "processing_status": found.status,
        "estimated_processing_time_seconds": arrivals.seconds_left(found.status, ahead),
        "source": found.source,
        "source_id": found.source_id,
        "project": slug,
        "received_at": clock.rfc3339(found.received_at),
        "processed_at": clock.rfc3339(found.finished_at) if found.finished_at else None,
        "size": found.size,
        **told,
    }
