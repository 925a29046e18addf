"""What is done about alerts: acknowledging and resolving them, by people and by those who sent them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hefesto_api.domain import clock
from hefesto_api.domain.alert import IncomingAlert
from hefesto_api.domain.grouping import Grouped
from hefesto_api.storage import alert_deliveries as deliveries
from hefesto_api.storage import alert_history
from hefesto_api.storage import alerts as all_alerts
from hefesto_api.storage.alert_history import HistoryEntry
from hefesto_api.storage.alerts import ACKNOWLEDGED, PENDING, RESOLVED, AlertRecord, alerts
from hefesto_api.storage.base import Session, UtcDateTime
from hefesto_api.storage.deployments import deployments

_a = alerts.c


def acknowledge(session: Session, alert_id: str, user: str, comment: str = "") -> bool:
    """Acknowledge an alert that nobody has; False when it is not pending. Announce it afterwards."""
    now = clock.now()
    values = {"of_id": alert_id, "user": user, "comment": comment or None, "now": now}
    if session.execute(_ACKNOWLEDGE, values).rowcount != 1:
        return False
    details = f"Acknowledged: {comment}" if comment else "Acknowledged."
    alert_history.add(session, HistoryEntry(alert_id, now, ACKNOWLEDGED, user, details))
    return True


def comment_on(session: Session, alert_id: str, user: str, comment: str) -> None:
    """Leave a comment on an alert."""
    now = clock.now()
    session.execute(_COMMENT, {"of_id": alert_id, "comment": comment, "now": now})
    alert_history.add(session, HistoryEntry(alert_id, now, "commented", user, f"Commented: {comment}"))


def resolve(session: Session, alert_id: str, user: str, comment: str = "") -> bool:
    """Resolve an alert that is open; False when it is resolved. Announce it afterwards."""
    told = f"Resolved: {comment}" if comment else "Resolved."
    return _resolve(session, alert_id, clock.now(), user, comment or None, told)


def quiet_since(
    session: Session, statuses: Collection[str], moment: datetime, *, after: str = "", limit: int = 100
) -> list[AlertRecord]:
    """Return alerts of some statuses that a later deployment could have fixed, by id behind `after`.

    They did not occur since a moment, and something was deployed before it that they did not occur in.
    """
    values = {"statuses": list(statuses), "moment": moment, "after": after, "limit": limit}
    return [AlertRecord(*row) for row in session.execute(_QUIET, values)]


def settle(
    session: Session, record: AlertRecord, user: str, proof: dict[str, Any], statuses: Collection[str]
) -> bool:
    """Resolve an alert with the proof that it is fixed; False when it is not any more as it was.

    It was over when the fix was deployed. Announce it afterwards.
    """
    values = {
        "of_id": record.id, "ended": datetime.fromisoformat(proof["deployed_at"]), "user": user,
        "now": clock.now(), "comment": None, "proof": proof, "statuses": list(statuses),
        "seen": record.last_seen,
    }  # fmt: skip
    if session.execute(_SETTLE, values).rowcount != 1:
        return False
    told = (
        f"Fixed by what was deployed at {proof['deployed_at']} and quiet for {_days(proof['quiet_seconds'])};"
        f" {_days(proof['needed_seconds'])} were needed after {proof['occurrences']} occurrences."
    )
    alert_history.add(session, HistoryEntry(record.id, clock.now(), RESOLVED, user, told))
    return True


def _days(seconds: int) -> str:
    return f"{seconds / 86400:.1f} days"


def end(session: Session, project_id: str, incoming: IncomingAlert, found: Grouped) -> str | None:
    """Take the sender's word that a trouble is over; return the id of the alert that this resolved.

    An alert that several of the sender's groups tell of is over with the last of them. Without a group it
    is the alert that the same `alert_id` was counted to, else the open one of the same fingerprint.
    Announce it afterwards.
    """
    if incoming.group_id is not None:
        alert_id = deliveries.quiet(session, project_id, incoming)
        if alert_id is not None and deliveries.is_firing(session, alert_id):
            return None
    else:
        alert_id = deliveries.told_of(session, project_id, incoming)
        target = all_alerts.target_of(session, project_id, found)
        alert_id = alert_id or all_alerts.open_of(session, project_id, target)
    if alert_id is None:
        return None
    now = clock.now()
    ended = min(incoming.timestamp or now, now)
    done = _resolve(session, alert_id, ended, None, None, f"Resolved, as {incoming.source} says.")
    return alert_id if done else None


def _resolve(
    session: Session, alert_id: str, ended: datetime, user: str | None, comment: str | None, told: str
) -> bool:
    now = clock.now()
    values = {"of_id": alert_id, "ended": ended, "user": user, "comment": comment, "now": now}
    if session.execute(_RESOLVE, values).rowcount != 1:
        return False
    alert_history.add(session, HistoryEntry(alert_id, now, RESOLVED, user, told))
    return True


_NOW = sa.bindparam("now", type_=UtcDateTime)
_SAID = sa.func.coalesce(sa.bindparam("comment", type_=_a.comment.type), _a.comment)
_ONE = sa.update(alerts).where(_a.id == sa.bindparam("of_id"))
_COMMENT = _ONE.values(comment=_SAID, updated_at=_NOW)
_ACKNOWLEDGE = _ONE.where(_a.status == PENDING).values(
    status=ACKNOWLEDGED,
    acknowledged_at=_NOW,
    acknowledged_by=sa.bindparam("user"),
    comment=_SAID,
    updated_at=_NOW,
)
_ENDED = sa.bindparam("ended", type_=UtcDateTime)
_RESOLVE = _ONE.where(_a.status != RESOLVED).values(
    status=RESOLVED,
    open_key=None,
    resolved_at=sa.case((_a.first_seen > _ENDED, _a.first_seen), else_=_ENDED),
    resolved_by=sa.bindparam("user"),
    comment=_SAID,
    updated_at=_NOW,
)
_STATUSES = _a.status.in_(sa.bindparam("statuses", expanding=True))
_SETTLE = _RESOLVE.where(_STATUSES, _a.last_seen == sa.bindparam("seen", type_=UtcDateTime)).values(
    proof=sa.bindparam("proof", type_=_a.proof.type)
)
_MOMENT = sa.bindparam("moment", type_=UtcDateTime)
_d = deployments.c
_QUIET = (
    sa.select(alerts)
    .where(
        _STATUSES,
        _a.last_seen < _MOMENT,
        _a.id > sa.bindparam("after", type_=_a.id.type),
        sa.exists().where(
            _d.project_id == _a.project_id, _d.deployed_at > _a.last_seen, _d.deployed_at <= _MOMENT
        ),
    )
    .order_by(_a.id)
    .limit(sa.bindparam("limit"))
)
