"""What is known about a content is found again by its key, and goes when nothing needs it."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from hefesto_api.domain import clock
from hefesto_api.domain.errors import Conflict
from hefesto_api.storage import contents, projects
from hefesto_api.storage.base import Session
from hefesto_api.storage.contents import FileRecord
from hefesto_api.storage.database import Database
from tests.storage.factories import THEN, content, function


class _Key(NamedTuple):
    sha256: str
    variant: str


def _store(session: Session, *numbers: int) -> list[int]:
    return list(contents.store(session, "engine-1", [content(number) for number in numbers]).values())


def _paths(session: Session) -> dict[str, tuple[int, int]]:
    columns = contents.project_files.c
    return {
        row[0]: (row[1], row[2])
        for row in session.execute(sa.select(columns.path, columns.content_id, columns.inode))
    }


def test_what_is_stored_is_found_by_key_variant_and_engine(db: Database) -> None:
    one, other = content(1), content(1, variant="python/test", report=b"other")
    with db.write() as session:
        ids = contents.store(session, "engine-1", [one, other])
    wanted = {_Key(one.sha256, "python"), _Key(one.sha256, "python/test"), _Key("0" * 64, "python")}
    with db.read() as session:
        found = contents.lookup(session, "engine-1", wanted)
        assert contents.lookup(session, "engine-2", wanted) == {}
        bare = contents.lookup(session, "engine-1", wanted, reports=False)
    assert {key: entry.report for key, entry in found.items()} == {
        (one.sha256, "python"): one.report,
        (one.sha256, "python/test"): b"other",
    }
    assert {key: entry.id for key, entry in found.items()} == ids
    assert {entry.report for entry in bare.values()} == {None}
    assert found[one.sha256, "python"].functions_count == 2


def test_storing_again_changes_nothing(db: Database) -> None:
    with db.write() as session:
        first = contents.store(session, "engine-1", [content(1), content(2)])
        again = contents.store(session, "engine-1", [content(2, report=b"late"), content(3)])
        key = (content(2).sha256, "python")
        assert again[key] == first[key]
        assert contents.lookup(session, "engine-1", [key])[key].report == content(2).report
        assert contents.functions_of(session, again[key]) == [function("f0", 1), function("f1", 11)]


def test_more_keys_than_a_statement_has_parameters(db: Database) -> None:
    many = [content(number, functions=0) for number in range(3000)]
    with db.write() as session:
        assert len(contents.store(session, "engine-1", many)) == 3000


def test_every_function_of_every_content_is_kept_in_order(db: Database) -> None:
    counts = {1: 0, 2: 1, 3: 49, 4: 51, 5: 250}
    with db.write() as session:
        ids = contents.store(
            session, "engine-1", [content(one, functions=many) for one, many in counts.items()]
        )
        for number, many in counts.items():
            kept = contents.functions_of(session, ids[content(number).sha256, "python"])
            assert kept == list(content(number, functions=many).functions)


def test_files_are_saved_overwritten_and_dropped(db: Database) -> None:
    with db.write() as session:
        project = projects.create(session, "shop").id
        one, two = _store(session, 1, 2)
        highest = (1 << 64) - 1
        rows = [FileRecord(path, one, 10, 1, 2, highest, "a1", THEN) for path in ("a.py", "b.py")]
        contents.save_files(session, project, "", rows)
        contents.save_files(session, project, "", [FileRecord("a.py", two, 11, 3, 4, 7, "a2", THEN)])
        contents.save_files(session, project, "topic", [FileRecord("a.py", one, 10, 1, 2, 7, "a1", THEN)])
        contents.drop_files(session, project, "topic", ["a.py"])
    with db.read() as session:
        assert _paths(session) == {"a.py": (two, 7), "b.py": (one, highest)}


def test_a_content_that_a_file_holds_cannot_go(db: Database) -> None:
    with db.write() as session:
        project = projects.create(session, "shop").id
        held, free = _store(session, 1, 2)
        contents.save_files(session, project, "", [FileRecord("a.py", held, 1, 1, 1, 1, "a", THEN)])
    with pytest.raises(Conflict), db.write() as session:
        session.execute(sa.delete(contents.contents))
    later = clock.now() + timedelta(days=1)
    with db.write() as session:
        assert contents.sweep(session, clock.now() - timedelta(days=1)) == 0
        contents.touch(session, [free], later)
        assert contents.sweep(session, later) == 0
        assert contents.sweep(session, later + timedelta(seconds=1)) == 1
        assert contents.functions_of(session, free) == []
        assert len(contents.functions_of(session, held)) == 2


def test_a_deleted_project_takes_its_files_along(db: Database) -> None:
    with db.write() as session:
        project = projects.create(session, "shop").id
        content_id = _store(session, 1)[0]
        contents.save_files(session, project, "", [FileRecord("a.py", content_id, 1, 1, 1, 1, "a", THEN)])
        projects.delete(session, project)
        assert _paths(session) == {}
