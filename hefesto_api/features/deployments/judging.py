"""How a deployment went, judged by the alerts before and after it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hefesto_api.domain import clock
from hefesto_api.domain.finding import Severity
from hefesto_api.storage import deployment_alerts, deployments
from hefesto_api.storage.deployments import VERDICT_HOURS, VerdictRecord

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.deployment_alerts import Counted
    from hefesto_api.storage.deployments import DeploymentRecord

HEALTHY, DEGRADED, FAILING = VERDICTS = ("healthy", "degraded", "failing")
WATCHING = "watching"  # nothing speaks against it, and the first verdict is still to come
STANDINGS = (WATCHING, *VERDICTS)
MANY_TIMES, MANY = 3, 5
AT_ONCE = 50


def judge_due(db: Database, *, now: datetime | None = None) -> int:
    """Give every verdict that is due, also those that became due while nothing ran; return how many."""
    moment = now or clock.now()
    given = 0
    while True:
        with db.read() as session:
            due = deployments.awaiting_verdict(session, moment, limit=AT_ONCE)
        if not due:
            return given
        for deployment in due:
            with db.write() as session:
                deployments.decide(session, deployment, _judged(session, deployment))
            given += 1


def _judged(session: Session, deployment: DeploymentRecord) -> VerdictRecord:
    hours = _hours_due(deployment)
    window = _window(session, deployment, timedelta(hours=hours))
    counted = deployment_alerts.around(session, deployment, window)
    return VerdictRecord(
        deployment.id, hours, verdict(counted), counted.before, counted.after, sum(counted.new.values()),
        int(window.total_seconds()), clock.now(),
    )  # fmt: skip


def verdict(counted: Counted) -> str:
    """Judge by counts of alerts; one of severity LOW alone makes nothing worse.

    Failing: a new critical alert, three new high ones, or several times as many alerts as before (and five
    at least). Degraded: something new, or more than before.
    """
    critical, high = counted.new.get(Severity.CRITICAL, 0), counted.new.get(Severity.HIGH, 0)
    flood = counted.after >= max(MANY, MANY_TIMES * counted.before)
    if critical or high >= MANY_TIMES or flood:
        return FAILING
    notable = sum(counted.new.values()) - counted.new.get(Severity.LOW, 0)
    return (
        DEGRADED if notable or counted.after - counted.new.get(Severity.LOW, 0) > counted.before else HEALTHY
    )


def standing(counted: Counted, given: Sequence[VerdictRecord]) -> dict[str, Any]:
    """Return how a deployment does by now, beside the latest of the verdicts given, the earliest first.

    A verdict stays as it was given; what came since, or was told of late, is judged here by the same measure.
    """
    last = given[-1] if given else None
    now = verdict(counted)
    known = last.new_alerts if last else 0
    return {
        "verdict": WATCHING if last is None and now == HEALTHY else now,
        "decided_at": last and clock.rfc3339(last.decided_at),
        "new_alerts_since": max(0, sum(counted.new.values()) - known),
    }


def _hours_due(deployment: DeploymentRecord) -> int:
    """Return which verdict is due, as `verdict_due_at` says."""
    due = deployment.verdict_due_at or deployment.deployed_at
    passed = due - deployment.deployed_at
    return next((hours for hours in VERDICT_HOURS if passed <= timedelta(hours=hours)), VERDICT_HOURS[-1])


def _window(session: Session, deployment: DeploymentRecord, wanted: timedelta) -> timedelta:
    """Return how long the deployment can be held to account: until the next one, at most as wanted."""
    after = deployments.following(session, deployment)
    return wanted if after is None else min(wanted, after.deployed_at - deployment.deployed_at)
