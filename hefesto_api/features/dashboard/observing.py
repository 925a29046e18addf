"""Making points of what was measured, following them, and learning what is usual: the worker's part."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hefesto_api.domain import clock
from hefesto_api.domain.baseline import COUNTING, Point
from hefesto_api.storage import activity, anomalies, monitoring
from hefesto_api.storage.anomalies import Measure
from hefesto_api.storage.measuring import SAMPLES, WRITER_WAIT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.monitoring import Gauge, Requests

STEP = timedelta(minutes=5)
HOUR = timedelta(hours=1)
SETTLED = timedelta(seconds=30)  # after which every process has written what it counted
CAUGHT_UP = 12  # steps back, where the worker was away
ENOUGH = 20  # requests, of which fewer have no percentile worth following
AT_ONCE = 20  # baselines a run

REQUESTS, ERRORS, P95 = "http_requests", "http_errors", "http_p95_ms"
DEPTH, OLDEST = SAMPLES
OF_SERVICE = (REQUESTS, ERRORS, P95, DEPTH, OLDEST, WRITER_WAIT)
ALERTS, FINDINGS = "alerts_per_hour", "findings_per_hour"
_OF_PROJECTS: Mapping[str, Callable[[Session, datetime, datetime], dict[str, int]]] = {
    ALERTS: activity.alerts_told,
    FINDINGS: activity.findings_come,
}
# Square roots of what each unit counts as nothing: ten milliseconds of waiting are not worth a word.
_LEAST = {DEPTH: 1.0, OLDEST: 1.5, WRITER_WAIT: 1.0, P95: 0.7}


def observe(db: Database) -> int:
    """Take in the points that are due; return how many they were."""
    now = clock.now()
    with db.read() as session:
        points = {**_of_service(session, now), **_of_projects(session, now)}
    if not points:
        return 0
    with db.write() as session:
        for measure in sorted(points):
            for point in points[measure]:
                anomalies.take(session, measure, point)
    return sum(map(len, points.values()))


def learn(db: Database) -> int:
    """Learn the baselines anew that are due; return how many they were."""
    now = clock.now()
    with db.read() as session:
        due = anomalies.due(session, now, limit=AT_ONCE)
    for measure in due:
        _learn(db, measure, now)
    return len(due)


def _learn(db: Database, measure: Measure, now: datetime) -> None:
    least = _LEAST.get(measure.metric, COUNTING)
    try:
        with db.read() as session:
            known = anomalies.learn(session, measure, now, least_spread=least)
    except (ValueError, ArithmeticError) as error:  # one series that cannot be learned keeps no other
        with db.write() as session:
            anomalies.failed(session, measure, f"{type(error).__name__}: {error}", now)
        return
    with db.write() as session:
        anomalies.learned(session, measure, known, now)


def _of_service(session: Session, now: datetime) -> dict[Measure, list[Point]]:
    """Return the points of the steps since the last one that was taken in."""
    end = _floor(now - SETTLED, STEP)
    last = anomalies.latest(session, Measure(REQUESTS))
    begin = end - CAUGHT_UP * STEP if last else end - STEP
    if last is not None:
        begin = max(begin, last + STEP)
    if begin >= end:
        return {}
    span = int(begin.timestamp()), int(end.timestamp()), int(STEP.total_seconds())
    requests, gauges = monitoring.by_time(session, *span), monitoring.gauges_by_time(session, *span)
    found: defaultdict[Measure, list[Point]] = defaultdict(list)
    at = begin
    while at < end:
        second = int(at.timestamp())
        seen = {name: gauge for (when, name), gauge in gauges.items() if when == second}
        for metric, value in _values(requests.get(second), seen).items():
            found[Measure(metric)].append(Point(at, value))
        at += STEP
    return found


def _values(requests: Requests | None, gauges: Mapping[str, Gauge]) -> dict[str, float]:
    values: dict[str, float] = {
        REQUESTS: requests.requests if requests else 0,
        ERRORS: requests.errors if requests else 0,
    }
    p95 = requests.quantile(0.95) if requests and requests.requests >= ENOUGH else None
    if p95 is not None:
        values[P95] = p95 * 1000
    for name in (DEPTH, WRITER_WAIT):
        mean = gauges[name].mean if name in gauges else None
        if mean is not None:
            values[name] = mean
    if OLDEST in gauges:
        values[OLDEST] = gauges[OLDEST].most
    return values


def _of_projects(session: Session, now: datetime) -> dict[Measure, list[Point]]:
    """Return the points of the last whole hour, once: of projects that had something in it, or ever."""
    end = _floor(now - SETTLED, HOUR)
    begin = end - HOUR
    found = {}
    for metric, counted in _OF_PROJECTS.items():
        known = anomalies.seen(session, metric)
        if known and max(known.values()) >= begin:
            continue
        counts = counted(session, begin, end)
        for project_id in known.keys() | counts.keys():
            found[Measure(metric, project_id)] = [Point(begin, counts.get(project_id, 0))]
    return found


def _floor(moment: datetime, step: timedelta) -> datetime:
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)
