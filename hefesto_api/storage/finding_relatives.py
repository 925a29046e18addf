"""Findings that may be like another one."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain.finding import Group, Severity
from hefesto_api.storage import hot
from hefesto_api.storage.base import Session, Text
from hefesto_api.storage.finding_details import DetailedFinding
from hefesto_api.storage.findings import findings
from hefesto_api.storage.rollups import finding_counts

LOOKED_AT = 2_000
"""Of a project's open findings of each severity, the latest: the answer costs the same in a large project."""
MOST = 200
_f, _c = findings.c, finding_counts.c


class Relative(Struct, frozen=True):
    """What is compared of a finding."""

    id: str
    file_path: str
    line: int
    description: str
    function_name: str | None
    line_text: str
    prints: bytes


def candidates(session: Session, one: DetailedFinding) -> list[Relative]:
    """Return findings of the same rule: those of the same file, and the latest open ones of the project."""
    values = {name: getattr(one, name) for name in ("project_id", "branch", "file_path", "rule_id")}
    found: dict[str, Relative] = {}
    for statement in (_SAME_FILE, _SAME_PROJECT):
        for row in hot.fetch(session, statement, values):
            found.setdefault(row[0], Relative(*row))
    found.pop(one.id, None)
    return list(found.values())


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


def _looked_at(severity: Severity) -> sa.ColumnElement[int]:
    """Return how many of a severity are looked at: none where the counts know of none of the rule's.

    Nearly every rule has one severity: three of the four ranges were walked in vain.
    """
    known = (
        sa.select(sa.literal_column("1"))
        .where(
            _c.project_id == sa.bindparam("project_id", type_=Text),
            _c.status == "open",
            _c.severity == severity.value,
            sa.or_(*(_c.analyzer == one.value for one in Group)),
            _c.rule_id == sa.bindparam("rule_id", type_=Text),
            _c.findings > sa.literal_column("0"),
        )
        .exists()
    )
    most = sa.literal_column(str(LOOKED_AT), sa.Integer)
    return sa.case((known, most), else_=sa.literal_column("0", sa.Integer))


# The latest of each severity are a range of an index, which has the rule too: no row is read for the others.
_LATEST = [
    sa.select(_f.id, _f.rule_id)
    .where(
        _f.project_id == sa.bindparam("project_id"),
        _f.status == "open",
        _f.severity_rank == severity.rank,
    )
    .order_by(_f.last_seen.desc(), _f.id.desc())
    .limit(_looked_at(severity))
    .subquery()
    for severity in Severity
]
_LIKE_IT = sa.union_all(
    *(sa.select(latest.c.id).where(latest.c.rule_id == sa.bindparam("rule_id")) for latest in _LATEST)
)
_SAME_PROJECT = sa.select(*_COLUMNS).where(_f.id.in_(_LIKE_IT)).limit(MOST)
