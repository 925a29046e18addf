"""Keys, users and usage as they are kept, on each database."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from hefesto_api.domain import api_keys as texts
from hefesto_api.domain import clock
from hefesto_api.domain.errors import Conflict, NotFound
from hefesto_api.storage import admins, api_key_usage, api_keys, upkeep, users
from hefesto_api.storage.api_key_usage import Place, Tally
from hefesto_api.storage.usage_counter import UsageCounter

if TYPE_CHECKING:
    from hefesto_api.storage.api_keys import KeyRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database

DAY = date(2026, 3, 1)
ROUTE = "GET /api/v1/findings"


def key(session: Session, shown: str = "one", **columns: object) -> KeyRecord:
    rights = {"role": "viewer", **columns}
    return api_keys.create(session, "ci", texts.digest(shown), "hef_abcd", created_by="t", **rights)  # type: ignore[arg-type]


def test_a_secret_finds_its_key_and_its_user(db: Database) -> None:
    with db.write() as session:
        user = users.create(session, "Ada@Example.com ", role="developer", projects=["b", "a"])
        made = key(session, scopes=["read:alerts"], projects=["a", "c"], user_id=user.id)
    with db.read() as session:
        shown = api_keys.shown(session, texts.digest("one"))
        assert api_keys.shown(session, texts.digest("two")) is None
        assert users.by_email(session, " ADA@example.COM") == user
    assert shown is not None
    assert (shown.key, shown.owner, shown.until) == (made, user, None)
    who = api_keys.principal_of(made, user)
    assert who.projects == frozenset({"a"})
    assert (user.email, user.projects) == ("ada@example.com", ["a", "b"])


def test_an_admin_by_scope_is_known_as_one(db: Database) -> None:
    with db.write() as session:
        made = key(session, role=None, scopes=["admin"])
        assert admins.are_there(session)
    assert made.role == "admin"


def test_former_secrets_count_until_their_time_and_are_forgotten(db: Database) -> None:
    until = clock.now() + timedelta(hours=1)
    with db.write() as session:
        made = key(session)
        api_keys.rotate(session, made.id, texts.digest("two"), "hef_efgh", until=until)
        former = api_keys.shown(session, texts.digest("one"))
        assert former is not None
        assert former.until == until
        assert api_keys.purge(session, until - timedelta(seconds=1)) == 0
        assert api_keys.purge(session, until) == 1
        assert api_keys.shown(session, texts.digest("one")) is None
        assert api_keys.shown(session, texts.digest("two")) is not None


def test_what_belongs_to_a_user_goes_with_him(db: Database) -> None:
    with db.write() as session:
        user = users.create(session, "ada@example.com", role="developer")
        made = key(session, user_id=user.id)
        api_key_usage.add(session, {Place(made.id, DAY, ROUTE): Tally(1, 0)}, {})
    with db.write() as session:
        users.delete(session, user.id)
    with db.read() as session:
        assert api_keys.matching(session) == []
        assert api_keys.shown(session, texts.digest("one")) is None
        with pytest.raises(NotFound):
            users.get(session, user.id)


def test_usage_adds_up_and_passes_over_keys_that_are_gone(db: Database) -> None:
    with db.write() as session:
        made = key(session)
        place, gone = Place(made.id, DAY, ROUTE), Place("01a1feeb", DAY, ROUTE)
        at = clock.now().replace(second=0, microsecond=0)
        for moment in (at, at - timedelta(minutes=5)):
            api_key_usage.add(
                session, {place: Tally(2, 1), gone: Tally(1, 0)}, {made.id: moment, gone.key_id: moment}
            )
        (row,) = api_key_usage.of_key(session, made.id, DAY)
        assert (row.day, row.route, row.requests, row.errors) == (DAY, ROUTE, 4, 2)
        assert api_keys.get(session, made.id).last_used_at == at
        assert api_key_usage.of_key(session, made.id, DAY + timedelta(days=1)) == []
        assert api_key_usage.prune(session, DAY) == 0
        assert api_key_usage.prune(session, DAY + timedelta(days=1)) == 1


def test_threads_count_exactly(db: Database) -> None:
    with db.write() as session:
        made = key(session)
    counter = UsageCounter(db, every_seconds=0.001)

    def count() -> None:
        for number in range(200):
            counter.count(made.id, ROUTE, failed=number % 4 == 0)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counter.close()
    with db.read() as session:
        rows = api_key_usage.of_key(session, made.id, clock.now().date() - timedelta(days=1))
    assert (sum(row.requests for row in rows), sum(row.errors for row in rows)) == (800, 200)


def test_the_last_admin_stays_though_two_remove_each_other(db: Database) -> None:
    """Each sees the other's removal, or waits for it: the second is refused."""
    with db.write() as session:
        made = [key(session, text, role="admin") for text in ("one", "two")]
    refused: list[str] = []
    together = threading.Barrier(2)

    def remove(key_id: str) -> None:
        together.wait()
        try:
            with db.write() as session, admins.kept(session):
                api_keys.delete(session, key_id)
        except Conflict:
            refused.append(key_id)

    threads = [threading.Thread(target=remove, args=(one.id,)) for one in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.read() as session:
        assert [one.id for one in api_keys.matching(session)] == refused
    assert len(refused) == 1


def test_an_admin_who_cannot_come_in_is_none(db: Database) -> None:
    past = clock.now() - timedelta(seconds=1)
    with db.write() as session:
        user = users.create(session, "ada@example.com", role="admin", projects=["shop"])
        key(session, "one", role="admin", expires_at=past)
        key(session, "two", role="admin", projects=["shop"])
        key(session, "three", role="admin", user_id=user.id)
        assert not admins.are_there(session)
        users.change(session, user.id, projects=None)
        assert admins.are_there(session)
        users.change(session, user.id, is_active=False)
        assert not admins.are_there(session)


def test_an_address_is_taken_once_whoever_is_first(db: Database) -> None:
    with db.write() as session:
        users.create(session, "ada@example.com", role="viewer")
    with pytest.raises(Conflict), db.write() as session:
        users.create(session, "ADA@example.com", role="admin")


def test_upkeep_forgets_old_usage(db: Database) -> None:
    with db.write() as session:
        made = key(session)
        old = clock.now().date() - upkeep.TOLD_USAGE - timedelta(days=1)
        for day in (old, clock.now().date()):
            api_key_usage.add(session, {Place(made.id, day, ROUTE): Tally(1, 0)}, {})
    upkeep.run(db)
    with db.read() as session:
        assert len(api_key_usage.of_key(session, made.id, old)) == 1
