"""Analyses, the chunks of their findings documents, the content that waits for them, and their batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain import clock, ids
from hefesto_api.domain.errors import NotFound
from hefesto_api.storage.base import Blob, Json, Session, Text, UtcDateTime, metadata

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE")),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("total_paths", sa.Integer, nullable=False),
    sa.Column("options", Json, nullable=False),
    sa.Index(None, "project_id"),
)

analyses = sa.Table(
    "analyses",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE")),
    sa.Column("batch_id", Text, sa.ForeignKey("batches.id", ondelete="CASCADE")),
    sa.Column("batch_position", sa.Integer),
    sa.Column("kind", Text, nullable=False),
    sa.Column("path", Text, nullable=False),
    sa.Column("branch", Text, nullable=False, server_default=""),
    sa.Column("commit_hash", Text),
    sa.Column("diff_base", Text),
    sa.Column("options", Json, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("cancel_requested", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("error", Json),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("started_at", UtcDateTime),
    sa.Column("finished_at", UtcDateTime),
    sa.Column("files_total", sa.Integer, nullable=False, server_default="0"),
    sa.Column("files_done", sa.Integer, nullable=False, server_default="0"),
    sa.Column("files_analyzed", sa.Integer, nullable=False, server_default="0"),
    sa.Column("lines_of_code", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("execution_time_ms", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("total_issues", sa.Integer, nullable=False, server_default="0"),
    sa.Column("critical", sa.Integer, nullable=False, server_default="0"),
    sa.Column("high", sa.Integer, nullable=False, server_default="0"),
    sa.Column("medium", sa.Integer, nullable=False, server_default="0"),
    sa.Column("low", sa.Integer, nullable=False, server_default="0"),
    sa.Column("files_skipped", Json, nullable=False),
    sa.Column("result_id", Text),
    sa.Column("tool", Text, nullable=False, server_default="hefesto"),
    sa.Column("rules", Json),
    sa.Index(None, "project_id", "created_at"),
    sa.Index(None, "created_at"),
    sa.Index(None, "batch_id", "batch_position"),
)

analysis_chunks = sa.Table(
    "analysis_chunks",
    metadata,
    sa.Column("result_id", Text, sa.ForeignKey("analyses.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("payload", Blob, nullable=False),
)

analysis_inputs = sa.Table(
    "analysis_inputs",
    metadata,
    sa.Column("analysis_id", Text, sa.ForeignKey("analyses.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("payload", Blob, nullable=False),
)


class BatchRecord(Struct, frozen=True):
    """A row of `batches`."""

    id: str
    project_id: str | None
    created_at: datetime
    total_paths: int
    options: dict[str, Any]


class AnalysisRecord(Struct, frozen=True):
    """A row of `analyses`.

    `kind` is path, inline, archive, import or cli; `status` queued, running, completed, failed or
    cancelled. `result_id` is the analysis whose chunks hold the findings: its own id, or that of the
    former run when nothing had changed. `error` is `{code, message}`.
    """

    id: str
    project_id: str | None
    batch_id: str | None
    batch_position: int | None
    kind: str
    path: str
    branch: str
    commit_hash: str | None
    diff_base: str | None
    options: dict[str, Any]
    status: str
    cancel_requested: bool
    error: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    files_total: int
    files_done: int
    files_analyzed: int
    lines_of_code: int
    execution_time_ms: int
    total_issues: int
    critical: int
    high: int
    medium: int
    low: int
    files_skipped: list[dict[str, Any]]
    result_id: str | None
    tool: str
    rules: Any


ACTIVE = ("queued", "running")
_BY_ID = sa.select(analyses).where(analyses.c.id == sa.bindparam("id"))
_INSERT = sa.insert(analyses)
_STATE = sa.select(analyses.c.status, analyses.c.cancel_requested).where(analyses.c.id == sa.bindparam("id"))
_PROGRESS = (
    sa.update(analyses)
    .where(analyses.c.id == sa.bindparam("analysis_id"))
    .values(files_done=sa.bindparam("done"), files_total=sa.bindparam("total"))
)
_CHUNKS = (
    sa.select(analysis_chunks.c.payload)
    .where(analysis_chunks.c.result_id == sa.bindparam("result_id"))
    .order_by(analysis_chunks.c.seq)
)
_INPUTS = (
    sa.select(analysis_inputs.c.name, analysis_inputs.c.payload)
    .where(analysis_inputs.c.analysis_id == sa.bindparam("analysis_id"))
    .order_by(analysis_inputs.c.seq)
)
_HAS_INPUTS = (
    sa.select(sa.literal(1)).where(analysis_inputs.c.analysis_id == sa.bindparam("analysis_id")).limit(1)
)
_BATCH = sa.select(batches).where(batches.c.id == sa.bindparam("id"))
_OF_BATCH = (
    sa.select(analyses)
    .where(analyses.c.batch_id == sa.bindparam("batch_id"))
    .order_by(analyses.c.batch_position)
)


def create(session: Session, *, kind: str, path: str, **fields: Any) -> AnalysisRecord:
    """Insert an analysis (queued unless `status` says else) and return it; `fields` are columns."""
    defaults: dict[str, Any] = dict.fromkeys(AnalysisRecord.__struct_fields__)
    defaults |= dict.fromkeys(_COUNTERS, 0)
    defaults |= {
        "id": ids.new_id(), "branch": "", "options": {}, "status": "queued", "cancel_requested": False,
        "created_at": clock.now(), "files_skipped": [], "tool": "hefesto",
    }  # fmt: skip
    record = AnalysisRecord(**{**defaults, "kind": kind, "path": path, **fields})
    session.execute(_INSERT, structs.asdict(record))
    return record


_COUNTERS = (
    "files_total", "files_done", "files_analyzed", "lines_of_code", "execution_time_ms",
    "total_issues", "critical", "high", "medium", "low",
)  # fmt: skip


def get(session: Session, analysis_id: str) -> AnalysisRecord:
    """Return an analysis; raises NotFound."""
    row = session.execute(_BY_ID, {"id": analysis_id}).first()
    if row is None:
        raise NotFound("analysis", analysis_id)
    return AnalysisRecord(*row)


def change(session: Session, analysis_id: str, *, only: Iterable[str] = (), **fields: Any) -> bool:
    """Set columns of an analysis (if its status is one of `only`, when given); tell whether it was."""
    statement = sa.update(analyses).where(analyses.c.id == analysis_id).values(**fields)
    if only:
        statement = statement.where(analyses.c.status.in_(list(only)))
    return session.execute(statement).rowcount == 1


def progress(session: Session, analysis_id: str, *, done: int, total: int) -> None:
    """Say how far an analysis is, in files."""
    session.execute(_PROGRESS, {"analysis_id": analysis_id, "done": done, "total": total})


def request_cancel(session: Session, analysis_id: str) -> bool:
    """Ask a queued or running analysis to stop; False when it had ended. Raises NotFound."""
    get(session, analysis_id)
    return change(session, analysis_id, only=ACTIVE, cancel_requested=True)


def cancel_requested(session: Session, analysis_id: str) -> bool:
    """Tell whether an analysis should stop (asked to, or no longer there)."""
    row = session.execute(_STATE, {"id": analysis_id}).first()
    return row is None or row.cancel_requested or row.status == "cancelled"


def page(
    session: Session,
    *,
    limit: int,
    offset: int = 0,
    project_id: str | None = None,
    project_ids: Sequence[str] | None = None,
    status: str | None = None,
    before: tuple[datetime, str] | None = None,
) -> list[AnalysisRecord]:
    """Return analyses, newest first; `before` is the (created_at, id) of the last one already seen."""
    statement = sa.select(analyses).order_by(analyses.c.created_at.desc(), analyses.c.id.desc())
    for clause in _conditions(project_id, status, project_ids):
        statement = statement.where(clause)
    if before is not None:
        statement = statement.where(
            sa.tuple_(analyses.c.created_at, analyses.c.id) < sa.tuple_(*_pair(before))
        )
    rows = session.execute(statement.limit(limit).offset(offset)).fetchall()
    return [AnalysisRecord(*row) for row in rows]


def count(
    session: Session,
    *,
    project_id: str | None = None,
    project_ids: Sequence[str] | None = None,
    status: str | None = None,
    cap: int = 10_001,
) -> int:
    """Count analyses, at most `cap` of them."""
    wanted = _conditions(project_id, status, project_ids)
    some = sa.select(sa.literal(1)).select_from(analyses).where(*wanted).limit(cap)
    return session.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()


def _conditions(
    project_id: str | None, status: str | None, project_ids: Sequence[str] | None = None
) -> list[sa.ColumnElement[bool]]:
    wanted = ((analyses.c.project_id, project_id), (analyses.c.status, status))
    clauses = [column == value for column, value in wanted if value is not None]
    return clauses if project_ids is None else [*clauses, analyses.c.project_id.in_(project_ids)]


def _pair(before: tuple[datetime, str]) -> tuple[Any, Any]:
    return sa.literal(before[0], UtcDateTime), sa.literal(before[1], Text)


def add_chunks(session: Session, result_id: str, payloads: Iterable[bytes], *, first: int = 0) -> None:
    """Append chunks of an analysis's findings document, numbered from `first`."""
    rows = [{"result_id": result_id, "seq": seq, "payload": p} for seq, p in enumerate(payloads, start=first)]
    if rows:
        session.execute(sa.insert(analysis_chunks), rows)


def chunks(session: Session, result_id: str) -> list[bytes]:
    """Return the chunks of a findings document, in order."""
    return list(session.execute(_CHUNKS, {"result_id": result_id}).scalars())


def add_inputs(
    session: Session, analysis_id: str, files: Iterable[tuple[str, bytes]], *, first: int = 0
) -> None:
    """Keep content that was sent along (name, bytes) until the analysis has read it."""
    rows = [
        {"analysis_id": analysis_id, "seq": seq, "name": name, "payload": payload}
        for seq, (name, payload) in enumerate(files, start=first)
    ]
    if rows:
        session.execute(sa.insert(analysis_inputs), rows)


def inputs(session: Session, analysis_id: str) -> list[tuple[str, bytes]]:
    """Return the content that was sent along, as (name, bytes), in order."""
    return [(name, payload) for name, payload in session.execute(_INPUTS, {"analysis_id": analysis_id})]


def drop_inputs(session: Session, analysis_id: str) -> None:
    """Forget the content that was sent along, if any was.

    It is looked for first: to tell what else goes with deleted rows, every table's module is imported, which
    took a fifth of the command's time on a tree that had not changed.
    """
    if session.execute(_HAS_INPUTS, {"analysis_id": analysis_id}).first() is not None:
        session.execute(sa.delete(analysis_inputs).where(analysis_inputs.c.analysis_id == analysis_id))


def create_batch(
    session: Session, *, project_id: str | None, total_paths: int, options: dict[str, Any]
) -> BatchRecord:
    """Insert a batch and return it; its analyses carry its id and their position."""
    record = BatchRecord(ids.new_id(), project_id, clock.now(), total_paths, options)
    session.execute(sa.insert(batches), structs.asdict(record))
    return record


def batch(session: Session, batch_id: str) -> tuple[BatchRecord, list[AnalysisRecord]]:
    """Return a batch and its analyses by position; raises NotFound."""
    row = session.execute(_BATCH, {"id": batch_id}).first()
    if row is None:
        raise NotFound("batch", batch_id)
    members = session.execute(_OF_BATCH, {"batch_id": batch_id}).fetchall()
    return BatchRecord(*row), [AnalysisRecord(*member) for member in members]
