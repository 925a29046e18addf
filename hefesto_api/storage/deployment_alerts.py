"""The alerts around a deployment, counted."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.storage.alert_occurrences import alert_occurrences
from hefesto_api.storage.alerts import alerts
from hefesto_api.storage.base import UtcDateTime
from hefesto_api.storage.correlations import alert_suspects
from hefesto_api.storage.moments import seconds_between, whole

if TYPE_CHECKING:
    from hefesto_api.domain.buckets import Buckets
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.deployments import DeploymentRecord

MOST_SHOWN = 100
_EDGE = 0.0005  # seconds by which SQLite's arithmetic of days may miss

_a, _o, _s = alerts.c, alert_occurrences.c, alert_suspects.c
_FROM, _AT, _TO = (sa.bindparam(name, type_=UtcDateTime) for name in ("from", "at", "to"))
_is_before = sa.and_(_a.first_seen < _AT, _a.last_seen >= _FROM)
_is_after = sa.and_(_a.first_seen < _TO, _a.last_seen >= _AT)
_is_new = _a.first_seen >= _AT


class Counted(Struct, frozen=True):
    """How many alerts were on at some time before and after; `new` counts by severity what began after."""

    before: int
    after: int
    new: dict[str, int]


class AlertAfter(Struct, frozen=True):
    """An alert that was on after a deployment; `is_new`: it was first seen after it."""

    id: str
    error_type: str | None
    title: str
    severity: str
    status: str
    service_name: str | None
    first_seen: datetime
    last_seen: datetime
    occurrence_count: int
    is_new: bool


class TopSuspect(Struct, frozen=True):
    """The function that an alert's latest correlation holds for the likeliest."""

    alert_id: str
    file_path: str
    function_name: str
    probability: float


def around(session: Session, deployment: DeploymentRecord, window: timedelta) -> Counted:
    """Count a deployment's alerts in a window before it and in one as long after.

    An alert counts where the time from its first to its last occurrence touches the window; those of other
    environments do not count, those that name none do.
    """
    were = are = 0
    new: dict[str, int] = {}
    for row in session.execute(_AROUND, _asked(deployment, window)):
        were += row.before or 0
        are += row.after or 0
        if row.new:
            new[row.severity] = row.new
    return Counted(were, are, new)


def after(session: Session, deployment: DeploymentRecord, window: timedelta) -> list[AlertAfter]:
    """Return the alerts that `around` counts after a deployment: the new ones first, then the worst."""
    rows = session.execute(_AFTER, _asked(deployment, window))
    return [AlertAfter(**{**row, "is_new": bool(row["is_new"])}) for row in rows.mappings()]


def suspects(session: Session, alert_ids: Collection[str]) -> dict[str, TopSuspect]:
    """Return the likeliest suspect of each alert that has one; what a person rejected is none."""
    found: dict[str, TopSuspect] = {}
    for row in session.execute(_SUSPECTS, {"ids": list(alert_ids)}) if alert_ids else ():
        found.setdefault(row.alert_id, TopSuspect(*row))
    return found


def rate(session: Session, deployment: DeploymentRecord, parts: Buckets) -> dict[tuple[int, bool], int]:
    """Return how often the alerts occurred in each part, by its number and whether they are new."""
    values = {
        "project": deployment.project_id, "environment": deployment.environment,
        "at": deployment.deployed_at, "from": parts.start, "to": parts.end,
        "width": parts.width.total_seconds(), "edge": _EDGE,
    }  # fmt: skip
    return {(int(row[0]), bool(row[1])): row[2] for row in session.execute(_RATE, values)}


def _asked(deployment: DeploymentRecord, window: timedelta) -> dict[str, Any]:
    return {
        "project": deployment.project_id, "environment": deployment.environment,
        "from": deployment.deployed_at - window, "at": deployment.deployed_at,
        "to": deployment.deployed_at + window,
    }  # fmt: skip


def _number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((condition, 1), else_=0))


_HERE = sa.and_(
    _a.project_id == sa.bindparam("project"),
    sa.or_(_a.environment.is_(None), _a.environment == sa.bindparam("environment")),
)
_AROUND = (
    sa.select(
        _a.severity,
        _number(_is_before).label("before"),
        _number(_is_after).label("after"),
        _number(sa.and_(_is_after, _is_new)).label("new"),
    )
    .where(_HERE, _a.last_seen >= _FROM, _a.first_seen < _TO)
    .group_by(_a.severity)
)
_shown = [_a[name] for name in AlertAfter.__struct_fields__ if name != "is_new"]
_AFTER = (
    sa.select(*_shown, sa.case((_is_new, 1), else_=0).label("is_new"))
    .where(_HERE, _is_after)
    .order_by(sa.desc("is_new"), _a.severity_rank.desc(), _a.first_seen, _a.id)
    .limit(MOST_SHOWN)
)
_SUSPECTS = (
    sa.select(_s.alert_id, _s.file_path, _s.function_name, _s.probability)
    .where(
        _s.alert_id.in_(sa.bindparam("ids", expanding=True)),
        sa.or_(_s.confirmed.is_(None), _s.confirmed.is_(sa.true())),
    )
    .order_by(_s.alert_id, _s.confirmed.is_(None), _s.probability.desc(), _s.function_name)
)
_bucket = whole(
    (seconds_between(_FROM, _o.occurred_at) + sa.bindparam("edge", type_=sa.Float))
    / sa.bindparam("width", type_=sa.Float)
).label("number")
_each = (
    sa.select(_bucket, sa.case((_is_new, 1), else_=0).label("is_new"))
    .select_from(alerts)
    .join(alert_occurrences, _o.alert_id == _a.id)
    .where(_HERE, _a.last_seen >= _FROM, _a.first_seen < _TO, _o.occurred_at >= _FROM, _o.occurred_at < _TO)
    .subquery()
)  # PostgreSQL takes the parameters of a group for others than those of the columns
_RATE = sa.select(_each.c.number, _each.c.is_new, sa.func.count()).group_by(_each.c.number, _each.c.is_new)
