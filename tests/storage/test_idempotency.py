"""A key gets one answer, however often and however simultaneously it is used."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from hefesto_api.domain import clock
from hefesto_api.domain.errors import Conflict, Invalid
from hefesto_api.storage import idempotency
from hefesto_api.storage.database import Database
from hefesto_api.storage.idempotency import Answer

ANSWER = Answer(201, {"Location": "/x"}, b"\x1f\x8b\x00body")


def _claim(
    db: Database, key: str = "k", request: str = "h", scope: str = "ann", later: float = 0
) -> Answer | None:
    with db.write() as session:
        moment = clock.now() + timedelta(seconds=later)
        return idempotency.claim(session, scope, key, request, now=moment)


def _keep(db: Database) -> None:
    with db.write() as session:
        idempotency.keep(session, "ann", "k", ANSWER)


def test_the_first_answer_again(db: Database) -> None:
    assert _claim(db) is None
    _keep(db)
    assert _claim(db) == ANSWER
    assert _claim(db, key="other") is None
    assert _claim(db, scope="bob") is None


def test_while_the_first_still_runs(db: Database) -> None:
    _claim(db)
    with pytest.raises(Conflict, match="running"):
        _claim(db)


def test_another_request_under_the_same_key(db: Database) -> None:
    _claim(db)
    with pytest.raises(Invalid):
        _claim(db, request="other")


def test_a_failure_frees_the_key_and_an_answer_does_not(db: Database) -> None:
    _claim(db)
    with db.write() as session:
        idempotency.release(session, "ann", "k")
    assert _claim(db) is None
    _keep(db)
    with db.write() as session:
        idempotency.release(session, "ann", "k")
    assert _claim(db) == ANSWER


def test_a_key_whose_process_died_is_free_after_a_while(db: Database) -> None:
    _claim(db)
    assert _claim(db, later=301) is None


def test_answers_last_a_day(db: Database) -> None:
    _claim(db)
    _keep(db)
    assert _claim(db, later=23 * 3600) == ANSWER
    with db.write() as session:
        assert idempotency.purge(session) == 0
        assert idempotency.purge(session, now=clock.now() + timedelta(hours=25)) == 1


def test_of_threads_with_one_key_one_wins(db: Database) -> None:
    results: list[object] = []

    def race() -> None:
        try:
            results.append(_claim(db))
        except Conflict as error:
            results.append(error.details["reason"])

    threads = [threading.Thread(target=race) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(None) == 1
    assert results.count("running") == 5
