"""Points are followed once and in order; an anomaly is told once, to those who may see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hefesto_api.domain import baseline, clock
from hefesto_api.domain.baseline import Point
from hefesto_api.storage import anomalies, executions, jobs, outbox, projects, schedules
from hefesto_api.storage.anomalies import Measure

if TYPE_CHECKING:
    from hefesto_api.storage.database import Database

REQUESTS = Measure("http_requests")
HOUR = timedelta(hours=1)


def midnight() -> datetime:
    """The begin of the day at hand."""
    return clock.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def known(db: Database, measure: Measure = REQUESTS, days: int = 8) -> datetime:
    """Have a measure known by eight calm days; return when the next point is due."""
    now = midnight()
    with db.write() as session:
        for hour in range(days * 24, 0, -1):
            assert anomalies.take(session, measure, Point(now - hour * HOUR, 100 + hour % 3)) is None
        due = anomalies.due(session, clock.now(), limit=10)
        assert measure in due
        learned = anomalies.learn(session, measure, now, least_spread=0.5)
        assert learned.granularity == baseline.HOUR_OF_DAY
        anomalies.learned(session, measure, learned, clock.now())
        assert measure not in anomalies.due(session, clock.now(), limit=10)
    return now


def test_a_spike_is_one_anomaly_and_one_event_until_it_is_over(db: Database) -> None:
    now = known(db)
    with db.write() as session:
        opened = anomalies.take(session, REQUESTS, Point(now, 900))
        assert opened is not None
        assert anomalies.take(session, REQUESTS, Point(now, 900)) is None, "it was taken before"
        assert anomalies.take(session, REQUESTS, Point(now + HOUR, 2000)) is None
        listed = anomalies.page(session, None, since=now, status="open", limit=10)
        assert [(one.id, one.value, one.status) for one in listed] == [(opened.id, 2000, "open")]
        for hour in range(2, 2 + baseline.TO_CLOSE):
            anomalies.take(session, REQUESTS, Point(now + hour * HOUR, 100))
        (ended,) = anomalies.page(session, None, since=now, status=None, limit=10)
        events = [event for event in outbox.after(session, 0) if event.type == "anomaly.detected"]
    assert (ended.status, ended.started_at) == ("ended", now)
    assert ended.ended_at is not None
    assert [event.data["id"] for event in events] == [opened.id]
    assert events[0].data["project"] is None
    assert {"metric", "value", "expected", "lower", "upper", "score", "severity"} <= set(events[0].data)


def test_what_comes_late_is_kept_and_not_followed(db: Database) -> None:
    now = known(db)
    with db.write() as session:
        anomalies.take(session, REQUESTS, Point(now + HOUR, 100))
        assert anomalies.take(session, REQUESTS, Point(now, 9000)) is None
        assert anomalies.latest(session, REQUESTS) == now + HOUR
        assert anomalies.page(session, None, since=now, status=None, limit=10) == []
        assert [point.value for point in anomalies.points(session, REQUESTS, now)] == [9000, 100]
    with db.read() as session:  # which may lock nothing
        assert anomalies.latest(session, REQUESTS) == now + HOUR


def test_projects_are_seen_by_those_who_may(db: Database) -> None:
    with db.write() as session:
        shop, other = (projects.create(session, slug).id for slug in ("shop", "other"))
    now = known(db, Measure("alerts", shop))
    known(db)
    with db.write() as session:
        for measure in (Measure("alerts", shop), REQUESTS):
            assert anomalies.take(session, measure, Point(now, 5000)) is not None
        seen = {
            who: {one.metric for one in anomalies.page(session, ids, since=now, status=None, limit=10)}
            for who, ids in (("all", None), ("shop", [shop]), ("other", [other]))
        }
        assert seen == {
            "all": {"alerts", "http_requests"},
            "shop": {"alerts", "http_requests"},
            "other": {"http_requests"},
        }
        assert [one.metric for one in anomalies.every_baseline(session, [other])] == ["http_requests"]
        event = outbox.after(session, 0)[-2]
        assert (event.project_id, event.data["project"]) == (shop, "shop")
        projects.delete(session, shop)
        anomalies.purge(session, clock.now())
        assert [one.metric for one in anomalies.every_baseline(session, None)] == ["http_requests"]
        assert [one.metric for one in anomalies.recalculations(session)] == ["http_requests"]


def test_a_baseline_that_failed_is_tried_again(db: Database) -> None:
    known(db)
    now = clock.now()
    with db.write() as session:
        anomalies.failed(session, REQUESTS, "ValueError: no", now)
        (told,) = anomalies.recalculations(session)
        assert (told.last_status, told.last_error) == ("failed", "ValueError: no")
        assert anomalies.due(session, now + timedelta(minutes=61), limit=10) == [REQUESTS]


def test_executions_of_schedules_are_recorded_and_others_are_not(db: Database) -> None:
    with db.write() as session:
        schedules.ensure(session, "sweep", 60)
        plain = jobs.get(session, jobs.enqueue(session, "sweep", {}))
    assert schedules.tick(db) == ["sweep"]
    with db.write() as session:
        (job,) = [one for one in jobs.page(session) if one.id != plain.id]
        executions.ended(session, plain, clock.now())
        executions.ended(session, job, clock.now())
        executions.ended(session, job, clock.now(), "ValueError: no")
        failed, done = executions.latest(session, 10)
        assert (done.schedule, done.job_id, done.status) == ("sweep", job.id, "succeeded")
        assert (failed.status, failed.error) == ("failed", "ValueError: no")
        (schedule,) = schedules.every(session)
        assert (schedule.last_status, schedule.last_error) == ("failed", "ValueError: no")
        assert executions.purge(session, clock.now() + timedelta(seconds=1)) == 2
