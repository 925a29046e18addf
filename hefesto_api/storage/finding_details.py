"""One finding with what is shown beside it, in its wire form, by statements that are built once."""

from __future__ import annotations

from typing import Any

import orjson
import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain.errors import NotFound
from hefesto_api.storage import hot
from hefesto_api.storage.analyses import analyses
from hefesto_api.storage.base import Json, Session, Text, wire
from hefesto_api.storage.correlations import finding_incidents
from hefesto_api.storage.findings import finding_history, findings
from hefesto_api.storage.projects import projects

LATEST = 20
"""Analyses of a project that are asked where its files lie."""
_f, _h = findings.c, finding_history.c


class DetailedFinding(Struct, frozen=True):
    """A row of `findings` with its project's slug and root, and the options of the analysis that saw it last.

    Times are text. `options` is None where that analysis was pruned.
    """

    id: str
    timestamp: str
    project: str
    file_path: str
    line: int
    column: int
    analyzer: str
    tool: str
    rule_id: str
    severity: str
    confidence: float
    description: str
    status: str
    first_seen: str
    last_seen: str
    occurrence_count: int
    function_name: str | None
    project_id: str
    branch: str
    end_line: int
    recommendation: str | None
    code_snippet: str
    line_text: str
    class_name: str | None
    cwe: list[int]
    metadata: dict[str, Any]
    reason: str | None
    ignored_until: str | None
    resolved_at: str | None
    analysis_id: str
    updated_at: str
    updated_by: str | None
    suppression: dict[str, Any] | None
    prints: bytes
    fingerprint: str
    until_incident: bool
    root_path: str | None
    options: dict[str, Any] | None
    has_incidents: bool


def get(session: Session, finding_id: str) -> DetailedFinding:
    """Return a finding; raises NotFound."""
    rows = hot.fetch(session, _BY_ID, {"id": finding_id})
    if not rows:
        raise NotFound("finding", finding_id)
    values = (_parsed(one) if is_json else one for one, is_json in zip(rows[0], _ARE_JSON, strict=True))
    return DetailedFinding(*values)


def history(session: Session, finding_id: str) -> list[dict[str, Any]]:
    """Return what happened to a finding, oldest first, as it goes over the wire."""
    rows = hot.fetch(session, _HISTORY, {"finding_id": finding_id})
    return [dict(zip(_TOLD, row, strict=True)) for row in rows]


def recent_options(session: Session, project_id: str) -> list[dict[str, Any]]:
    """Return the options of a project's latest analyses, the latest first."""
    return [_parsed(row[0]) for row in hot.fetch(session, _RECENT, {"project_id": project_id})]


def _parsed(value: Any) -> Any:
    """Read a JSON value as the driver has it: SQLite's gives its text, PostgreSQL's the value."""
    return orjson.loads(value) if isinstance(value, str) else value


def _column(name: str) -> sa.ColumnElement[Any]:
    if name in _OTHERS:
        return _OTHERS[name].label(name)
    return wire(_f[name]).label(f"{name}_text") if name in _TIMES else _f[name]


_TIMES = {"first_seen", "last_seen", "ignored_until", "resolved_at", "updated_at"}
_OTHERS: dict[str, sa.ColumnElement[Any]] = {
    "timestamp": wire(_f.last_seen),
    "project": projects.c.slug,
    "root_path": projects.c.root_path,
    "options": analyses.c.options,
    "has_incidents": sa.exists().where(finding_incidents.c.finding_id == _f.id),
}
_COLUMNS = [_column(name) for name in DetailedFinding.__struct_fields__]
_ARE_JSON = [isinstance(column.type, Json) for column in _COLUMNS]
_BY_ID = (
    sa.select(*_COLUMNS)
    .select_from(findings)
    .join(projects, projects.c.id == _f.project_id)
    .outerjoin(analyses, analyses.c.id == _f.analysis_id)
    .where(_f.id == sa.bindparam("id", type_=Text))
)
_TOLD = ("timestamp", "action", "user", "details")
_HISTORY = (
    sa.select(wire(_h.timestamp), *(_h[name] for name in _TOLD[1:]))
    .where(_h.finding_id == sa.bindparam("finding_id", type_=Text))
    .order_by(_h.id)
)
_RECENT = (
    sa.select(analyses.c.options)
    .where(analyses.c.project_id == sa.bindparam("project_id", type_=Text))
    .order_by(analyses.c.created_at.desc(), analyses.c.id.desc())
    .limit(LATEST)
)
