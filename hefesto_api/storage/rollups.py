"""Rollups: how many findings stand, of which kind, in which file, and what each day changed.

Triggers keep them (`storage.counting`), in the transaction that changes the findings; on PostgreSQL at
its end. A finding stands while its status is open or acknowledged. `certainty` is the sum of confidences,
`weight` that of the weights (see `domain.quality`), both in thousandths. Days are UTC, as 2026-01-31.
What is asked of all projects together is answered from totals, which follow the counts by triggers, too.
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

finding_totals = sa.Table(
    "finding_totals",
    metadata,
    *map(_key, ("status", "severity", "analyzer", "rule_id", "reason")),
    *map(_number, ("findings", "certainty")),
    sqlite_with_rowid=False,
)

daily_totals = sa.Table(
    "daily_totals",
    metadata,
    *map(_key, ("day", "analyzer", "severity")),
    *map(_number, ("opened", "resolved", "change", "certainty")),
    sqlite_with_rowid=False,
)

TABLES = (finding_counts, daily_counts, file_counts, line_counts)
TOTALS = {finding_counts: finding_totals, daily_counts: daily_totals}


def are_right(session: Session) -> bool:
    """Tell whether the counts are those of the findings, and the totals theirs; no finding is touched."""
    alike = (_BOTH, *_OVER_ALL)
    return all(_answer(session, counted) == _answer(session, found) for counted, found in alike)


def _answer(session: Session, statement: sa.Select[Any]) -> set[Any]:
    return set(session.execute(statement).fetchall())


def _by_status(table: Any, number: Any) -> sa.Select[Any]:
    keys = (table.c.project_id, table.c.status)
    total = sa.cast(number, sa.BigInteger).label("total")
    return sa.select(*keys, total).group_by(*keys).having(total != 0)


def _over_all(table: sa.Table, like: sa.Table) -> sa.Select[Any]:
    """Return what counts, or totals, say of all projects, in the columns of the totals."""
    keys = [table.c[column.name] for column in like.primary_key]
    numbers = [
        sa.cast(sa.func.sum(table.c[column.name]), sa.BigInteger)
        for column in like.columns
        if not column.primary_key
    ]
    # A total that came to nothing again says what no row would say.
    return sa.select(*keys, *numbers).group_by(*keys).having(sa.or_(*(number != 0 for number in numbers)))


_BOTH = (
    _by_status(finding_counts, sa.func.sum(finding_counts.c.findings)),
    _by_status(findings, sa.func.count()),
)
_OVER_ALL = [(_over_all(table, total), _over_all(total, total)) for table, total in TOTALS.items()]


def rebuild(session: Session) -> None:
    """Count everything anew; the totals follow by their triggers."""
    _alone(session)
    for table in (*TABLES, *TOTALS.values()):
        session.execute(sa.delete(table))
    count(session)


def add_up(session: Session) -> None:
    """Fill the totals, which are empty, from the counts."""
    for table, total in TOTALS.items():
        names = [column.name for column in total.columns]
        session.execute(sa.insert(total).from_select(names, _over_all(table, total)))


def count(session: Session) -> None:
    """Count everything into rollups that are empty.

    Of a finding's days only the latest change is on record, so that one which came back since it was
    first seen counts as standing all the while.
    """
    _alone(session)
    for statement in _counted(session.dialect.name):
        session.exec_driver_sql(statement)


def _alone(session: Session) -> None:
    if session.dialect.name == "postgresql":
        session.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
        session.exec_driver_sql("LOCK TABLE findings, project_files IN SHARE MODE")


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
