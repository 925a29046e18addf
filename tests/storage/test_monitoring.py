"""Requests and gauges of all processes add up, become coarser with age, and no moment is counted twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hefesto_api.domain.errors import StorageError
from hefesto_api.storage import jobs, monitoring
from hefesto_api.storage.measuring import Measures
from hefesto_api.storage.monitoring import DAY, HOUR, MINUTE, Gauge, Requests

if TYPE_CHECKING:
    from hefesto_api.storage.database import Database

NOW = 1_790_000_040 // MINUTE * MINUTE
ROUTE = "GET /api/v1/findings"


def some(*seconds: float) -> Requests:
    """Requests that took so long."""
    took = [0] * (len(monitoring.BOUNDS) + 1)
    for one in seconds:
        took[sum(bound < one for bound in monitoring.BOUNDS)] += 1
    return Requests(len(seconds), 0, 0, sum(seconds), tuple(took))


def test_what_processes_write_adds_up(db: Database) -> None:
    for _ in range(2):
        with db.write() as session:
            one = some(0.004, 0.3)._replace(refused=1)
            gauges = {(NOW, "queue_depth"): Gauge(1, 3, 3)}
            monitoring.add(session, {(NOW, ROUTE): one, (NOW, "GET /"): some(0.1)}, gauges)
    with db.write() as session:
        monitoring.add(session, {}, {(NOW, "queue_depth"): Gauge(1, 9, 9)})
    with db.read() as session:
        found = monitoring.by_route(session, NOW, NOW + 1)
        assert list(found) == [ROUTE, "GET /"]
        assert found[ROUTE][:3] == (4, 2, 0)
        assert found[ROUTE].seconds == pytest.approx(0.608)
        assert sum(found[ROUTE].took) == 4
        assert monitoring.gauges(session, NOW, NOW + 1) == {"queue_depth": Gauge(3, 15.0, 9.0)}
        assert monitoring.by_route(session, NOW + 1, NOW + HOUR) == {}


def test_old_rows_become_coarser_and_keep_their_sums(db: Database) -> None:
    ages = [0, HOUR, 2 * DAY + HOUR, 2 * DAY + HOUR + 2 * MINUTE, 20 * DAY, 20 * DAY + MINUTE, 91 * DAY]
    start = NOW // DAY * DAY + 12 * HOUR
    with db.write() as session:
        monitoring.add(
            session,
            {(start - age, ROUTE): some(0.01) for age in ages},
            {(start - age, "queue_depth"): Gauge(1, 2, 2) for age in ages},
        )
    monitoring.thin(db, start)
    monitoring.thin(db, start)
    with db.read() as session:
        assert monitoring.by_route(session, 0, start + 1)[ROUTE].requests == len(ages) - 1
        assert monitoring.gauges(session, 0, start + 1)["queue_depth"] == Gauge(6, 12.0, 2.0)
        table = monitoring.request_minutes
        steps = sorted((row.step, row.at) for row in session.execute(table.select()))
    ten, hour = (start - 2 * DAY - HOUR - MINUTE) // 600 * 600, (start - 20 * DAY - 1) // HOUR * HOUR
    assert {step for step, _ in steps} == {60, 600, 3600}
    assert (600, ten) in steps
    assert (3600, hour) in steps
    assert all(at % step == 0 for step, at in steps)


def test_stretches_of_time_are_told_apart(db: Database) -> None:
    begin = NOW // HOUR * HOUR
    with db.write() as session:
        requests = {(begin + n * MINUTE, ROUTE): some(0.01) for n in range(10)}
        monitoring.add(session, requests, {(begin + 300, "queue_depth"): Gauge(2, 4, 3)})
    with db.read() as session:
        found = monitoring.by_time(session, begin, begin + HOUR, 300)
        assert {at: one.requests for at, one in found.items()} == {begin: 5, begin + 300: 5}
        seen = monitoring.gauges_by_time(session, begin, begin + HOUR, 300)
        assert seen == {(begin + 300, "queue_depth"): Gauge(2, 4.0, 3.0)}


def test_quantiles_lie_where_the_values_do() -> None:
    many = some(*([0.004] * 90 + [0.4] * 9 + [60]))
    median, most, last = many.quantile(0.5), many.quantile(0.95), many.quantile(1)
    assert Requests().quantile(0.5) is None
    assert median is not None
    assert 0.003 < median <= 0.005
    assert most is not None
    assert 0.3 < most <= 0.5
    assert last == monitoring.BOUNDS[-1]


def test_a_process_writes_what_it_counted_and_saw_of_the_queue(db: Database) -> None:
    with db.write() as session:
        jobs.enqueue(session, "sweep", {})
    measures = Measures(db, every_seconds=3600)
    for status in (200, 404, 500):
        measures.count(ROUTE, status, 0.02)
    measures.close()
    with db.read() as session:
        assert monitoring.by_route(session, 0, 1 << 40)[ROUTE][:3] == (3, 1, 1)
        gauges = monitoring.gauges(session, 0, 1 << 40)
    assert gauges["queue_depth"] == Gauge(1, 1.0, 1.0)
    assert gauges["oldest_job_seconds"].most >= 0
    assert ("writer_wait_ms" in gauges) == db.is_sqlite  # PostgreSQL has many writers


def test_what_could_not_be_written_is_written_later(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    measures = Measures(db, every_seconds=3600)
    with db.read():
        measures.count(ROUTE, 200, 0.02)

    def refuse(*_: object) -> None:
        raise StorageError("away", service="database", reason="busy")

    with monkeypatch.context() as patch:
        patch.setattr(monitoring, "add", refuse)
        with pytest.raises(StorageError):
            measures.flush()
    measures.count(ROUTE, 200, 0.02)
    measures.close()
    with db.read() as session:
        assert monitoring.by_route(session, 0, 1 << 40)[ROUTE].requests == 2
