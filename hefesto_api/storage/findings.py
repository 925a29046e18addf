"""Findings that are kept, and their history, which only grows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain.errors import NotFound, PreconditionFailed
from hefesto_api.domain.identity import Fingerprints
from hefesto_api.storage.base import Blob, Json, Serial, Session, Text, UtcDateTime, metadata

# A list merges a range for each severity (finding_pages): fewer indexes than one for each order.
_LISTED = ("status", "severity_rank", "last_seen", "id", "rule_id")
findings = sa.Table(
    "findings",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    sa.Column("branch", Text, nullable=False, server_default=""),
    sa.Column("file_path", Text, nullable=False),
    sa.Column("line", sa.Integer, nullable=False),
    sa.Column("column", sa.Integer, nullable=False, server_default="1"),
    sa.Column("end_line", sa.Integer, nullable=False, server_default="0"),
    sa.Column("end_column", sa.Integer, nullable=False, server_default="0"),
    sa.Column("analyzer", Text, nullable=False),
    sa.Column("tool", Text, nullable=False),
    sa.Column("rule_id", Text, nullable=False),
    sa.Column("severity", Text, nullable=False),
    sa.Column("severity_rank", sa.SmallInteger, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("description", Text, nullable=False),
    sa.Column("recommendation", Text),
    sa.Column("code_snippet", Text, nullable=False, server_default=""),
    sa.Column("line_text", Text, nullable=False, server_default=""),
    sa.Column("function_name", Text),
    sa.Column("class_name", Text),
    sa.Column("cwe", Json, nullable=False),
    sa.Column("metadata", Json, nullable=False),
    sa.Column("status", Text, nullable=False, server_default="open"),
    sa.Column("reason", Text),
    sa.Column("ignored_until", UtcDateTime),
    sa.Column("first_seen", UtcDateTime, nullable=False),
    sa.Column("last_seen", UtcDateTime, nullable=False),
    sa.Column("resolved_at", UtcDateTime),
    sa.Column("occurrence_count", sa.Integer, nullable=False, server_default="1"),
    sa.Column("first_analysis_id", Text, nullable=False),
    sa.Column("analysis_id", Text, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("updated_by", Text),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
    sa.Column("suppression", Json),
    sa.Column("prints", Blob, nullable=False),  # the partial fingerprints, packed: read, never searched
    sa.Column("fingerprint", Text, nullable=False),
    sa.Column("until_incident", sa.Boolean, nullable=False, server_default=sa.false()),
    # One index for each way the list is usually asked; every further one slows intake.
    sa.Index("ix_findings_of_project", "project_id", *_LISTED),
    sa.Index("ix_findings_of_all", *_LISTED),
    sa.Index(None, "project_id", "file_path", "branch"),
    sa.Index(None, "fingerprint"),
    sa.Index(
        "ix_findings_resolved", "project_id", "resolved_at", sqlite_where=sa.text("resolved_at IS NOT NULL")
    ),
)

finding_history = sa.Table(
    "finding_history",
    metadata,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("finding_id", Text, sa.ForeignKey("findings.id", ondelete="CASCADE"), nullable=False),
    sa.Column("timestamp", UtcDateTime, nullable=False),
    sa.Column("action", Text, nullable=False),
    sa.Column("user", Text),
    sa.Column("details", Text, nullable=False),
    sa.Column("data", Json),
    sa.Index(None, "finding_id"),
)


class FindingRecord(Struct, frozen=True):
    """A row of `findings`.

    `recommendation` is None when the catalogue's holds; `analysis_id` is the latest that saw it;
    `end_line` 0 means unknown; `revision` rises with each change that a person or a status makes;
    `until_incident` says that it is ignored until an incident, not until a time.
    """

    id: str
    project_id: str
    branch: str
    file_path: str
    line: int
    column: int
    end_line: int
    end_column: int
    analyzer: str
    tool: str
    rule_id: str
    severity: str
    severity_rank: int
    confidence: float
    description: str
    recommendation: str | None
    code_snippet: str
    line_text: str
    function_name: str | None
    class_name: str | None
    cwe: list[int]
    metadata: dict[str, Any]
    status: str
    reason: str | None
    ignored_until: datetime | None
    first_seen: datetime
    last_seen: datetime
    resolved_at: datetime | None
    occurrence_count: int
    first_analysis_id: str
    analysis_id: str
    updated_at: datetime
    updated_by: str | None
    revision: int
    suppression: dict[str, Any] | None
    prints: bytes
    fingerprint: str
    until_incident: bool = False


class HistoryEntry(Struct, frozen=True):
    """One thing that happened to a finding; `action` is created, fixed, regressed, status_changed, ..."""

    finding_id: str
    timestamp: datetime
    action: str
    user: str | None
    details: str
    data: dict[str, Any] | None = None


_PRINTS = msgspec.msgpack.Decoder(Fingerprints)


def pack_prints(prints: Fingerprints) -> bytes:
    """Encode the fingerprints as a finding's row keeps them."""
    return msgspec.msgpack.encode(prints)


def unpack_prints(packed: bytes) -> Fingerprints:
    """Decode the fingerprints of a finding's row."""
    return _PRINTS.decode(packed)


_INSERT = sa.insert(findings)
_ADD_HISTORY = sa.insert(finding_history)
_BY_ID = sa.select(findings).where(findings.c.id == sa.bindparam("id"))
_HISTORY = (
    sa.select(*(finding_history.c[name] for name in HistoryEntry.__struct_fields__))
    .where(finding_history.c.finding_id == sa.bindparam("finding_id"))
    .order_by(finding_history.c.id)
)
_EVENTS = _HISTORY.with_only_columns(finding_history.c.id, *_HISTORY.selected_columns)


def insert(session: Session, records: Iterable[FindingRecord]) -> None:
    """Insert findings."""
    rows = [structs.asdict(record) for record in records]
    if rows:
        session.execute(_INSERT, rows)


def get(session: Session, finding_id: str) -> FindingRecord:
    """Return a finding; raises NotFound."""
    row = session.execute(_BY_ID, {"id": finding_id}).first()
    if row is None:
        raise NotFound("finding", finding_id)
    return FindingRecord(*row)


def change(session: Session, finding_id: str, revision: int, **fields: Any) -> None:
    """Set columns of a finding as it was read; raises PreconditionFailed when it changed since."""
    statement = sa.update(findings).where(findings.c.id == finding_id, findings.c.revision == revision)
    if session.execute(statement.values(**fields, revision=revision + 1)).rowcount != 1:
        raise PreconditionFailed("The finding was changed by somebody else.", finding_id=finding_id)


def add_history(session: Session, entries: Iterable[HistoryEntry]) -> None:
    """Append to findings' histories."""
    rows = [structs.asdict(entry) for entry in entries]
    if rows:
        session.execute(_ADD_HISTORY, rows)


def history(session: Session, finding_id: str) -> list[HistoryEntry]:
    """Return what happened to a finding, oldest first."""
    return [HistoryEntry(*row) for row in session.execute(_HISTORY, {"finding_id": finding_id})]


def events(session: Session, finding_id: str) -> list[tuple[int, HistoryEntry]]:
    """Return the history with the numbers by which its entries can be named."""
    rows = session.execute(_EVENTS, {"finding_id": finding_id})
    return [(row[0], HistoryEntry(*row[1:])) for row in rows]


def last_comment(session: Session, finding_id: str) -> str | None:
    """Return the last comment that somebody left on a finding."""
    entries = reversed(history(session, finding_id))
    return next(
        (entry.data["comment"] for entry in entries if entry.data and entry.data.get("comment")), None
    )


def ignored_until_before(session: Session, now: datetime, *, limit: int) -> list[FindingRecord]:
    """Return findings that were ignored until a time that has passed."""
    due = sa.and_(findings.c.status == "ignored", findings.c.ignored_until <= now)
    return [FindingRecord(*row) for row in session.execute(sa.select(findings).where(due).limit(limit))]
