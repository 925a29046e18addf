"""Reading what came in: interrupted anywhere, it ends as if it had not been."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.features.intake import arrivals, reading
from hefesto_api.features.intake.arrivals import Sent
from hefesto_api.storage import alert_lists, intake, jobs, outbox, projects
from hefesto_api.storage.alert_lists import Filter, ListedAlert
from hefesto_api.storage.group_commit import GroupCommit
from hefesto_api.storage.jobs import LeaseLost
from tests.formats.alerts import samples

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database


class Lease:
    """A lease that is lost at the nth transaction: what a kill at that moment leaves behind."""

    def __init__(self, transactions: int = 10**9) -> None:
        self.left = transactions

    def __call__(self, session: Session) -> None:
        self.left -= 1
        if self.left < 0:
            raise LeaseLost("killed")


class Ending(threading.Event):
    """A stop that does not let the reader wait: what nobody sends any more need not be waited for."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


def arrive(db: Database, source: str, body: Any) -> str:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    door = GroupCommit(db, intake.keep, size=lambda one: len(one.body))
    sent = Sent(source, raw, {"Content-Type": "application/json"})
    return arrivals.receive(db, door, sent, lambda: None, reveal=lambda _source: b"").id


def read(db: Database, lease: Lease | None = None) -> None:
    reading.read_all(db, lease or Lease(), Ending())


def alerts(db: Database) -> list[ListedAlert]:
    with db.read() as session:
        return alert_lists.page(session, Filter(), limit=1000, sort="first_seen", descending=False)[0]


def outcome(db: Database, webhook_id: str) -> tuple[str, dict[str, Any]]:
    with db.read() as session:
        found = intake.get(session, webhook_id)
    return found.status, found.outcome or {}


def many(count: int, **alert: Any) -> dict[str, Any]:
    """Return a message of alerts of three causes, one of them new with each."""
    told = [
        samples.native(
            alert_id=f"a{number}",
            timestamp=None,
            payload={
                "error_type": "E",
                "error_message": ["x", "y", f"only {chr(97 + number % 26)}"][number % 3],
            },
            **alert,
        )
        for number in range(count)
    ]
    return {"alerts": told}


@pytest.mark.parametrize("kill_at", range(9))
def test_a_kill_at_any_moment_loses_nothing_and_does_nothing_twice(db: Database, kill_at: int) -> None:
    """Nor does it where nothing but the place in the message tells two alerts apart from a repeat."""
    webhooks = [arrive(db, "native", samples.native()), arrive(db, "native", many(130))]
    webhooks.append(arrive(db, "rollbar", samples.rollbar_deploy()))
    try:
        read(db, Lease(kill_at))
    except LeaseLost:
        read(db)
    assert [outcome(db, one)[0] for one in webhooks] == ["completed"] * 3
    found = alerts(db)
    assert sum(one.occurrence_count for one in found) == 131
    with db.read() as session:
        told = outbox.after(session, 0, limit=1000)
        asked = [job.payload["alert_id"] for job in jobs.page(session, kind="correlation", limit=1000)]
    events = [event.data["id"] for event in told if event.type != "alert.repeated"]
    assert sorted(asked) == sorted(one.id for one in found)
    assert len(set(events)) == len(events) == len(found) + 1  # and the deployment
    assert outcome(db, webhooks[1])[1]["done"] == 130


def test_every_message_is_read_when_several_readers_come_after_each_other(db: Database) -> None:
    for number in range(5):
        arrive(db, "native", samples.native(alert_id=f"a{number}"))
        read(db)
    assert [one.occurrence_count for one in alerts(db)] == [5]


def test_a_message_that_cannot_be_recorded_fails_alone(db: Database) -> None:
    good = [arrive(db, "native", samples.native(alert_id=f"a{number}")) for number in range(3)]
    with db.schema() as session:
        session.exec_driver_sql("CREATE UNIQUE INDEX planted ON alerts (service_name)")
    bad = arrive(db, "native", samples.native(alert_id="bad", payload={"service_name": "shop"}))
    after = arrive(db, "native", samples.native(alert_id="a9", payload={"service_name": "other"}))
    read(db)
    with db.schema() as session:
        session.exec_driver_sql("DROP INDEX planted")
    assert [outcome(db, one)[0] for one in (*good, after)] == ["completed"] * 4
    status, told = outcome(db, bad)
    assert (status, told["error"]) == (
        "failed",
        "It could not be recorded; the worker's log has the details.",
    )
    assert sum(one.occurrence_count for one in alerts(db)) == 4


def test_a_reader_that_is_stopped_leaves_the_rest_for_the_next_job(db: Database) -> None:
    stop = Ending()
    stop.set()
    webhooks = [arrive(db, "native", samples.native(alert_id=f"a{number}")) for number in range(100)]
    with db.write() as session:
        jobs.cancel(session, jobs.page(session, kind=intake.JOB)[0].id)  # the one that is being done
    reading.read_all(db, Lease(), stop)
    states = [outcome(db, one)[0] for one in webhooks]
    assert states == ["completed"] * reading.MESSAGES + ["queued"] * (100 - reading.MESSAGES)
    with db.read() as session:
        assert len(jobs.page(session, status="queued", kind=intake.JOB)) == 1


def test_what_is_kept_while_a_reader_works_is_read_or_called_for(db: Database) -> None:
    """Nothing is left to wait without a job, whatever two of them do at the same moment."""
    door = GroupCommit(db, intake.keep, size=lambda one: len(one.body))

    def send(number: int) -> None:
        body = json.dumps(samples.native(alert_id=f"a{number}")).encode()
        arrivals.receive(db, door, Sent("native", body, {}), lambda: None, reveal=lambda _source: b"")

    def work() -> None:
        while job := jobs.lease(db, "w", [intake.JOB], 60):
            reading.read_all(db, Lease(), Ending())
            with db.write() as session:
                jobs.finish(session, job)

    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(send, number) for number in range(60)]
        while not all(one.done() for one in sent):
            work()
        for one in sent:
            one.result()
    work()
    with db.read() as session:
        assert intake.waiting(session, most=1).messages == 0
    assert [one.occurrence_count for one in alerts(db)] == [60]


def test_projects_that_messages_name_are_made_once(db: Database) -> None:
    for number in range(3):
        body = samples.native(alert_id=f"a{number}", payload={"project": "new-one", "error_message": "x"})
        arrive(db, "native", body)
    read(db)
    with db.read() as session:
        assert [one.slug for one in projects.page(session, limit=10)[0]] == ["new-one"]
    assert [one.project for one in alerts(db)] == ["new-one"]
