"""The worker that messages tell what to begin with: rows rule, messages may be lost, doubled or late."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.runtime import Runtime
from hefesto_api.storage import jobs
from hefesto_api.worker import dispatched, make
from hefesto_api.worker.dispatched import DispatchedWorker
from tests.databases import db, db_kind, db_template, db_url  # noqa: F401 - fixtures

NOWHERE = "amqp://127.0.0.1:1//"  # a broker that is always away
SECONDS = 60.0
NEVER = 3600.0


class Log:
    """What was done, in order; `wait` for so many."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self._more = threading.Condition()

    def add(self, _slot: Any, job: jobs.Job) -> None:
        with self._more:
            self.done.append(job.payload["name"])
            self._more.notify_all()

    def wait(self, many: int) -> list[str]:
        with self._more:
            assert self._more.wait_for(lambda: len(self.done) >= many, SECONDS)
        return self.done


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    made = Log()
    monkeypatch.setattr("hefesto_api.worker.doing.KINDS", {"note": made.add})
    monkeypatch.setattr("hefesto_api.worker.working.KINDS", {"note": made.add})
    return made


@pytest.fixture
def runtime(db_url: str, tmp_path: Path) -> Iterator[Runtime]:  # noqa: F811 - the fixture of that name
    environ = {"HEFESTO_DATABASE_URL": db_url, "HEFESTO_BROKER_URL": NOWHERE}
    built = runtimes.build(all_settings.load(environ, tmp_path))
    yield built
    built.close()


@pytest.fixture
def sent(runtime: Runtime) -> list[str]:
    """The ids that would have been sent to the broker."""
    found: list[str] = []
    runtime.db.dispatch = found.extend
    return found


@pytest.fixture
def worker(runtime: Runtime, log: Log) -> Iterator[DispatchedWorker]:
    made = make(runtime, slots=1)
    assert isinstance(made, DispatchedWorker)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    yield made
    made.stop()
    thread.join(SECONDS)
    assert not thread.is_alive()


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the slots look for themselves never again after their first look."""
    monkeypatch.setattr(dispatched, "ANYWAY_SECONDS", NEVER)


def queue(runtime: Runtime, name: str, **options: Any) -> str:
    with runtime.db.write() as session:
        return jobs.enqueue(session, "note", {"name": name}, **options)


def test_ids_are_sent_when_they_are_committed_and_due(runtime: Runtime, sent: list[str]) -> None:
    with suppress(ZeroDivisionError), runtime.db.write() as session:
        jobs.enqueue(session, "note", {"name": "undone"})
        raise ZeroDivisionError
    with runtime.db.write() as session:
        ids = [jobs.enqueue(session, "note", {"name": name}, dedupe_key=name) for name in "aab"]
        assert sent == []
    assert sent == [ids[0], ids[2]]
    assert ids[0] == ids[1]


def test_what_no_message_told_of_is_found(runtime: Runtime, worker: DispatchedWorker, log: Log) -> None:
    queue(runtime, "a")
    assert log.wait(1) == ["a"]


@pytest.mark.usefixtures("idle")
def test_messages_begin_what_is_due_in_the_tables_order(
    runtime: Runtime, log: Log, worker: DispatchedWorker
) -> None:
    queue(runtime, "first")
    worker.take(queue(runtime, "now"))
    later = queue(runtime, "later", priority=5)
    queue(runtime, "urgent", priority=-5)
    worker.take(later)
    assert log.done[-2:] == ["urgent", "later"]
    assert sorted(log.done) == ["first", "later", "now", "urgent"]


@pytest.mark.usefixtures("idle")
def test_a_message_that_comes_twice_or_late_does_nothing(
    runtime: Runtime, log: Log, worker: DispatchedWorker
) -> None:
    done = queue(runtime, "a")
    worker.take(done)
    worker.take(done)
    worker.take("no job at all")
    assert log.done == ["a"]


@pytest.mark.usefixtures("idle")
def test_the_next_of_a_lane_is_sent_when_the_lane_is_free(
    runtime: Runtime, sent: list[str], log: Log, worker: DispatchedWorker
) -> None:
    worker.take("no job at all")  # the first look is over
    first, second = queue(runtime, "a", lane="x"), queue(runtime, "b", lane="x")
    del sent[:]
    worker.take(first)
    assert (log.done, sent) == (["a"], [second])
    held = jobs.lease(runtime.db, "somebody", ["note"], 60)
    assert held is not None
    assert held.id == second
    third = queue(runtime, "c", lane="x")
    worker.take(third)
    assert log.done == ["a"], "its lane is taken"
    with runtime.db.write() as session:
        jobs.finish(session, held)
    worker.take(third)
    assert log.done == ["a", "c"]
