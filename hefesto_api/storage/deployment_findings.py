"""Which findings came into being with some commits, or between two moments."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.storage.analyses import analyses
from hefesto_api.storage.base import Session
from hefesto_api.storage.findings import findings

_f = findings.c
MOST_ANALYSES = 50
MOST_LOOKED_AT = 2_000


class NewFinding(Struct, frozen=True):
    """A finding as far as a deployment tells of it; `commit_hash` is that of the first analysis to see it."""

    id: str
    file_path: str
    line: int
    rule_id: str
    analyzer: str
    severity: str
    severity_rank: int
    description: str
    status: str
    branch: str
    first_seen: datetime
    resolved_at: datetime | None
    commit_hash: str | None


def first_seen_between(
    session: Session, project_id: str, since: datetime, until: datetime
) -> list[NewFinding]:
    """Return the findings first seen after `since` up to `until`, the worst first."""
    within = (_f.id >= _first_id(since), _f.id < _first_id(until, 1))
    seen = (_f.first_seen > since, _f.first_seen <= until)
    return _read(session, _f.project_id == project_id, *within, *seen)


def first_seen_by(session: Session, project_id: str, commits: Collection[str]) -> list[NewFinding]:
    """Return the findings that an analysis of one of some commits was the first to see, the worst first."""
    ranges = [
        sa.and_(
            _f.id > row.id,
            _f.id < _first_id(row.finished_at or row.created_at, 1000),
            _f.first_analysis_id == row.id,
        )
        for row in session.execute(_of_commits(project_id, commits))
    ]
    return _read(session, _f.project_id == project_id, sa.or_(*ranges)) if ranges else []


def resolved_between(session: Session, project_id: str, since: datetime, until: datetime) -> list[NewFinding]:
    """Return what was resolved on the default branch after `since` up to `until`, the worst first."""
    within = (_f.resolved_at > since, _f.resolved_at <= until)
    return _read(session, _f.project_id == project_id, *within, _f.status == "resolved", _f.branch == "")


def resolved_by(session: Session, project_id: str, commits: Collection[str]) -> list[NewFinding]:
    """Return what was resolved on the default branch by an analysis of some commits, the worst first."""
    ranges = [
        _f.resolved_at.between(row.created_at, row.finished_at)
        for row in session.execute(_of_commits(project_id, commits))
        if row.finished_at is not None
    ]
    mine = (_f.project_id == project_id, _f.status == "resolved", _f.branch == "")
    return _read(session, *mine, sa.or_(*ranges)) if ranges else []


def _of_commits(project_id: str, commits: Collection[str]) -> sa.Select[tuple[str, datetime, datetime]]:
    return (
        sa.select(analyses.c.id, analyses.c.created_at, analyses.c.finished_at)
        .where(analyses.c.project_id == project_id, analyses.c.commit_hash.in_(list(commits)))
        .order_by(analyses.c.created_at.desc())
        .limit(MOST_ANALYSES)
    )


def _read(session: Session, *wanted: sa.ColumnElement[bool]) -> list[NewFinding]:
    columns: list[sa.Column[Any]] = [
        _f[name] for name in NewFinding.__struct_fields__ if name != "commit_hash"
    ]
    statement: sa.Select[Any] = (
        sa.select(*columns, analyses.c.commit_hash)
        .select_from(findings.outerjoin(analyses, analyses.c.id == _f.first_analysis_id))
        .where(*wanted)
        .order_by(_f.severity_rank.desc(), _f.id)
        .limit(MOST_LOOKED_AT)
    )
    return [NewFinding(*row) for row in session.execute(statement).fetchall()]


def _first_id(moment: datetime, milliseconds: int = 0) -> str:
    """Return what no id made at a moment (or so much later) comes before: ids are ordered by time."""
    digits = f"{int(moment.timestamp() * 1000) + milliseconds:012x}"
    return f"{digits[:8]}-{digits[8:]}"
