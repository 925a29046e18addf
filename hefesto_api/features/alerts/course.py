"""The course of an alert: its occurrences one by one, and how often it occurred beside what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.domain import buckets, clock
from hefesto_api.domain.errors import Invalid
from hefesto_api.features.alerts import service
from hefesto_api.storage import alert_history, alert_occurrences, alerts, deployments
from hefesto_api.storage.alert_occurrences import KEPT, ListedOccurrence

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from hefesto_api.domain.buckets import Buckets
    from hefesto_api.storage.alerts import AlertRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.deployments import DeploymentRecord

MOST_MARKERS = 200
_LAST_ID = "\U0010ffff"  # behind every id


class Occurrences(NamedTuple):
    """A page of an alert's occurrences, the key after which the next one starts, and how many are kept."""

    items: list[ListedOccurrence]
    next_key: tuple[Any, ...] | None
    total: int
    exact: bool


def occurrences(
    db: Database, alert_id: str, query: Mapping[str, Any], allowed: Collection[str] | None
) -> Occurrences:
    """Return a page of an alert's occurrences, the latest first."""
    page = query["page"]
    with db.read() as session:
        service.read(session, alert_id, allowed)
        items, key = alert_occurrences.page(
            session,
            alert_id,
            limit=page.limit,
            offset=0 if page.cursor is not None else page.offset,
            after=page.cursor,
        )
        total, exact = alert_occurrences.count(session, alert_id)
    return Occurrences(items, key, total, exact)


def timeline(
    db: Database, alert_id: str, query: Mapping[str, Any], allowed: Collection[str] | None
) -> dict[str, Any]:
    """Return how often an alert occurred over time, with the project's deployments and what people did.

    Raises Invalid for a stretch that ends before it begins.
    """
    now = clock.now()
    with db.read() as session:
        service.read(session, alert_id, allowed)
        record = alerts.get(session, alert_id)
        parts = _stretch(record, query, now)
        counted = alert_occurrences.rate(session, alert_id, parts.start, parts.end, parts.width)
        markers = _deployed(session, record, parts)
        changes = [one for one in alert_history.of(session, alert_id) if _within(one.timestamp, parts)]
    return {
        "alert_id": alert_id,
        "period": {"start": clock.rfc3339(parts.start), "end": clock.rfc3339(parts.end)},
        "complete_since": clock.rfc3339(now - KEPT),
        "bucket_seconds": int(parts.width.total_seconds()),
        "total": sum(counted.values()),
        "buckets": [
            {"start": clock.rfc3339(start), "count": counted.get(number, 0)}
            for number, start in enumerate(parts.starts())
        ],
        "deployments": [_marker(one) for one in reversed(markers)],
        "changes": [service.told(one) for one in changes],
    }


def _stretch(record: AlertRecord, query: Mapping[str, Any], now: datetime) -> Buckets:
    """Return the buckets: from the first occurrence on, until now or until a while after it was over."""
    start = query.get("start_date") or max(record.first_seen, now - KEPT)
    over = record.resolved_at or now
    last = max(record.last_seen, over)
    end = query.get("end_date") or min(now, last + (last - record.first_seen) / 10)
    if query.get("start_date") is None:
        start = min(start, end)
    if end < start:
        raise Invalid("end_date", "It lies before start_date.", "range")
    return buckets.over(start, end)


def _deployed(session: Session, record: AlertRecord, parts: Buckets) -> list[DeploymentRecord]:
    return deployments.page(
        session,
        limit=MOST_MARKERS,
        project_ids=(record.project_id,),
        since=parts.start,
        before=(parts.end, _LAST_ID),
    )


def _within(moment: datetime, parts: Buckets) -> bool:
    return parts.start <= moment < parts.end


def _marker(one: DeploymentRecord) -> dict[str, Any]:
    return {
        "id": one.id,
        "environment": one.environment,
        "commit_hash": one.commit_hash,
        "release": one.release,
        "deployed_at": clock.rfc3339(one.deployed_at),
    }
