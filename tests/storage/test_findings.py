"""Findings are kept, changed by who saw them as they are, and their histories only grow."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hefesto_api.domain.errors import HefestoError, NotFound, PreconditionFailed
from hefesto_api.storage import findings, projects
from hefesto_api.storage.database import Database
from hefesto_api.storage.findings import FindingRecord, HistoryEntry, finding_history
from hefesto_api.storage.migrations import triggers
from tests.storage.factories import THEN, finding


@pytest.fixture
def kept(db: Database) -> FindingRecord:
    """Keep one finding with one entry of history."""
    with db.write() as session:
        project = projects.create(session, "shop")
        made = finding(session, project.id, cwe=[95], metadata={"n": 1}, prints=b"\x00\xff")
        findings.add_history(session, [HistoryEntry(made.id, THEN, "created", None, "First seen.")])
    return made


def test_a_finding_comes_back_as_it_was(db: Database, kept: FindingRecord) -> None:
    with db.read() as session:
        assert findings.get(session, kept.id) == kept
        with pytest.raises(NotFound):
            findings.get(session, "nowhere")


def test_two_who_change_the_same(db: Database, kept: FindingRecord) -> None:
    with db.write() as session:
        findings.change(session, kept.id, kept.revision, status="acknowledged")
    with pytest.raises(PreconditionFailed), db.write() as session:
        findings.change(session, kept.id, kept.revision, status="ignored")
    with db.read() as session:
        found = findings.get(session, kept.id)
    assert (found.status, found.revision) == ("acknowledged", kept.revision + 1)


def test_history_is_in_order(db: Database, kept: FindingRecord) -> None:
    more = [HistoryEntry(kept.id, THEN, action, "ann", "Why.", {"n": 2}) for action in ("fixed", "regressed")]
    with db.write() as session:
        findings.add_history(session, more)
    with db.read() as session:
        assert [entry.action for entry in findings.history(session, kept.id)] == [
            "created",
            "fixed",
            "regressed",
        ]
        assert findings.history(session, kept.id)[1:] == more


@pytest.mark.parametrize("deed", [sa.update(finding_history).values(details="x"), sa.delete(finding_history)])
def test_history_cannot_be_rewritten(db: Database, kept: FindingRecord, deed: Any) -> None:
    with pytest.raises(HefestoError), db.write() as session:
        session.execute(deed)
    with db.read() as session:
        assert [entry.details for entry in findings.history(session, kept.id)] == ["First seen."]


def test_history_goes_with_its_finding(db: Database, kept: FindingRecord) -> None:
    with db.write() as session:
        projects.delete(session, kept.project_id)
        assert findings.history(session, kept.id) == []


def test_rebuilding_a_table_keeps_rows_and_triggers(db: Database, kept: FindingRecord) -> None:
    """What a later migration does on SQLite: copy, drop, rename, with foreign keys unenforced."""
    operations = pytest.importorskip("alembic.operations")
    context = pytest.importorskip("alembic.migration").MigrationContext
    with db.schema() as session:
        triggers.drop(session)
        op = operations.Operations(context.configure(session))
        for table in ("findings", "finding_history"):
            with op.batch_alter_table(table, recreate="auto" if not db.is_sqlite else "always") as batch:
                batch.add_column(sa.Column("passing", sa.Integer))
        for table in ("findings", "finding_history"):
            with op.batch_alter_table(table) as batch:
                batch.drop_column("passing")
        triggers.create(session)
    with db.read() as session:
        assert findings.get(session, kept.id) == kept
        assert len(findings.history(session, kept.id)) == 1
    with pytest.raises(HefestoError), db.write() as session:
        session.execute(sa.update(finding_history).values(details="x"))
    with db.write() as session:
        projects.delete(session, kept.project_id)
        assert findings.history(session, kept.id) == []
