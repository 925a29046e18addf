"""What alerts add up to: how many of which kind, how soon people acted, which come back and which stay."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from hefesto_api.storage import alert_lists
from hefesto_api.storage.alert_lists import Filter
from hefesto_api.storage.alerts import RESOLVED, alerts
from hefesto_api.storage.base import Session
from hefesto_api.storage.moments import seconds_between
from hefesto_api.storage.projects import projects

SHOWN = 10
PERCENTS = (50, 90)
SERVICES = 100
FLAPPING = 3  # times that a trouble began within the week
WEEK = timedelta(days=7)
STANDING = timedelta(days=1)
_a = alerts.c
_ITSELF = _a.merged_into.is_(None)


def counts(session: Session, wanted: Filter) -> dict[str, dict[str, int]]:
    """Return how many alerts there are of each status, severity, service (the most frequent) and project."""
    return {
        "by_status": _by(session, wanted, _a.status),
        "by_severity": _by(session, wanted, _a.severity),
        "by_service": _by(session, wanted, _a.service_name),
        "by_project": _by(session, wanted, projects.c.slug),
    }


def mean_times(session: Session, wanted: Filter) -> tuple[float | None, float | None]:
    """Return the mean seconds until alerts were acknowledged and resolved; None where none was.

    The first runs from when we were told, since nobody could know before; the second from the first
    occurrence, since a sender's word of the end is in the sender's time as well.
    """
    acknowledged = sa.func.avg(seconds_between(_a.created_at, _a.acknowledged_at))
    resolved = sa.func.avg(seconds_between(_a.first_seen, _a.resolved_at))
    where, values = alert_lists.conditions(wanted)
    row = session.execute(sa.select(acknowledged, resolved).where(*where, _ITSELF), values).one()
    return tuple(None if one is None else max(float(one), 0.0) for one in row)  # type: ignore[return-value] # two


def percentiles(session: Session, wanted: Filter) -> dict[str, dict[str, float | None]]:
    """Return the median seconds until alerts were acknowledged and resolved, and what nine of ten kept to.

    They run as those of `mean_times`; each is a time that one alert took.
    """
    spans = {
        "acknowledge": seconds_between(_a.created_at, _a.acknowledged_at),
        "resolve": seconds_between(_a.first_seen, _a.resolved_at),
    }
    return {name: _percentiles(session, wanted, span) for name, span in spans.items()}


def _percentiles(session: Session, wanted: Filter, span: seconds_between) -> dict[str, float | None]:
    where, values = alert_lists.conditions(wanted)
    known = [*where, _ITSELF, span.is_not(None)]
    many = session.execute(sa.select(sa.func.count()).select_from(alerts).where(*known), values).scalar_one()
    found: dict[str, float | None] = {}
    for percent in PERCENTS:
        at = max(-(-many * percent // 100) - 1, 0)  # the nearest rank
        ranked = sa.select(span).where(*known).order_by(span).limit(1).offset(at)
        seconds = session.execute(ranked, values).scalar()
        found[f"p{percent}"] = None if seconds is None else max(float(seconds), 0.0)
    return found


def top(session: Session, wanted: Filter) -> list[sa.Row[Any]]:
    """Return the open alerts that occurred most often."""
    return _some(session, wanted, _a.occurrence_count.desc(), _a.status != RESOLVED)


def standing(session: Session, wanted: Filter, now: datetime) -> list[sa.Row[Any]]:
    """Return the alerts that have been open for more than a day, the longest first."""
    return _some(session, wanted, _a.first_seen.asc(), _a.status != RESOLVED, _a.first_seen < now - STANDING)


def flapping(session: Session, wanted: Filter, now: datetime) -> list[sa.Row[Any]]:
    """Return the troubles that began several times within a week: fingerprint, times, the latest's id."""
    where, values = alert_lists.conditions(wanted)
    times = sa.func.count().label("times")
    statement = (
        sa.select(_a.fingerprint, times, sa.func.max(_a.id).label("id"))
        .where(*where, _ITSELF, _a.created_at >= now - WEEK)
        .group_by(_a.project_id, _a.fingerprint)
        .having(times >= FLAPPING)
        .order_by(times.desc(), _a.fingerprint)
        .limit(SHOWN)
    )
    return list(session.execute(statement, values))


def _some(session: Session, wanted: Filter, order: Any, *more: sa.ColumnElement[bool]) -> list[sa.Row[Any]]:
    where, values = alert_lists.conditions(wanted)
    statement = sa.select(_a.id).where(*where, *more).order_by(order, _a.id).limit(SHOWN)
    return list(session.execute(statement, values))


def _by(session: Session, wanted: Filter, column: sa.ColumnElement[Any]) -> dict[str, int]:
    where, values = alert_lists.conditions(wanted)
    number = sa.func.count().label("number")
    statement = (
        sa.select(column, number)
        .select_from(alerts)
        .join(projects, projects.c.id == _a.project_id)
        .where(*where, column.is_not(None))
        .group_by(column)
        .order_by(number.desc(), column)
        .limit(SERVICES)
    )
    return {row[0]: row[1] for row in session.execute(statement, values)}
