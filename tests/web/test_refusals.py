"""Refusals are written as they happen, and counted when there are too many: nothing is endless or hidden."""

from __future__ import annotations

from typing import Any

from hefesto_api.domain import audit
from hefesto_api.web import refusals
from hefesto_api.web.refusals import Refusals

STRANGER = audit.Actor("anonymous", "anonymous", ip_address="192.0.2.1", request_id="r")
ANA = audit.Actor("k1", "ana's", "k1", "192.0.2.2", request_id="r")


class Time:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def refuse(held: Refusals, kind: Any, actor: audit.Actor = STRANGER, resource: str | None = None) -> None:
    told = {"status": 401, "path": f"/{kind}"}
    note = audit.Note("access.refused", "finding", resource, told, outcome=audit.REFUSED)
    held.add((kind,), note, actor)


def counts(act: audit.Act) -> list[int]:
    return [note.changes["count"] for note in act.notes if "count" in note.changes]


def test_the_first_of_a_kind_are_told_and_the_rest_counted() -> None:
    time = Time()
    held = Refusals(time)
    with audit.acting(STRANGER) as act:
        for number in range(25):
            refuse(held, "one", resource=f"f{number}")
        assert len(act.notes) == refusals.FIRST
        assert not held.is_due()
        held.tell()
        assert counts(act) == []
        time.now += refusals.WINDOW
        assert held.is_due()
        held.tell()
        assert counts(act) == [15]
        last = act.notes[-1]
        assert last.changes["resource_ids"] == [f"f{number}" for number in range(10, 25)]
        assert (last.actor and last.actor.ip_address, last.actor and last.actor.request_id) == (
            "192.0.2.1",
            None,
        )
        assert not held.is_due()
        refuse(held, "one")
        assert len(act.notes) == refusals.FIRST + 2


def test_of_kinds_only_so_many_are_told_in_a_time() -> None:
    time = Time()
    held = Refusals(time)
    with audit.acting(STRANGER) as act:
        for number in range(3000):
            refuse(held, number)
        assert len(act.notes) == refusals.BURST
        refuse(held, "known", ANA)
        assert len(act.notes) == refusals.BURST + 1, "strangers hide nobody who is known"
        held.tell(everything=True)
        assert counts(act) == [3000 - refusals.BURST]
        assert act.notes[-1].actor == audit.Actor("many strangers", "many strangers")
        time.now += 7
        for number in range(3000, 3100):
            refuse(held, number)
        assert len(act.notes) == refusals.BURST + 2 + 7 * refusals.PER_SECOND


def test_everything_is_told_at_the_end() -> None:
    held = Refusals(Time())
    with audit.acting(STRANGER) as act:
        for number in range(40):
            refuse(held, number % 2)
        held.tell(everything=True)
        assert counts(act) == [10, 10]
        held.tell(everything=True)
        assert counts(act) == [10, 10]
