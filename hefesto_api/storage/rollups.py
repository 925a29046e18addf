"""Rollups: how many findings stand, of which kind, in which file, and what each day changed.

Triggers keep them (`storage.counting`), in the transaction that changes the findings; on PostgreSQL at
its end. A finding stands while its status is open or acknowledged. `certainty` is the sum of confidences,
`weight` that of the weights (see `domain.quality`), both in thousandths. Days are UTC, as 2026-01-31.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hefesto_api.storage import counting
from hefesto_api.storage.base import Text, metadata
from hefesto_api.storage.findings import findings

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session

STANDING = ("open", "acknowledged")


def _project() -> sa.Column[Any]:
    return sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)


def _key(name: str) -> sa.Column[Any]:
    return sa.Column(name, Text, primary_key=True)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger, nullable=False)


finding_counts = sa.Table(
    "finding_counts",
    metadata,
    _project(),
    *map(_key, ("status", "severity", "analyzer", "rule_id", "reason")),
    *map(_number, ("findings", "certainty")),
    sqlite_with_rowid=False,
)

daily_counts = sa.Table(
    "daily_counts",
    metadata,
    _project(),
    *map(_key, ("day", "analyzer", "severity")),
    *map(_number, ("opened", "resolved", "change", "certainty")),
    sqlite_with_rowid=False,
)

file_counts = sa.Table(
    "file_counts",
    metadata,
    _project(),
    _key("file_path"),
    *map(_number, ("critical", "high", "medium", "low", "weight")),
    sqlite_with_rowid=False,
)

line_counts = sa.Table(
    "line_counts",
    metadata,
    _project(),
    *map(_key, ("branch", "day")),
    _number("lines"),
    sqlite_with_rowid=False,
)

TABLES = (finding_counts, daily_counts, file_counts, line_counts)


def are_right(session: Session) -> bool:
    """Tell whether the counts are those of the findings: two readings of indexes, no row is touched."""
    counted, found = (set(session.execute(statement).fetchall()) for statement in _BOTH)
    return counted == found


def _by_status(table: Any, number: Any) -> sa.Select[Any]:
    keys = (table.c.project_id, table.c.status)
    total = sa.cast(number, sa.BigInteger).label("total")
    return sa.select(*keys, total).group_by(*keys).having(total != 0)


_BOTH = (
    _by_status(finding_counts, sa.func.sum(finding_counts.c.findings)),
    _by_status(findings, sa.func.count()),
)


def rebuild(session: Session) -> None:
    """Count everything anew.

    Of a finding's days only the latest change is on record, so that one which came back since it was
    first seen counts as standing all the while.
    """
    if session.dialect.name == "postgresql":
        session.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
        session.exec_driver_sql("LOCK TABLE findings, project_files IN SHARE MODE")
    for table in TABLES:
        session.execute(sa.delete(table))
    for statement in _counted(session.dialect.name):
        session.exec_driver_sql(statement)


def _counted(dialect: str) -> list[str]:
    certainty, weight = counting.certainty("f"), counting.weight("f")
    first, seen = counting.day("f.first_seen", dialect), counting.day("p.seen_at", dialect)
    last = counting.day("coalesce(f.resolved_at, f.updated_at)", dialect)
    standing = f"f.status IN {counting.STANDING}"
    # What a comment in the source suppressed from the start never stood.
    stood = f"({standing} OR f.status = 'resolved' OR f.updated_at > f.first_seen)"
    sums = ", ".join(f"sum({one})" for one in counting.severities("f", "1"))
    counts = (
        "SELECT f.project_id, f.status, f.severity, f.analyzer, f.rule_id, coalesce(f.reason, ''), "  # noqa: S608
        f"count(*), sum({certainty}) FROM findings AS f WHERE true GROUP BY 1, 2, 3, 4, 5, 6"
    )
    files = (
        f"SELECT f.project_id, f.file_path, {sums}, sum({weight}) FROM findings AS f "  # noqa: S608
        f"WHERE {standing} GROUP BY 1, 2"
    )
    opened = (
        f"SELECT f.project_id, {first}, f.analyzer, f.severity, count(*), 0, count(*), sum({certainty}) "  # noqa: S608
        f"FROM findings AS f WHERE {stood} GROUP BY 1, 2, 3, 4"
    )
    resolved = (
        f"SELECT f.project_id, {last}, f.analyzer, f.severity, 0, count(*), -count(*), -sum({certainty}) "  # noqa: S608
        f"FROM findings AS f WHERE {stood} AND NOT {standing} GROUP BY 1, 2, 3, 4"
    )
    lines = (
        f"SELECT p.project_id, p.branch, {seen}, sum(c.lines_of_code) FROM project_files AS p "  # noqa: S608
        "JOIN contents AS c ON c.id = p.content_id WHERE true GROUP BY 1, 2, 3"
    )
    return [
        counting.upsert("finding_counts", counts),
        counting.upsert("file_counts", files),
        counting.upsert("daily_counts", opened),
        counting.upsert("daily_counts", resolved),
        counting.upsert("line_counts", lines),
    ]
