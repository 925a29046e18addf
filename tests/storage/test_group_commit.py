"""Writes of many threads share transactions; each gets his own result, or the error of his group."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hefesto_api.storage import outbox
from hefesto_api.storage.group_commit import GroupCommit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database


class Book:
    """Writes numbers as events, and notes which came together; it can be made to wait."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.may_go = threading.Event()
        self.has_begun = threading.Event()
        self.may_go.set()

    def write(self, session: Session, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        self.has_begun.set()
        assert self.may_go.wait(100)
        for item in items:
            outbox.append(session, "number.written", {"number": item})
        if 13 in items:
            raise ValueError("unlucky")
        return [item * 10 for item in items]


def written(db: Database) -> list[int]:
    with db.read() as session:
        return [event.data["number"] for event in outbox.after(session, 0, limit=1000)]


def test_every_one_gets_the_result_of_his_own(db: Database) -> None:
    book = Book()
    door = GroupCommit(db, book.write, size=lambda _: 1)
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(door.do, range(200, 400))) == [number * 10 for number in range(200, 400)]
    assert sorted(written(db)) == list(range(200, 400))
    assert sorted(number for group in book.groups for number in group) == list(range(200, 400))


def together(db: Database, book: Book, door: GroupCommit[int, int], items: Sequence[int]) -> list[object]:
    """Do the first, and the others while it is being written; return their results or errors."""
    book.may_go.clear()
    with ThreadPoolExecutor(len(items)) as pool:
        futures = [pool.submit(door.do, items[0])]
        assert book.has_begun.wait(100)
        for number, item in enumerate(items[1:], start=1):
            futures.append(pool.submit(door.do, item))
            while door.queue_length < number:
                threading.Event().wait(0.001)
        book.may_go.set()
        return [future.exception() or future.result() for future in futures]


def test_who_comes_while_another_writes_is_written_with_the_next(db: Database) -> None:
    book = Book()
    door = GroupCommit(db, book.write, size=lambda _: 1)
    assert together(db, book, door, [1, 2, 3, 4]) == [10, 20, 30, 40]
    assert book.groups == [[1], [2, 3, 4]]


def test_an_error_is_that_of_the_whole_group_and_nothing_of_it_is_written(db: Database) -> None:
    book = Book()
    door = GroupCommit(db, book.write, size=lambda _: 1)
    first, *others = together(db, book, door, [1, 2, 13])
    assert first == 10
    assert [str(error) for error in others] == ["unlucky", "unlucky"]
    assert written(db) == [1]
    assert door.do(5) == 50


def test_a_group_is_as_large_as_was_said(db: Database) -> None:
    book = Book()
    door = GroupCommit(db, book.write, size=lambda item: item, most=3, most_size=100)
    assert together(db, book, door, [1, 2, 3, 4, 98, 500, 6]) == [10, 20, 30, 40, 980, 5000, 60]
    assert book.groups == [[1], [2, 3, 4], [98], [500], [6]]


def test_the_door_is_open_after_an_error(db: Database) -> None:
    door = GroupCommit(db, Book().write, size=lambda _: 1)
    with pytest.raises(ValueError, match="unlucky"):
        door.do(13)
    assert door.do(1) == 10
