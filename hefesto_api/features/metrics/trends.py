"""What stood at the end of each day, week or month, and what came and went in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from hefesto_api.domain import clock
from hefesto_api.domain.finding import Severity
from hefesto_api.storage import measures, projects, quality

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from hefesto_api.storage.database import Database
    from hefesto_api.storage.measures import DayChange, Standing

_BUCKETS: dict[str, Callable[[date], Any]] = {
    "daily": lambda day: day,
    "weekly": lambda day: day.isocalendar()[:2],
    "monthly": lambda day: (day.year, day.month),
}
PERIODS = tuple(_BUCKETS)


def trends(db: Database, query: Mapping[str, Any], allowed: Collection[str] | None) -> dict[str, Any]:
    """Return the points of the days until today, the last of each period standing for it."""
    today = clock.now().date()
    days = [today - timedelta(days=back) for back in range(query["days"])]  # the latest first
    with db.read() as session:
        ids = projects.chosen(session, query.get("project"), allowed)
        now = measures.standing(session, ids)
        changes = measures.daily_changes(session, ids, days[-1].isoformat())
        lines = quality.lines(session, ids)
    points = _joined(list(_points(days, now, changes, lines)), _BUCKETS[query["period"]])
    return {"period": query["period"], "data_points": points, "summary": _summary(points)}


def _points(
    days: Sequence[date], now: Sequence[Standing], changes: Sequence[DayChange], lines: quality.Lines
) -> Iterator[dict[str, Any]]:
    """Yield a point for each day, going back from what stands now."""
    counts, certainty = Counter[str](), Counter[str]()
    for one in now:
        counts[one.severity] += one.findings
        certainty[one.severity] += one.certainty
    by_day: defaultdict[str, list[DayChange]] = defaultdict(list)
    for change in changes:
        by_day[change.day].append(change)
    # What is dated ahead of this clock counts as today's.
    ahead = [change for day in by_day if day > days[0].isoformat() for change in by_day[day]]
    for day in days:
        of_day = by_day[day.isoformat()] + (ahead if day == days[0] else [])
        yield _point(day, counts, of_day, quality.of(certainty.items(), lines.at(day.isoformat())).score)
        for change in of_day:
            counts.subtract(change.change)
            certainty.subtract(change.certainty)


def _point(
    day: date, counts: Mapping[str, int], changes: Sequence[DayChange], score: float
) -> dict[str, Any]:
    return {
        "date": day.isoformat(),
        "total_findings": sum(counts.values()),
        **{one.value.lower(): counts[one.value] for one in reversed(Severity)},
        "opened": sum(change.opened for change in changes),
        "resolved": sum(change.resolved for change in changes),
        "quality_score": quality.rounded(score),
    }


def _joined(points: Sequence[dict[str, Any]], bucket: Callable[[date], Any]) -> list[dict[str, Any]]:
    """Join the points of a period (the latest first) into its last, the oldest period first."""
    joined: dict[Any, dict[str, Any]] = {}
    for point in points:
        last = joined.setdefault(bucket(date.fromisoformat(point["date"])), point)
        if last is not point:
            last["opened"] += point["opened"]
            last["resolved"] += point["resolved"]
    return list(reversed(joined.values()))


def _summary(points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    scores = [(point["quality_score"], point["date"]) for point in points]
    (best, best_day), (worst, worst_day) = max(scores), min(scores)
    return {
        "average_quality_score": quality.rounded(sum(score for score, _ in scores) / len(scores)),
        "best_day": {"date": best_day, "quality_score": best},
        "worst_day": {"date": worst_day, "quality_score": worst},
    }
