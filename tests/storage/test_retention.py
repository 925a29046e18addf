"""Pruning by policy: what is old enough goes, what somebody may still need stays."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain import clock
from hefesto_api.domain.errors import NotFound
from hefesto_api.storage import analyses, contents, findings, projects, retention
from hefesto_api.storage.contents import FileRecord
from hefesto_api.storage.findings import HistoryEntry
from tests.storage import factories

if TYPE_CHECKING:
    from datetime import datetime

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database


def ago(days: float) -> datetime:
    return clock.now() - timedelta(days=days)


def analysis(session: Session, project_id: str | None, days: float, **fields: Any) -> str:
    """Insert an analysis that was completed some days ago and holds a chunk of its own."""
    made = analyses.create(
        session,
        **{
            "kind": "path",
            "path": ".",
            "project_id": project_id,
            "status": "completed",
            "created_at": ago(days),
            **fields,
        },
    )
    analyses.change(session, made.id, result_id=fields.get("result_id", made.id))
    analyses.add_chunks(session, made.id, [b"chunk"])
    return made.id


def kept_analyses(db: Database) -> set[str]:
    with db.read() as session:
        return {one.id for one in analyses.page(session, limit=100)}


def kept_findings(db: Database, ids: list[str]) -> list[str]:
    with db.read() as session:
        return [one for one in ids if _is_there(session, one)]


def _is_there(session: Session, finding_id: str) -> bool:
    try:
        findings.get(session, finding_id)
    except NotFound:
        return False
    return True


def test_nothing_goes_unless_a_policy_says_so(db: Database) -> None:
    with db.write() as session:
        project_id = projects.ensure(session, "shop").id
        old = factories.finding(session, project_id, status="resolved", resolved_at=ago(4000)).id
        made = {analysis(session, project_id, 4000), analysis(session, project_id, 3999)}
    assert retention.run(db, resolved_days=0, analyses_days=0) == (0, 0, 0)
    assert kept_findings(db, [old]) == [old]
    assert kept_analyses(db) == made


def test_findings_go_when_they_were_resolved_long_enough_ago(db: Database) -> None:
    with db.write() as session:
        project_id = projects.ensure(session, "shop").id
        old = factories.finding(session, project_id, status="resolved", resolved_at=ago(31)).id
        young = factories.finding(session, project_id, status="resolved", resolved_at=ago(29)).id
        others = [
            factories.finding(session, project_id, status=status, updated_at=ago(4000)).id
            for status in ("open", "acknowledged", "ignored", "wontfix", "resolved")
        ]
        triaged = factories.finding(session, project_id, status="resolved", resolved_at=ago(29)).id
        for one in (old, triaged):
            entry = HistoryEntry(one, ago(60), "commented", "ana", "Ours.", {"comment": "Ours."})
            findings.add_history(session, [entry])
    assert retention.run(db, resolved_days=30, analyses_days=0) == (1, 0, 0)
    assert kept_findings(db, [old, young, triaged, *others]) == [young, triaged, *others]
    with db.read() as session:
        assert findings.history(session, old) == []
        assert [entry.details for entry in findings.history(session, triaged)] == ["Ours."]
    assert retention.run(db, resolved_days=30, analyses_days=0) == (0, 0, 0)


def test_more_go_than_one_transaction_takes(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "FINDINGS_AT_ONCE", 2)
    with db.write() as session:
        project_id = projects.ensure(session, "shop").id
        for _ in range(5):
            factories.finding(session, project_id, status="resolved", resolved_at=ago(31))
    assert retention.run(db, resolved_days=30, analyses_days=0).findings == 5


def test_the_newest_completed_analysis_of_each_branch_and_tool_stays(db: Database) -> None:
    with db.write() as session:
        shop, other = projects.ensure(session, "shop").id, projects.ensure(session, "other").id
        newest = {
            analysis(session, shop, 50),
            analysis(session, shop, 60, branch="work"),
            analysis(session, shop, 70, tool="Bandit"),
            analysis(session, other, 80),
        }
        young = analysis(session, shop, 29, status="failed")
        analysis(session, shop, 51)
        analysis(session, shop, 61, branch="work")
        analysis(session, shop, 40, status="failed")
        analysis(session, shop, 40, status="cancelled")
        analysis(session, None, 31)
        alone = analysis(session, None, 29)
    assert retention.run(db, resolved_days=0, analyses_days=30) == (0, 5, 0)
    assert kept_analyses(db) == {*newest, young, alone}


def test_a_document_stays_as_long_as_somebody_points_to_it(db: Database) -> None:
    with db.write() as session:
        project_id = projects.ensure(session, "shop").id
        holder = analysis(session, project_id, 90)
        between = analysis(session, project_id, 60, result_id=holder)
        newest = analysis(session, project_id, 1, result_id=holder)
    assert retention.run(db, resolved_days=0, analyses_days=30).analyses == 1
    assert kept_analyses(db) == {holder, newest} != {between}
    with db.write() as session:
        assert analyses.chunks(session, holder) == [b"chunk"]
        latest = analysis(session, project_id, 0)
        analyses.change(session, newest, created_at=ago(31))
    assert retention.run(db, resolved_days=0, analyses_days=30).analyses == 2
    assert kept_analyses(db) == {latest}
    with db.read() as session:
        assert analyses.chunks(session, holder) == []


def test_an_analysis_that_recorded_a_file_as_it_is_stays(db: Database) -> None:
    with db.write() as session:
        project_id = projects.ensure(session, "shop").id
        recorded = analysis(session, project_id, 90)
        stored = contents.store(session, "e1", [factories.content(1)])
        record = FileRecord("a.py", next(iter(stored.values())), 1, 1, 1, 1, recorded, ago(90))
        contents.save_files(session, project_id, "", [record])
        newest = analysis(session, project_id, 1)
    assert retention.run(db, resolved_days=0, analyses_days=30).analyses == 0
    assert kept_analyses(db) == {recorded, newest}


def test_nothing_goes_from_under_an_analysis_at_work(db: Database) -> None:
    with db.write() as session:
        project_id = projects.ensure(session, "shop").id
        made = {
            analysis(session, project_id, 90),
            analysis(session, project_id, 60),
            analysis(session, project_id, 40, status="running"),
            analysis(session, None, 400, status="queued"),
        }
    assert retention.run(db, resolved_days=0, analyses_days=30).analyses == 0
    assert kept_analyses(db) == made


def test_a_batch_goes_after_its_last_analysis(db: Database) -> None:
    with db.write() as session:
        batch = analyses.create_batch(session, project_id=None, total_paths=2, options={})
        for position in range(2):
            analysis(session, None, 40, batch_id=batch.id, batch_position=position)
        young = analyses.create_batch(session, project_id=None, total_paths=1, options={})
        old = analyses.batches.update().where(analyses.batches.c.id == batch.id)
        session.execute(old.values(created_at=ago(40)))
    assert retention.run(db, resolved_days=0, analyses_days=30) == (0, 2, 1)
    with db.read() as session:
        assert analyses.batch(session, young.id)[1] == []
        with pytest.raises(NotFound):
            analyses.batch(session, batch.id)


def test_pruning_ends_when_the_worker_is_told_to(db: Database) -> None:
    with db.write() as session:
        project_id = projects.ensure(session, "shop").id
        old = factories.finding(session, project_id, status="resolved", resolved_at=ago(31)).id
    assert retention.run(db, resolved_days=30, analyses_days=30, stopped=lambda: True) == (0, 0, 0)
    assert kept_findings(db, [old]) == [old]
