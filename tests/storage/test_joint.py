"""Changes that share a transaction: each is all or nothing by itself, and told as its own maker's."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain import audit
from hefesto_api.domain.errors import Conflict, StorageError
from hefesto_api.storage import joint, outbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database


class Witness:
    """Notes who is said to have done what; it can refuse to."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None]] = []
        self.refuses = False

    def prepare(self) -> None:
        pass

    def append(self, _session: Session, actor: audit.Actor, notes: Sequence[audit.Note]) -> None:
        if self.refuses:
            raise StorageError("It is full.", service="audit", reason="disk_full")
        self.told += [((note.actor or actor).user_id, note.resource_id) for note in notes]


class Maker:
    """Makes changes, each in a thread of its own as somebody else, and notes who carried them out."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.carried_out: dict[str, int] = {}
        self.acts: dict[str, audit.Act] = {}

    def change(self, name: str) -> str:
        with audit.acting(audit.Actor(f"user-{name}")) as act:
            self.acts[name] = act
            return joint.write(self._db, lambda session: self._made(session, name))

    def _made(self, session: Session, name: str) -> str:
        self.carried_out[name] = threading.get_ident()
        outbox.append(session, "name.written", {"name": name})
        audit.note("name.written", "name", name)
        if name.startswith("bad"):
            raise Conflict("It is bad.")
        return name.upper()

    def together(self, names: Sequence[str]) -> list[Future[str]]:
        """Make changes while somebody else writes: the first stays by itself, the others come together."""
        with ThreadPoolExecutor(len(names)) as pool:
            futures: list[Future[str]] = []
            with self._db.write():
                for number, name in enumerate(names):
                    futures.append(pool.submit(self.change, name))
                    while self._db.is_sqlite and not self._is_in_line(number):
                        threading.Event().wait(0.001)
        return futures

    def _is_in_line(self, number: int) -> bool:
        if number == 0:
            return self._db.writer_wait()[2] == 1
        return joint._of(self._db).queue_length == number


def written(db: Database) -> list[str]:
    with db.read() as session:
        return sorted(event.data["name"] for event in outbox.after(session, 0, limit=100))


def outcomes(futures: Sequence[Future[str]]) -> list[Any]:
    return [type(error) if (error := one.exception()) else one.result() for one in futures]


def test_changes_share_a_transaction_and_each_is_told_as_its_makers(db: Database) -> None:
    witness = db.witness = Witness()
    maker = Maker(db)
    assert outcomes(maker.together(["a", "b", "c"])) == ["A", "B", "C"]
    assert written(db) == ["a", "b", "c"]
    assert sorted(witness.told) == [("user-a", "a"), ("user-b", "b"), ("user-c", "c")]
    assert all(act.told and not act.notes for act in maker.acts.values())
    if db.is_sqlite:
        assert maker.carried_out["b"] == maker.carried_out["c"] != maker.carried_out["a"]


def test_what_one_raises_is_raised_to_him_alone_and_nothing_of_it_is_done(db: Database) -> None:
    witness = db.witness = Witness()
    maker = Maker(db)
    assert outcomes(maker.together(["a", "b", "bad", "c"])) == ["A", "B", Conflict, "C"]
    assert written(db) == ["a", "b", "c"]
    assert sorted(str(told) for _, told in witness.told) == ["a", "b", "c"]
    assert not maker.acts["bad"].told
    assert not maker.acts["bad"].notes


def test_what_cannot_be_audited_is_not_done_by_anybody(db: Database) -> None:
    witness = db.witness = Witness()
    maker = Maker(db)
    witness.refuses = True
    assert outcomes(maker.together(["a", "b", "c"])) == [StorageError] * 3
    assert written(db) == []
    assert not any(act.told or act.notes for act in maker.acts.values())


def test_a_change_that_does_nothing_is_not_told(db: Database) -> None:
    witness = db.witness = Witness()
    with audit.acting(audit.Actor("somebody"), lambda: audit.Note("thing.changed", "thing")) as act:
        assert joint.write(db, lambda _: 5) == 5
        with pytest.raises(ValueError, match="unlucky"):
            joint.write(db, lambda _: int("unlucky"))
    assert not act.told
    assert witness.told == []
