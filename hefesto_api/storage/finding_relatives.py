"""Findings that may be like another one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain.finding import Severity
from hefesto_api.storage.base import Session
from hefesto_api.storage.findings import FindingRecord, findings

LOOKED_AT = 2_000  # of the project's open findings, the latest: the answer costs the same in a large project
MOST = 200
_f = findings.c


class Relative(Struct, frozen=True):
    """What is compared of a finding."""

    id: str
    file_path: str
    line: int
    description: str
    function_name: str | None
    line_text: str
    prints: bytes


def candidates(session: Session, record: FindingRecord) -> list[Relative]:
    """Return findings of the same rule: those of the same file, and the latest open ones of the project."""
    found: dict[str, Relative] = {}
    for statement in (_SAME_FILE, _SAME_PROJECT):
        for row in session.execute(statement, _values(record)):
            found.setdefault(row.id, Relative(*row))
    found.pop(record.id, None)
    return list(found.values())


def _values(record: FindingRecord) -> dict[str, Any]:
    return {
        "project_id": record.project_id,
        "branch": record.branch,
        "file_path": record.file_path,
        "rule_id": record.rule_id,
    }


_COLUMNS = [_f[name] for name in Relative.__struct_fields__]
_SAME_RULE = _f.rule_id == sa.bindparam("rule_id")
_SAME_FILE = (
    sa.select(*_COLUMNS)
    .where(
        _f.project_id == sa.bindparam("project_id"),
        _f.branch == sa.bindparam("branch"),
        _f.file_path == sa.bindparam("file_path"),
        _SAME_RULE,
        _f.status != "resolved",
    )
    .limit(MOST)
)
# The latest of each severity are a range of an index, which has the rule too: no row is read for the others.
_OPEN = sa.union_all(
    *(
        sa.select(_f.id, _f.last_seen, _f.rule_id)
        .where(
            _f.project_id == sa.bindparam("project_id"),
            _f.status == "open",
            _f.severity_rank == severity.rank,
        )
        .order_by(_f.last_seen.desc(), _f.id.desc())
        .limit(LOOKED_AT)
        .subquery()
        .select()
        for severity in Severity
    )
)
_LATEST = (
    _OPEN.order_by(_OPEN.selected_columns.last_seen.desc(), _OPEN.selected_columns.id.desc())
    .limit(LOOKED_AT)
    .subquery()
)
_LIKE_IT = sa.select(_LATEST.c.id).where(_LATEST.c.rule_id == sa.bindparam("rule_id"))
_SAME_PROJECT = sa.select(*_COLUMNS).where(_f.id.in_(_LIKE_IT)).limit(MOST)
