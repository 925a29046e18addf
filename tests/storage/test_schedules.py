"""Work that comes again is queued once a time, whoever looks; workers show that they live."""

from __future__ import annotations

import threading
from datetime import timedelta

import sqlalchemy as sa
from hefesto_api.domain import clock
from hefesto_api.storage import jobs, schedules, workers
from hefesto_api.storage.database import Database


def _ensure(db: Database, seconds: int = 60) -> None:
    with db.write() as session:
        schedules.ensure(session, "sweep", seconds, payload={"n": 1})


def test_a_schedule_queues_its_job_when_due(db: Database) -> None:
    _ensure(db)
    start = clock.now() + timedelta(seconds=1)
    assert schedules.tick(db, now=start) == ["sweep"]
    assert schedules.tick(db, now=start + timedelta(seconds=59)) == []
    job = jobs.lease(db, "w", ["sweep"], 30)
    assert job is not None
    assert job.payload == {"n": 1, "schedule": "sweep"}
    assert schedules.tick(db, now=start + timedelta(seconds=61)) == ["sweep"]


def test_missed_runs_are_not_made_up_for(db: Database) -> None:
    _ensure(db)
    later = clock.now() + timedelta(days=1)
    assert schedules.tick(db, now=later) == ["sweep"]
    assert schedules.tick(db, now=later) == []


def test_a_clock_that_is_put_back_holds_up_nothing(db: Database) -> None:
    _ensure(db)
    now = clock.now()
    assert schedules.tick(db, now=now + timedelta(hours=2)) == ["sweep"]
    assert schedules.tick(db, now=now) == ["sweep"]
    assert schedules.tick(db, now=now + timedelta(seconds=59)) == []


def test_a_changed_interval_takes_effect_and_the_next_run_stays(db: Database) -> None:
    _ensure(db)
    schedules.tick(db)
    with db.read() as session:
        before = schedules.every(session)[0]
    _ensure(db, seconds=5)
    with db.write() as session:
        after = schedules.every(session)[0]
        assert (after.every_seconds, after.next_run_at) == (5, before.next_run_at)
        schedules.ended(session, "sweep", "succeeded")
        assert schedules.every(session)[0].last_status == "succeeded"
        schedules.keep_only(session, ["other"])
        assert schedules.every(session) == []


def _waiting(db: Database) -> int:
    """Count the threads that have looked, and now wait to write."""
    if db.is_sqlite:
        return db.writer_wait()[2]
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with db.read() as session:
        return int(session.exec_driver_sql(blocked).scalar_one())


def test_of_many_that_look_at_once_one_queues(db: Database) -> None:
    _ensure(db)
    moment = clock.now() + timedelta(seconds=1)
    queued: list[str] = []
    threads = [
        threading.Thread(target=lambda: queued.extend(schedules.tick(db, now=moment))) for _ in range(4)
    ]
    with db.write() as session:
        session.execute(sa.select(schedules.schedules).with_for_update())
        for thread in threads:
            thread.start()
        while _waiting(db) < len(threads):
            pass
    for thread in threads:
        thread.join()
    assert queued == ["sweep"]
    with db.read() as session:
        assert jobs.counts(session) == {"queued": 1}


def test_workers_that_live_are_seen(db: Database) -> None:
    with db.write() as session:
        one, two = (workers.register(session, "host", pid, 2) for pid in (1, 2))
    with db.read() as session:
        assert workers.alive(session, 60) == [one, two]
        assert workers.alive(session, 60, now=clock.now() + timedelta(minutes=2)) == []
    with db.write() as session:
        workers.leave(session, one)
        assert workers.forget(session, clock.now() + timedelta(seconds=1)) == 1
        assert workers.alive(session, 60) == []
        workers.beat(session, two)
        assert [worker.id for worker in workers.alive(session, 60)] == [two.id]
