"""What is not as it usually is, and what is usual now."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from msgspec import structs

from hefesto_api.domain import clock
from hefesto_api.storage import anomalies, projects
from hefesto_api.storage.anomalies import Measure

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from hefesto_api.storage.anomalies import AnomalyRecord, BaselineRecord
    from hefesto_api.storage.base import Session

LISTED = 200
DIGITS = 3
DRAWN = timedelta(days=1)  # of a series, where a metric is asked for
_TIMES = ("started_at", "detected_at", "ended_at")
_NUMBERS = ("value", "expected", "lower", "upper", "score")


def unusual(session: Session, query: Mapping[str, Any], allowed: Collection[str] | None) -> dict[str, Any]:
    """Return the anomalies and baselines of the service, and of the projects that may be seen."""
    now = clock.now()
    ids = projects.chosen(session, query.get("project"), allowed)
    since, status, metric = now - timedelta(days=query["days"]), query.get("status"), query.get("metric")
    found = anomalies.page(session, ids, since=since, status=status, limit=LISTED)
    known = anomalies.every_baseline(session, ids)
    named = {one.project_id for one in found} | {one.project_id for one in known}
    slugs = projects.slugs(session, named - {anomalies.WHOLE})
    return {
        "anomalies": [
            _anomaly(one, slugs) for one in found if _is_told(one, slugs) and metric in {None, one.metric}
        ],
        "baselines": [
            {**_baseline(one, slugs, now), "points": _points(session, one, now) if metric else []}
            for one in known
            if _is_told(one, slugs) and metric in {None, one.metric}
        ],
    }


def _is_told(one: AnomalyRecord | BaselineRecord, slugs: Mapping[str, str]) -> bool:
    """Tell whether something is of the service, or of a project that is still there."""
    return one.project_id == anomalies.WHOLE or one.project_id in slugs


def _anomaly(one: AnomalyRecord, slugs: Mapping[str, str]) -> dict[str, Any]:
    row = structs.asdict(one)
    project = slugs.get(row.pop("project_id"))
    times = {name: row[name] and clock.rfc3339(row[name]) for name in _TIMES}
    return {**row, **times, **{name: round(row[name], DIGITS) for name in _NUMBERS}, "project": project}


def _baseline(one: BaselineRecord, slugs: Mapping[str, str], now: datetime) -> dict[str, Any]:
    band = one.band(now)
    limits = {name: band and round(getattr(band, name), DIGITS) for name in ("expected", "lower", "upper")}
    return {
        "metric": one.metric,
        "project": slugs.get(one.project_id),
        "granularity": one.known.granularity,
        "learned_from_points": one.known.points,
        "learned_from_days": one.known.days,
        "learned_at": one.learned_at and clock.rfc3339(one.learned_at),
        "value": round(one.value, DIGITS),
        "measured_at": clock.rfc3339(one.seen_at),
        **limits,
    }


def _points(session: Session, one: BaselineRecord, now: datetime) -> list[dict[str, Any]]:
    """Return what a measure was in the last day, each point with what was expected then."""
    told = []
    for point in anomalies.points(session, Measure(one.metric, one.project_id), now - DRAWN):
        band = one.band(point.at)
        limits = {
            name: band and round(getattr(band, name), DIGITS) for name in ("expected", "lower", "upper")
        }
        told.append({"at": clock.rfc3339(point.at), "value": round(point.value, DIGITS), **limits})
    return told
