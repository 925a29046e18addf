"""What came in is kept once, read by one at a time in the order of arrival, and ends once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hefesto_api.domain.errors import NotFound, ServiceUnavailable
from hefesto_api.storage import intake, jobs
from hefesto_api.storage.group_commit import GroupCommit
from hefesto_api.storage.intake import Arrival
from tests.storage.factories import THEN

if TYPE_CHECKING:
    from datetime import datetime

    from hefesto_api.storage.database import Database
    from hefesto_api.storage.intake import IntakeRecord, Kept

MINUTE = timedelta(minutes=1)


def arrival(key: str, body: bytes = b"{}", **fields: Any) -> Arrival:
    return Arrival("native", body, {"webhook-id": key}, key, **fields)


def keep(db: Database, *arrivals: Arrival, now: datetime | None = None) -> list[Kept]:
    with db.write() as session:
        return intake.keep(session, arrivals, now=now)


def take(db: Database, messages: int = 10, size: int = 1000) -> list[IntakeRecord]:
    with db.write() as session:
        return intake.take(session, messages=messages, size=size)


def queued(db: Database) -> int:
    with db.read() as session:
        return len(jobs.page(session, status="queued", kind=intake.JOB))


def test_a_message_is_kept_as_it_came_and_a_job_called(db: Database) -> None:
    body = bytes(range(256)) * 10
    (kept,) = keep(db, arrival("k", body, project_id="p", source_id="s"))
    assert kept.status == "queued"
    with db.read() as session:
        found = intake.get(session, kept.id)
        assert intake.bodies(session, [kept.id]) == {kept.id: body}
        assert intake.waiting(session, most=10) == (1, 2560)
    assert (found.source, found.project_id, found.source_id) == ("native", "p", "s")
    assert (found.headers, found.size, found.finished_at) == ({"webhook-id": "k"}, 2560, None)
    assert queued(db) == 1


def test_one_waiting_job_is_enough(db: Database) -> None:
    for number in range(5):
        keep(db, arrival(str(number)))
    assert queued(db) == 1


def test_answers_come_in_the_order_of_the_messages(db: Database) -> None:
    kept = keep(db, arrival("b"), arrival("a"), arrival("b"))
    assert kept[0].id == kept[2].id != kept[1].id
    with db.read() as session:
        assert [intake.get(session, one.id).replay_key for one in kept] == ["b", "a", "b"]


def test_a_replay_is_the_first_message_however_far_that_got(db: Database) -> None:
    (first,) = keep(db, arrival("k"))
    (again,) = keep(db, arrival("k"))
    assert again.id == first.id
    take(db)
    assert keep(db, arrival("k"))[0].status == "processing"
    with db.write() as session:
        assert intake.finish(session, first.id, "completed", {})
    assert keep(db, arrival("k"))[0] == (first.id, "completed", 0)


def test_a_replay_is_one_for_as_long_as_was_said(db: Database) -> None:
    def at(minutes: int) -> str:
        moment = THEN + minutes * MINUTE
        return keep(db, arrival("k", replay_within=10 * MINUTE), now=moment)[0].id

    first = at(0)
    assert at(10) == first
    second = at(11)
    assert second != first
    assert at(12) == second


def test_of_replays_at_the_same_moment_one_is_kept(db: Database) -> None:
    door = GroupCommit(db, intake.keep, size=lambda one: len(one.body))
    with ThreadPoolExecutor(16) as pool:
        kept = list(pool.map(door.do, [arrival(str(number % 4)) for number in range(64)]))
    assert len({one.id for one in kept}) == 4
    assert len(take(db, 100)) == 4


def test_messages_are_taken_in_the_order_of_arrival(db: Database) -> None:
    kept = [keep(db, arrival(str(number)))[0].id for number in range(5)]
    assert [one.id for one in take(db, messages=3)] == kept[:3]
    with db.write() as session:
        for one in kept[:3]:
            intake.finish(session, one, "completed", {})
    assert [one.id for one in take(db, messages=3)] == kept[3:]


def test_what_was_begun_and_not_ended_waits_with_the_others(db: Database) -> None:
    keep(db, arrival("a"), arrival("b"))
    begun = take(db)
    assert [one.status for one in begun] == ["processing", "processing"]
    with db.write() as session:
        intake.note(session, begun[0].id, {"done": 7})
    again = take(db)
    assert [one.id for one in again] == [one.id for one in begun]
    assert again[0].outcome == {"done": 7}


def test_so_many_bytes_are_taken_at_once_and_one_message_always(db: Database) -> None:
    for key in "abc":
        keep(db, arrival(key, b"x" * 60))
    assert len(take(db, size=120)) == 2
    assert len(take(db, size=10)) == 1


def test_a_message_ends_once(db: Database) -> None:
    (kept,) = keep(db, arrival("a"))
    with db.write() as session:
        assert intake.finish(session, kept.id, "failed", {"error": "odd"}, now=THEN)
        assert not intake.finish(session, kept.id, "completed", {})
        intake.note(session, kept.id, {"error": "none"})
    with db.read() as session:
        found = intake.get(session, kept.id)
    assert (found.status, found.outcome, found.finished_at) == ("failed", {"error": "odd"}, THEN)
    assert take(db) == []


def test_what_waits_is_called_for_when_its_job_was_given_up(db: Database) -> None:
    keep(db, arrival("a"))
    with db.write() as session:
        jobs.cancel(session, jobs.page(session, kind=intake.JOB)[0].id)
        intake.call_if_waiting(session)
    assert queued(db) == 1
    begun = take(db)
    with db.write() as session:
        intake.finish(session, begun[0].id, "completed", {})
        jobs.cancel(session, jobs.page(session, status="queued", kind=intake.JOB)[0].id)
        intake.call_if_waiting(session)
    assert queued(db) == 0


def test_there_is_an_end_to_what_may_wait(db: Database) -> None:
    keep(db, *(arrival(str(number)) for number in range(3)))
    with db.write() as session:
        session.execute(sa.update(intake.intake).values(size=intake.MOST_BYTES // 3 + 1))
    with pytest.raises(ServiceUnavailable) as refused:
        keep(db, arrival("more"))
    assert refused.value.details["reason"] == "overloaded"
    with db.read() as session:
        assert intake.waiting(session, most=10).messages == 3


def test_what_ended_goes_after_a_while_and_what_waits_stays(db: Database) -> None:
    old, new, waits = keep(db, arrival("a"), arrival("b"), arrival("c"))
    with db.write() as session:
        intake.finish(session, old.id, "completed", {}, now=THEN)
        intake.finish(session, new.id, "completed", {}, now=THEN + MINUTE)
        assert intake.purge(session, THEN + MINUTE) == 1
        assert intake.purge(session, THEN + MINUTE) == 0
    with db.read() as session:
        assert intake.get(session, waits.id).status == "queued"
        assert set(intake.bodies(session, [old.id, new.id, waits.id])) == {new.id, waits.id}
        with pytest.raises(NotFound):
            intake.get(session, old.id)
