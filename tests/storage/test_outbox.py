"""Whoever reads on from the last number misses no event."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from hefesto_api.domain import clock
from hefesto_api.storage import outbox
from hefesto_api.storage.database import Database


def test_events_come_in_order_after_a_number(db: Database) -> None:
    with db.write() as session:
        ids = [outbox.append(session, "finding.created", {"n": n}, project_id="p") for n in range(5)]
    with db.read() as session:
        first = outbox.after(session, 0, limit=2)
        rest = outbox.after(session, first[-1].seq)
        assert outbox.last(session) == rest[-1].seq
    assert [event.id for event in first + rest] == ids
    assert [event.data["n"] for event in rest] == [2, 3, 4]
    assert (first[0].type, first[0].project_id) == ("finding.created", "p")


def test_what_is_rolled_back_did_not_happen(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), db.write() as session:
        outbox.append(session, "finding.created", {})
        raise ZeroDivisionError
    with db.read() as session:
        assert outbox.after(session, 0) == []


def test_numbers_are_not_given_again(db: Database) -> None:
    with db.write() as session:
        outbox.append(session, "finding.created", {})
        before = outbox.last(session)
        assert outbox.purge(session, clock.now() + timedelta(seconds=1)) == 1
        outbox.append(session, "finding.created", {})
        assert outbox.last(session) > before


def test_a_slow_transaction_is_not_overtaken(db: Database) -> None:
    """A reader that saw the quick one's number must not have passed the slow one's."""
    appended, may_end = threading.Event(), threading.Event()

    def slowly() -> None:
        with db.write() as session:
            outbox.append(session, "slow.done", {})
            appended.set()
            may_end.wait(100)

    def quickly() -> None:
        with db.write() as session:
            outbox.append(session, "quick.done", {})

    slow, quick = threading.Thread(target=slowly), threading.Thread(target=quickly)
    slow.start()
    assert appended.wait(100)
    quick.start()
    quick.join(0.2)
    with db.read() as session:
        seen = outbox.after(session, 0)
    may_end.set()
    slow.join()
    quick.join()
    with db.read() as session:
        seen += outbox.after(session, seen[-1].seq if seen else 0)
    assert [event.type for event in seen] == ["slow.done", "quick.done"]
