"""All findings that a filter holds for, a part at a time, in the order in which reports are written."""

from __future__ import annotations

import sqlalchemy as sa

from hefesto_api.domain.finding import Severity
from hefesto_api.storage.base import Session
from hefesto_api.storage.finding_list import Filter, clauses
from hefesto_api.storage.findings import FindingRecord, findings

_f = findings.c
_KEY = (_f.project_id, _f.file_path, _f.branch, _f.id)  # the order of an index, so that a part costs a part
_ORDER = sa.tuple_(*_KEY)


def part(
    session: Session, wanted: Filter, *, limit: int, after: tuple[str, ...] | None = None
) -> tuple[list[FindingRecord], tuple[str, ...] | None]:
    """Return some findings by project, file and branch, and the key after which to go on (None: done)."""
    conditions, values = clauses(wanted)
    statement = sa.select(findings).where(*conditions)
    if after is not None:
        statement = statement.where(sa.tuple_(*(sa.literal(value, _f.id.type) for value in after)) < _ORDER)
    rows = session.execute(statement.order_by(*_KEY).limit(limit), values).fetchall()
    records = [FindingRecord(*row) for row in rows]
    last = records[-1] if len(records) == limit else None
    return records, None if last is None else (last.project_id, last.file_path, last.branch, last.id)


def by_severity(session: Session, wanted: Filter) -> dict[Severity, int]:
    """Count the findings that a filter holds for."""
    conditions, values = clauses(wanted)
    statement = sa.select(_f.severity, sa.func.count()).where(*conditions).group_by(_f.severity)
    return {Severity(row[0]): row[1] for row in session.execute(statement, values)}
