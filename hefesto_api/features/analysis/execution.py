"""One analysis from its row to its row: takes the order from it, carries it out, writes what came of it."""

from __future__ import annotations

import io
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hefesto_api.analyzers import archives
from hefesto_api.analyzers.wanted import is_wanted
from hefesto_api.analyzers.workspace import Limits
from hefesto_api.domain import clock
from hefesto_api.domain.errors import HefestoError, StorageError
from hefesto_api.features.analysis import changes
from hefesto_api.features.analysis.order import ALL_GROUPS, GivenSource, Order, Place, tree_source
from hefesto_api.features.analysis.run import Cancelled, Hooks, Outcome, Run
from hefesto_api.storage import analyses, outbox
from hefesto_api.storage.jobs import LeaseLost

if TYPE_CHECKING:
    from hefesto_api.analyzers.engine import Engine
    from hefesto_api.features.analysis.document import Tally
    from hefesto_api.storage.analyses import AnalysisRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database


def execute(db: Database, engine: Engine, analysis_id: str, hooks: Hooks | None = None) -> AnalysisRecord:
    """Carry an analysis out and return its row; what went wrong is in the row, not raised.

    Safe to call again for an analysis that was interrupted; one that has ended is left as it is. Only what
    nobody foresaw is raised (the job is then tried again).
    """
    hooks = hooks or Hooks()
    with db.write() as session:
        hooks.hold(session)
        record = analyses.get(session, analysis_id)
        if record.status not in analyses.ACTIVE:
            return record
        started = record.started_at or clock.now()
        analyses.change(session, analysis_id, status="running", started_at=started)
    began = time.monotonic()
    try:
        outcome = _carry_out(db, engine, record, hooks)
    except (LeaseLost, StorageError):
        raise  # not the analysis's fault: it is tried again, from its last chunk on
    except Cancelled:
        return _end(db, record, hooks, {"status": "cancelled"}, began)
    except HefestoError as error:
        failure = {"code": error.code, "message": error.message, "details": dict(error.details)}
        return _end(db, record, hooks, {"status": "failed", "error": failure}, began)
    return _complete(db, record, outcome, hooks, began)


def fail(db: Database, analysis_id: str, message: str) -> None:
    """Mark an analysis as failed whose job was given up."""
    with db.write() as session:
        error = {"code": "ANALYSIS_FAILED", "message": message}
        if analyses.change(
            session, analysis_id, only=analyses.ACTIVE, status="failed", error=error, finished_at=clock.now()
        ):
            record = analyses.get(session, analysis_id)
            _announce(session, record, "analysis.failed", {"error": error})


def order_of(record: AnalysisRecord) -> Order:
    """Read what an analysis is asked to do from its row."""
    options = record.options
    root = options.get("root")
    return Order(
        analysis_id=record.id,
        project_id=record.project_id,
        branch=record.branch,
        root=Path(root) if root else None,
        places=tuple(Place(place, is_dir) for place, is_dir in options.get("places", ())),
        exclude=tuple(options.get("exclude_patterns") or ()),
        groups=tuple(options.get("analyzers") or ALL_GROUPS),
        diff_base=record.diff_base,
    )


def _carry_out(db: Database, engine: Engine, record: AnalysisRecord, hooks: Hooks) -> Outcome:
    order = order_of(record)
    limits = Limits()
    if order.root is not None:
        base = changes.base_of(order, hooks.roots) if order.diff_base else None
        with nullcontext(hooks.listed) if hooks.listed else tree_source(order, limits) as source:
            run = Run(db, engine, order, source, hooks)
            outcome = run.carry_out()
            if base is not None:
                run.keep_only(changes.new_places(db, engine, order, source, base))
    else:
        given = _given_source(db, record, order, limits)
        outcome = Run(db, engine, order, given, hooks).carry_out()
    return outcome


def _given_source(db: Database, record: AnalysisRecord, order: Order, limits: Limits) -> GivenSource:
    """Unpack what was sent along."""
    with db.read() as session:
        kept = analyses.inputs(session, record.id)
    if record.kind == "archive":
        stream = io.BytesIO(b"".join(payload for _, payload in kept))
        members = archives.extract(stream, wanted=is_wanted, exclude=order.exclude, limits=limits)
    else:
        texts = ((name, payload.decode()) for name, payload in kept)
        members = archives.inline(texts, wanted=is_wanted, exclude=order.exclude, limits=limits)
    return GivenSource(members)


def _complete(
    db: Database, record: AnalysisRecord, outcome: Outcome, hooks: Hooks, began: float
) -> AnalysisRecord:
    fields: dict[str, Any] = {"status": "completed", "result_id": record.id}
    tally = outcome.tally
    if outcome.same_as is None:
        fields |= tally.counts()
        fields |= {"files_analyzed": tally.files_analyzed, "lines_of_code": tally.lines_of_code}
        fields["files_skipped"] = _skipped(tally.skipped)
    else:
        with db.read() as session:
            former = analyses.get(session, outcome.same_as)
        names = ("total_issues", "critical", "high", "medium", "low", "files_analyzed", "lines_of_code")
        fields |= {name: getattr(former, name) for name in names}
        fields |= {"result_id": former.result_id, "files_skipped": _skipped(tally.skipped)}
    return _end(db, record, hooks, fields, began, outcome)


def _end(
    db: Database,
    record: AnalysisRecord,
    hooks: Hooks,
    fields: dict[str, Any],
    began: float,
    outcome: Outcome | None = None,
) -> AnalysisRecord:
    """Write how the analysis ended, and tell of it, in one transaction."""
    elapsed = round((time.monotonic() - began) * 1000)
    with db.write() as session:
        hooks.hold(session)
        analyses.change(session, record.id, **fields, finished_at=clock.now(), execution_time_ms=elapsed)
        analyses.drop_inputs(session, record.id)
        ended = analyses.get(session, record.id)
        if ended.status == "failed":
            _announce(session, ended, "analysis.failed", {"error": ended.error})
        elif outcome is not None:
            announce(session, ended, outcome.tally)
    return ended


def _announce(session: Session, record: AnalysisRecord, kind: str, more: dict[str, Any]) -> None:
    data = {"analysis_id": record.id, "status": record.status, "path": record.path, **more}
    outbox.append(session, kind, data, project_id=record.project_id)


def announce(session: Session, record: AnalysisRecord, tally: Tally) -> None:
    """Tell that an analysis is complete, and what it did to the findings on record."""
    _announce_findings(session, record, tally)
    _announce(session, record, "analysis.completed", {"total_issues": record.total_issues})


def _announce_findings(session: Session, record: AnalysisRecord, tally: Tally) -> None:
    """Tell of new, resolved and reopened findings: one event each, the first hundred by name."""
    if record.project_id is None:
        return
    created = [
        {
            "id": one.id,
            "file_path": one.file,
            "line": one.line,
            "rule_id": one.rule_id,
            "severity": one.severity,
        }
        for one in tally.created
    ]
    for kind, count, named in (
        ("finding.created", tally.created_count, created),
        ("finding.resolved", len(tally.resolved), [{"id": one} for one in tally.resolved[:100]]),
        ("finding.reopened", len(tally.regressed), [{"id": one} for one in tally.regressed[:100]]),
    ):
        if count:
            data = {"analysis_id": record.id, "count": count, "findings": named}
            outbox.append(session, kind, data, project_id=record.project_id)


def _skipped(skipped: dict[str, str]) -> list[dict[str, str]]:
    return [{"path": path, "reason": skipped[path]} for path in sorted(skipped)]
