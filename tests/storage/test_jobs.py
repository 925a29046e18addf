"""A promised job is done, by one worker at a time, whatever dies on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hefesto_api.domain import clock
from hefesto_api.domain.errors import Conflict, NotFound
from hefesto_api.storage import jobs, outbox
from hefesto_api.storage.database import Database

KINDS = ["work"]


def _queue(db: Database, **options: object) -> str:
    with db.write() as session:
        return jobs.enqueue(session, "work", {"n": 1}, **options)  # type: ignore[arg-type]


def _lease(db: Database, worker: str = "w1", seconds: float = 30, later: float = 0) -> jobs.Job | None:
    return jobs.lease(db, worker, KINDS, seconds, now=clock.now() + timedelta(seconds=later))


def _get(db: Database, job_id: str) -> jobs.Job:
    with db.read() as session:
        return jobs.get(session, job_id)


def _leased(db: Database, **options: float) -> jobs.Job:
    job = _lease(db, **options)  # type: ignore[arg-type]
    assert job is not None
    return job


def test_a_job_is_leased_once_and_finished(db: Database) -> None:
    job_id = _queue(db)
    job = _leased(db)
    assert (job.id, job.payload, job.attempts, job.leased_by) == (job_id, {"n": 1}, 1, "w1")
    assert _lease(db, "w2") is None
    with db.write() as session:
        jobs.finish(session, job)
    assert _get(db, job_id).status == "succeeded"
    with db.read() as session:
        assert jobs.counts(session) == {"succeeded": 1}


def test_a_job_is_queued_with_its_cause_or_not_at_all(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), db.write() as session:
        jobs.enqueue(session, "work", {})
        raise ZeroDivisionError
    assert _lease(db) is None


def test_other_kinds_and_later_jobs_are_left(db: Database) -> None:
    _queue(db, run_at=clock.now() + timedelta(hours=1))
    assert _lease(db) is None
    assert jobs.lease(db, "w", ["other"], 30, now=clock.now() + timedelta(hours=2)) is None
    assert _lease(db, later=3601) is not None


def test_a_clock_that_is_put_back_holds_up_nothing(db: Database) -> None:
    job_id = _queue(db, lane="a")
    assert _leased(db, later=-7200).id == job_id


def test_priority_first_then_age(db: Database) -> None:
    old, new, urgent = _queue(db), _queue(db), _queue(db, priority=-5)
    assert [_leased(db).id for _ in range(3)] == [urgent, old, new]


def test_a_lane_has_one_running_job(db: Database) -> None:
    first, second, other = _queue(db, lane="a"), _queue(db, lane="a"), _queue(db, lane="b")
    one, two = _leased(db), _leased(db)
    assert {one.id, two.id} == {first, other}
    assert _lease(db) is None
    with db.write() as session:
        jobs.finish(session, one if one.id == first else two)
    assert _leased(db).id == second


def test_what_was_begun_in_a_lane_is_ended_before_the_next_begins(db: Database) -> None:
    first, second = _queue(db, lane="a"), _queue(db, lane="a")
    begun = jobs.lease(db, "w", ["work"], 30)
    assert begun is not None
    with db.write() as session:
        jobs.fail(session, begun, "the disk was full", retry_in=3600)
    assert jobs.lease(db, "w", ["work"], 30) is None
    later = clock.now() + timedelta(hours=2)
    again = jobs.lease(db, "w", ["work"], 30, now=later)
    assert again is not None
    assert (begun.id, again.id) == (first, first)
    with db.write() as session:
        jobs.finish(session, again)
    after = jobs.lease(db, "w", ["work"], 30)
    assert after is not None
    assert after.id == second


def test_the_database_itself_refuses_a_second_runner_in_a_lane(db: Database) -> None:
    _queue(db, lane="a"), _queue(db, lane="a")
    with pytest.raises(Conflict), db.write() as session:
        session.execute(sa.update(jobs.jobs).values(status="running"))


def test_the_same_waiting_work_is_queued_once(db: Database) -> None:
    first = _queue(db, dedupe_key="k")
    assert _queue(db, dedupe_key="k") == first
    _leased(db)
    assert _queue(db, dedupe_key="k") != first  # what runs may have missed what this one is for


def test_heartbeats_keep_the_lease(db: Database) -> None:
    _queue(db)
    job = _leased(db, seconds=10)
    soon = clock.now() + timedelta(seconds=9)
    assert jobs.heartbeat(db, job, 10, now=soon)
    assert jobs.reap(db, now=soon + timedelta(seconds=9)) == []
    assert jobs.reap(db, now=soon + timedelta(seconds=11)) == [(job.id, "queued")]


def test_who_lost_the_lease_can_write_nothing(db: Database) -> None:
    job_id = _queue(db)
    slow = _leased(db, seconds=1)
    jobs.reap(db, now=clock.now() + timedelta(seconds=2))
    quick = _lease(db, "w2", later=3)
    assert quick is not None
    assert quick.lease_token > slow.lease_token
    assert not jobs.heartbeat(db, slow, 30)
    for deed in (jobs.hold, jobs.finish, lambda session, job: jobs.fail(session, job, "late")):
        with pytest.raises(jobs.LeaseLost), db.write() as session:
            outbox.append(session, "effect.written", {})
            deed(session, slow)
    with db.write() as session:
        jobs.hold(session, quick)
        jobs.finish(session, quick)
        assert outbox.after(session, 0) == []
    assert _get(db, job_id).attempts == 2


def test_failures_wait_longer_each_time_and_end_dead(db: Database) -> None:
    job_id = _queue(db, max_attempts=3)
    statuses, pauses = [], []
    for _ in range(3):
        job = _leased(db, later=7200)
        failed_at = clock.now()
        with db.write() as session:
            statuses.append(jobs.fail(session, job, "boom", now=failed_at))
        pauses.append((_get(db, job_id).run_at - failed_at).total_seconds())
    assert statuses == ["queued", "queued", "dead"]
    assert 3.75 <= pauses[0] <= 6.25
    assert 7.5 <= pauses[1] <= 12.5
    assert _get(db, job_id).last_error == "boom"
    assert _lease(db, later=1e6) is None


def test_backoff_grows_to_an_hour() -> None:
    assert [jobs.backoff(n) <= 4500 for n in (1, 5, 20, 60)] == [True] * 4
    assert jobs.backoff(20) >= 2700


def test_a_job_that_kills_its_workers_ends_dead(db: Database) -> None:
    job_id = _queue(db, max_attempts=2)
    ended = []
    for _ in range(2):
        _leased(db, seconds=1)
        ended += jobs.reap(db, now=clock.now() + timedelta(seconds=2))
        with db.write() as session:
            session.execute(sa.update(jobs.jobs).values(run_at=clock.now()))
    assert ended == [(job_id, "queued"), (job_id, "dead")]
    assert _get(db, job_id).finished_at is not None


def test_cancelling_stops_the_waiting_and_tells_the_running(db: Database) -> None:
    waiting, running = _queue(db, run_at=clock.now() + timedelta(hours=1)), _queue(db)
    job = _leased(db)
    assert job.id == running
    with db.write() as session:
        assert jobs.cancel(session, waiting)
        assert jobs.cancel(session, running)
        assert not jobs.cancel(session, running)
        with pytest.raises(NotFound):
            jobs.cancel(session, "nowhere")
    assert not jobs.heartbeat(db, job, 30)
    assert _lease(db, later=7200) is None


def test_the_dead_are_retried_and_the_done_are_not(db: Database) -> None:
    job_id = _queue(db, max_attempts=1)
    job = _leased(db)
    with db.write() as session:
        jobs.fail(session, job, "boom")
        jobs.retry(session, job.id)
    again = _leased(db)
    assert (again.id, again.attempts) == (job_id, 1)
    with db.write() as session:
        jobs.finish(session, again)
        with pytest.raises(Conflict, match="succeeded"):
            jobs.retry(session, job_id)


def test_pages_and_purge(db: Database) -> None:
    ids = [_queue(db) for _ in range(3)]
    with db.write() as session:
        jobs.cancel(session, ids[0])
        assert [job.id for job in jobs.page(session, limit=2)] == [ids[2], ids[1]]
        assert [job.id for job in jobs.page(session, status="cancelled")] == [ids[0]]
        assert jobs.purge(session, clock.now() - timedelta(minutes=1)) == 0
        assert jobs.purge(session, clock.now() + timedelta(minutes=1)) == 1


_DRAIN = """
import sys
from hefesto_api.storage import jobs, outbox
from hefesto_api.storage.database import open_database
db = open_database(sys.argv[1])
while True:
    job = jobs.lease(db, sys.argv[2], ["work"], 60)
    if job is None:
        with db.read() as session:
            if not jobs.counts(session).keys() & {"queued", "running"}:
                break
        continue
    with db.write() as session:
        outbox.append(session, "lane.entered", {"job": job.id, "lane": job.lane})
    with db.write() as session:
        outbox.append(session, "lane.left", {"job": job.id, "lane": job.lane})
        jobs.finish(session, job)
"""


def test_processes_share_the_jobs_and_never_a_lane(db: Database, db_url: str) -> None:
    with db.write() as session:
        wanted = {jobs.enqueue(session, "work", {}, lane=f"lane{n % 3}") for n in range(60)}
    started = [subprocess.Popen([sys.executable, "-c", _DRAIN, db_url, f"w{n}"]) for n in range(3)]
    assert [process.wait(timeout=90) for process in started] == [0, 0, 0]
    with db.read() as session:
        events = outbox.after(session, 0, limit=1000)
    inside: dict[str, str] = {}
    for event in events:
        if event.type == "lane.entered":
            assert event.data["lane"] not in inside
            inside[event.data["lane"]] = event.data["job"]
        else:
            assert inside.pop(event.data["lane"]) == event.data["job"]
    done = [event.data["job"] for event in events if event.type == "lane.left"]
    assert sorted(done) == sorted(wanted)


_HANG = """
import sys, time
from hefesto_api.storage import jobs
from hefesto_api.storage.database import open_database
job = jobs.lease(open_database(sys.argv[1]), "doomed", ["work"], 60)
print(job.id, flush=True)
time.sleep(60)
"""


def test_a_killed_workers_job_is_done_by_another_once(db: Database, db_url: str) -> None:
    job_id = _queue(db)
    doomed = subprocess.Popen([sys.executable, "-c", _HANG, db_url], stdout=subprocess.PIPE, text=True)
    assert doomed.stdout is not None
    assert doomed.stdout.readline().strip() == job_id
    os.kill(doomed.pid, signal.SIGKILL)
    doomed.communicate()
    lost = _get(db, job_id)
    assert lost.status == "running"
    assert _lease(db) is None
    assert jobs.reap(db, now=clock.now() + timedelta(seconds=61)) == [(job_id, "queued")]
    job = _lease(db, "heir", later=62)
    assert job is not None
    with db.write() as session:
        outbox.append(session, "effect.written", {})
        jobs.finish(session, job)
    with pytest.raises(jobs.LeaseLost), db.write() as session:
        outbox.append(session, "effect.written", {})
        jobs.finish(session, lost)
    with db.read() as session:
        assert len(outbox.after(session, 0)) == 1
    assert _get(db, job_id).status == "succeeded"
