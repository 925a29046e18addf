"""An analysis is kept with its inputs and its findings document, and goes with its project."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hefesto_api.domain import clock
from hefesto_api.domain.errors import NotFound
from hefesto_api.storage import analyses, projects
from hefesto_api.storage.database import Database


def test_an_analysis_comes_back_as_it_was(db: Database) -> None:
    with db.write() as session:
        made = analyses.create(
            session, kind="path", path="src", options={"analyzers": ["security"]}, branch="b"
        )
        assert analyses.get(session, made.id) == made
        assert made.status == "queued"
        with pytest.raises(NotFound):
            analyses.get(session, "nowhere")


def test_a_status_changes_only_from_where_it_may(db: Database) -> None:
    with db.write() as session:
        made = analyses.create(session, kind="path", path="src")
        assert analyses.change(session, made.id, only=("queued",), status="completed", total_issues=3)
        assert not analyses.change(session, made.id, only=analyses.ACTIVE, status="failed")
        found = analyses.get(session, made.id)
    assert (found.status, found.total_issues) == ("completed", 3)


def test_cancelling(db: Database) -> None:
    with db.write() as session:
        made = analyses.create(session, kind="path", path="src")
        assert not analyses.cancel_requested(session, made.id)
        assert analyses.request_cancel(session, made.id)
        assert analyses.cancel_requested(session, made.id)
        analyses.change(session, made.id, status="completed")
        assert not analyses.request_cancel(session, made.id)
        assert analyses.cancel_requested(session, "gone")


def test_progress(db: Database) -> None:
    with db.write() as session:
        made = analyses.create(session, kind="path", path="src")
        analyses.progress(session, made.id, done=3, total=10)
        found = analyses.get(session, made.id)
    assert (found.files_done, found.files_total) == (3, 10)


def test_chunks_and_inputs_keep_their_order_and_their_bytes(db: Database) -> None:
    payloads = [bytes([n, 0, 255]) for n in range(12)]
    with db.write() as session:
        made = analyses.create(session, kind="inline", path="")
        analyses.add_chunks(session, made.id, payloads[:6])
        analyses.add_chunks(session, made.id, payloads[6:], first=6)
        analyses.add_inputs(session, made.id, [("b.py", b"\x00"), ("a.py", b"")])
        assert analyses.chunks(session, made.id) == payloads
        assert analyses.inputs(session, made.id) == [("b.py", b"\x00"), ("a.py", b"")]
        analyses.drop_inputs(session, made.id)
        assert analyses.inputs(session, made.id) == []


def test_where_nothing_was_sent_along_nothing_is_deleted(db: Database) -> None:
    said: list[str] = []
    with db.write() as session:
        made = analyses.create(session, kind="cli", path="x")
        sa.event.listen(session, "before_cursor_execute", lambda *told: said.append(told[2]))
        analyses.drop_inputs(session, made.id)
    assert said
    assert not [statement for statement in said if "DELETE" in statement]


def test_pages_are_newest_first_by_key_and_offset(db: Database) -> None:
    start = clock.now()
    with db.write() as session:
        project = projects.create(session, "shop")
        made = [
            analyses.create(session, kind="path", path=str(n), created_at=start + timedelta(seconds=n))
            for n in range(5)
        ]
        mine = analyses.create(session, kind="path", path="mine", project_id=project.id)
        newest = analyses.page(session, limit=2)
        assert [one.path for one in newest] == ["4", "3"]
        key = (newest[-1].created_at, newest[-1].id)
        assert [one.path for one in analyses.page(session, limit=2, before=key)] == ["2", "1"]
        assert [one.path for one in analyses.page(session, limit=2, offset=2)] == ["2", "1"]
        assert analyses.page(session, limit=5, project_id=project.id) == [mine]
        analyses.change(session, made[0].id, status="failed")
        assert analyses.count(session, status="queued") == 5
        assert analyses.count(session, cap=3) == 3


def test_a_batch_holds_its_analyses_by_position(db: Database) -> None:
    with db.write() as session:
        batch = analyses.create_batch(session, project_id=None, total_paths=2, options={"x": 1})
        for position in (1, 0):
            analyses.create(
                session, kind="path", path=str(position), batch_id=batch.id, batch_position=position
            )
        found, members = analyses.batch(session, batch.id)
        with pytest.raises(NotFound):
            analyses.batch(session, "nowhere")
    assert found == batch
    assert [one.path for one in members] == ["0", "1"]


def test_a_deleted_project_takes_its_analyses_along(db: Database) -> None:
    with db.write() as session:
        project = projects.create(session, "shop")
        made = analyses.create(session, kind="path", path="src", project_id=project.id)
        analyses.add_chunks(session, made.id, [b"x"])
        projects.delete(session, project.id)
        assert analyses.chunks(session, made.id) == []
        assert analyses.page(session, limit=5) == []
