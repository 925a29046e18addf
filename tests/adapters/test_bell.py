"""The bell that wakes other hosts, and when it is rung."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from hefesto_api.adapters.bell import Bell, Listener
from hefesto_api.storage import outbox
from tests.adapters.test_limits import redis_url  # noqa: F401 - fixture
from tests.databases import db, db_kind, db_template, db_url  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from hefesto_api.storage.database import Database

SECONDS = 60.0


def test_whoever_listens_hears_the_bell(redis_url: str) -> None:  # noqa: F811
    heard, listening = threading.Event(), threading.Event()
    listener = Listener(redis_url, heard.set, lambda is_heard: listening.set() if is_heard else None)
    bell = Bell(redis_url)
    try:
        assert listening.wait(SECONDS)
        assert heard.wait(SECONDS), "who begins to listen may have missed something"
        heard.clear()
        bell.ring()
        assert heard.wait(SECONDS)
    finally:
        bell.close()
        listener.close()


def test_without_redis_nobody_listens_and_nobody_fails() -> None:
    told = threading.Event()
    where = "redis://127.0.0.1:1/0"
    listener = Listener(where, lambda: None, lambda is_heard: None if is_heard else told.set())
    bell = Bell(where)
    bell.ring()
    assert told.wait(SECONDS)
    bell.close()
    listener.close()


def test_the_bell_rings_for_events_that_are_committed(db: Database) -> None:  # noqa: F811
    rung: list[int] = []
    db.bell = lambda: rung.append(1)
    with db.write(witnessed=False):
        pass
    with suppress(ZeroDivisionError), db.write(witnessed=False) as session:
        outbox.append(session, "alert.created", {})
        raise ZeroDivisionError
    with db.write(witnessed=False):
        pass
    assert rung == []
    with db.write(witnessed=False) as session:
        outbox.append(session, "alert.created", {})
        outbox.append(session, "alert.created", {})
        assert rung == []
    assert rung == [1]
