"""What followed a deployment: the alerts before and after it, their suspects, and how often they occurred."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hefesto_api.domain import buckets, clock
from hefesto_api.domain.errors import NotFound
from hefesto_api.storage import deployment_alerts, deployments, projects

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.deployment_alerts import AlertAfter, Counted, TopSuspect
    from hefesto_api.storage.deployments import DeploymentRecord

HOURS = 24
MOST_HOURS = 168
MOST_MARKERS = 200
_LAST_ID = "\U0010ffff"  # behind every id


def read(
    db: Database, deployment_id: str, allowed: Collection[str] | None, hours: int = HOURS
) -> dict[str, Any]:
    """Return what followed a deployment that the caller may see; raises NotFound."""
    with db.read() as session:
        record = deployments.get(session, deployment_id)
        if not projects.is_seen(session, record.project_id, allowed):
            raise NotFound("deployment", deployment_id)
        window = _window(record, deployments.following(session, record), hours)
        shown = deployment_alerts.after(session, record, window)
        suspects = deployment_alerts.suspects(session, [one.id for one in shown])
        return {
            "deployment_id": record.id,
            **told(deployment_alerts.around(session, record, window), window),
            "alerts": [_alert(one, suspects.get(one.id)) for one in shown],
            **_course(session, record, hours),
        }


def counted(
    session: Session, record: DeploymentRecord, following: DeploymentRecord | None
) -> tuple[Counted, timedelta]:
    """Count the alerts in a window before a deployment and in one as long after; return that window, too."""
    window = _window(record, following, HOURS)
    return deployment_alerts.around(session, record, window), window


def told(found: Counted, window: timedelta) -> dict[str, Any]:
    """Return counts of alerts as they go over the wire."""
    return {
        "window_seconds": int(window.total_seconds()),
        "alerts_before": found.before,
        "alerts_after": found.after,
        "new_alerts": sum(found.new.values()),
        "new_by_severity": found.new,
    }


def _window(record: DeploymentRecord, following: DeploymentRecord | None, hours: int) -> timedelta:
    """Return how long a deployment has been held to account: until the next one or now, at most so long."""
    end = clock.now() if following is None else min(following.deployed_at, clock.now())
    return max(timedelta(0), min(timedelta(hours=hours), end - record.deployed_at))


def _course(session: Session, record: DeploymentRecord, hours: int) -> dict[str, Any]:
    """Return how often the alerts occurred around a deployment, beside the deployments of the project."""
    around = timedelta(hours=hours)
    end = max(min(record.deployed_at + around, clock.now()), record.deployed_at)
    parts = buckets.over(record.deployed_at - around, end)
    rate = deployment_alerts.rate(session, record, parts)
    markers = _deployed(session, record, parts.start, parts.end)
    return {
        "period": {"start": clock.rfc3339(parts.start), "end": clock.rfc3339(parts.end)},
        "bucket_seconds": int(parts.width.total_seconds()),
        "buckets": [
            {
                "start": clock.rfc3339(start),
                "known": rate.get((number, False), 0),
                "new": rate.get((number, True), 0),
            }
            for number, start in enumerate(parts.starts())
        ],
        "deployments": [
            {
                "id": one.id,
                "environment": one.environment,
                "commit_hash": one.commit_hash,
                "release": one.release,
                "deployed_at": clock.rfc3339(one.deployed_at),
            }
            for one in reversed(markers)
        ],
    }


def _deployed(
    session: Session, record: DeploymentRecord, start: datetime, end: datetime
) -> list[DeploymentRecord]:
    return deployments.page(
        session,
        limit=MOST_MARKERS,
        project_ids=(record.project_id,),
        environment=record.environment,
        since=start,
        before=(end, _LAST_ID),
    )


def _alert(one: AlertAfter, suspect: TopSuspect | None) -> dict[str, Any]:
    told = {name: getattr(one, name) for name in one.__struct_fields__}
    return {
        **told,
        "first_seen": clock.rfc3339(one.first_seen),
        "last_seen": clock.rfc3339(one.last_seen),
        "suspect": None
        if suspect is None
        else {
            "file_path": suspect.file_path,
            "function_name": suspect.function_name,
            "probability": suspect.probability,
        },
    }
