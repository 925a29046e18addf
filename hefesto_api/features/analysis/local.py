"""Analysing paths of this machine without a server: what the command line does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.adapters.history import checked_out
from hefesto_api.domain import clock
from hefesto_api.features.analysis import execution
from hefesto_api.features.analysis.run import Interrupted
from hefesto_api.features.analysis.selection import Selection, select
from hefesto_api.features.analysis.service import branch_of
from hefesto_api.storage import analyses, projects, recorded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hefesto_api.analyzers.engine import Engine
    from hefesto_api.features.analysis.run import Hooks
    from hefesto_api.storage.analyses import AnalysisRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database

__all__ = ["Selection", "analyse", "create", "functions_in", "select"]

KIND = "cli"


def create(
    db: Database, selection: Selection, wanted: Mapping[str, Any], diff_base: str | None = None
) -> AnalysisRecord:
    """Create the analysis of a selection, ready for `execution.execute`; `wanted` are its options.

    The caller lets no other command analyse that project meanwhile: whatever of it is still active was
    broken off, and is marked as failed here.
    """
    commit, branch = checked_out(selection.top)
    with db.write(durable=False) as session:
        project = projects.find(session, selection.project) or projects.create(
            session, selection.project, name=selection.top.name, root_path=str(selection.top)
        )
        _give_up(session, project.id)
        return analyses.create(
            session,
            kind=KIND,
            path=selection.path,
            project_id=project.id,
            branch=branch_of(project, branch),
            commit_hash=commit,
            diff_base=diff_base,
            options=dict(wanted) | {"root": str(selection.top), "places": [*map(list, selection.places)]},
        )


def analyse(
    db: Database,
    engine: Engine,
    selection: Selection,
    wanted: Mapping[str, Any],
    *,
    diff_base: str | None = None,
    hooks: Hooks | None = None,
) -> AnalysisRecord:
    """Analyse a selection now and return the analysis's row, which also tells of a failure.

    Raises Interrupted when the hooks say stop; the analysis is cancelled then.
    """
    record = create(db, selection, wanted, diff_base)
    try:
        return execution.execute(db, engine, record.id, hooks)
    except Interrupted:
        with db.write() as session:
            ended = {"status": "cancelled", "finished_at": clock.now()}
            analyses.change(session, record.id, only=analyses.ACTIVE, **ended)
        raise


def functions_in(db: Database, record: AnalysisRecord) -> int:
    """Count the functions in the files that an analysis covered."""
    order = execution.order_of(record)
    with db.read() as session:
        counts = recorded.functions_in(session, record.project_id or "", record.branch)
    return sum(count for path, count in counts.items() if order.covers(path))


def _give_up(session: Session, project_id: str) -> None:
    error = {"code": "ANALYSIS_FAILED", "message": "The command that carried it out was ended."}
    for status in analyses.ACTIVE:
        for left in analyses.page(session, limit=100, project_id=project_id, status=status):
            if left.kind == KIND:
                analyses.change(
                    session,
                    left.id,
                    only=analyses.ACTIVE,
                    status="failed",
                    error=error,
                    finished_at=clock.now(),
                )
