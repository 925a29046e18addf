"""Resolving alerts whose fix was deployed: what they occurred in was replaced, and they are quiet since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain import audit, clock
from hefesto_api.domain.silence import LEAST, Silence
from hefesto_api.storage import alert_changes, alert_deliveries, alert_occurrences, alerts, deployments
from hefesto_api.storage.alerts import ACKNOWLEDGED, PENDING, RESOLVED

if TYPE_CHECKING:
    from datetime import datetime

    from hefesto_api.storage.alerts import AlertRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.deployments import DeploymentRecord

STAGE = 100
SYSTEM = "system"
OF_STATUS = {"off": (), "pending": (PENDING,), "all": (PENDING, ACKNOWLEDGED)}
"""Which alerts each value of the setting has resolved."""


def settle(db: Database, policy: str, *, now: datetime | None = None) -> int:
    """Resolve the alerts of which it is proved that they are fixed; return how many."""
    moment, statuses, settled = now or clock.now(), OF_STATUS[policy], 0
    after = ""
    while statuses:
        with db.read() as session:
            asked = alert_changes.quiet_since(session, statuses, moment - LEAST, after=after, limit=STAGE)
            proved = [(one, proof) for one in asked if (proof := proof_of(session, one, moment))]
        for record, proof in proved:
            with db.write() as session:
                settled += _resolved(session, record, proof, statuses)
        if len(asked) < STAGE:
            break
        after = asked[-1].id
    return settled


def proof_of(session: Session, record: AlertRecord, now: datetime) -> dict[str, Any] | None:
    """Return the proof that an alert is fixed; None while there is none.

    What only its sender can end (no crash, and the sender says that it goes on) is never proved.
    """
    first = record.received()
    if not (first.stacktrace or first.frames) and alert_deliveries.is_firing(session, record.id):
        return None
    places = alert_occurrences.places(session, record.id) or [record.environment or ""]
    fixes = [_fix(session, record, place or deployments.PRODUCTION, now) for place in places]
    known = [one for one in fixes if one is not None]
    if len(known) < len(fixes):
        return None
    last = max(known, key=lambda one: one.deployed_at)
    gap = alert_occurrences.longest_gap(session, record.id)
    watched = last.deployed_at - record.first_seen
    silence = Silence(record.occurrence_count, watched, gap, now - last.deployed_at)
    return _told(known, last, silence) if silence.is_proof else None


def _fix(session: Session, record: AlertRecord, place: str, now: datetime) -> DeploymentRecord | None:
    """Return what replaced the revision in which an alert occurred last, unless that is back again."""
    ran = deployments.running_at(session, record.project_id, place, record.last_seen)
    runs = deployments.running_at(session, record.project_id, place, now)
    if ran is None or runs is None or _is_same(ran, runs):
        return None
    found = deployments.following(session, ran)
    while found is not None and _is_same(ran, found):
        found = deployments.following(session, found)
    return found if found is not None and found.deployed_at <= now else None


def _is_same(one: DeploymentRecord, other: DeploymentRecord) -> bool:
    if one.commit_hash and other.commit_hash:
        shorter, longer = sorted((one.commit_hash.lower(), other.commit_hash.lower()), key=len)
        return longer.startswith(shorter)
    return one.release is not None and one.release == other.release


def _told(fixes: list[DeploymentRecord], last: DeploymentRecord, silence: Silence) -> dict[str, Any]:
    return {
        "deployments": [
            {
                "id": one.id,
                "environment": one.environment,
                "commit_hash": one.commit_hash,
                "release": one.release,
                "deployed_at": clock.rfc3339(one.deployed_at),
            }
            for one in fixes
        ],
        "deployed_at": clock.rfc3339(last.deployed_at),
        "occurrences": silence.occurrences,
        "watched_seconds": int(silence.watched.total_seconds()),
        "longest_gap_seconds": int(silence.longest_gap.total_seconds()),
        "quiet_seconds": int(silence.quiet.total_seconds()),
        "needed_seconds": int(silence.needed.total_seconds()),
        "chance": silence.chance,
    }


def _resolved(
    session: Session, record: AlertRecord, proof: dict[str, Any], statuses: tuple[str, ...]
) -> bool:
    if not alert_changes.settle(session, record, SYSTEM, proof, statuses):
        return False  # it occurred again, or somebody decided, at this very moment
    alerts.announce(session, "resolved", record.id, user=SYSTEM)
    changes = {"status": {"from": record.status, "to": RESOLVED}, "proof": proof}
    audit.note("alert.resolved", "alert", record.id, changes, project=alerts.slug_of(session, record.id))
    return True
