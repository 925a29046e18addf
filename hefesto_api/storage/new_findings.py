"""Which standing findings are new: brought in by an analysis, or by a branch."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hefesto_api.storage.analyses import analyses
from hefesto_api.storage.findings import findings
from hefesto_api.storage.rollups import STANDING

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session

_f = findings.c
# The status is looked at afterwards: as a condition it draws SQLite to an index of all that is open.
_KINDS = (_f.severity, _f.status, sa.func.count())


def latest_analysis(session: Session, project_id: str, branch: str | None) -> str | None:
    """Return the id of the latest completed analysis of a project, of any branch or of one."""
    wanted = [] if branch is None else [analyses.c.branch == branch]
    statement = (
        sa.select(analyses.c.id)
        .where(analyses.c.project_id == project_id, analyses.c.status == "completed", *wanted)
        .order_by(analyses.c.created_at.desc(), analyses.c.id.desc())
        .limit(1)
    )
    found: str | None = session.execute(statement).scalar()
    return found


def first_seen_by(session: Session, analysis_id: str) -> dict[str, int]:
    """Count what stands and was first seen by an analysis, by severity."""
    # Ids are ordered by time: what an analysis found has an id after its own.
    statement = sa.select(*_KINDS).where(_f.id > analysis_id, _f.first_analysis_id == analysis_id)
    return _counted(session, statement)


def of_branch(session: Session, project_id: str, branch: str, base: str) -> dict[str, int]:
    """Count what stands in a branch and is not on record in another, by severity."""
    other = findings.alias()
    known = sa.exists().where(
        other.c.fingerprint == _f.fingerprint,
        other.c.project_id == project_id,
        other.c.branch == base,
        other.c.status != "resolved",
    )
    wanted = (_f.project_id == project_id, _f.branch == branch, ~known)
    return _counted(session, sa.select(*_KINDS).where(*wanted))


def _counted(session: Session, statement: sa.Select[Any]) -> dict[str, int]:
    counts = Counter[str]()
    for severity, status, number in session.execute(statement.group_by(_f.severity, _f.status)):
        counts[severity] += number if status in STANDING else 0
    return counts
