"""The statements of `measures`, each made once for each number of projects that is asked for (None: of all).

Execute them with `project_0` and so on, the ids of the projects.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hefesto_api.domain.finding import Severity
from hefesto_api.storage.analyses import analyses
from hefesto_api.storage.base import Text
from hefesto_api.storage.projects import projects
from hefesto_api.storage.rollups import (
    STANDING,
    daily_counts,
    daily_totals,
    file_counts,
    finding_counts,
    finding_totals,
    line_counts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.sql.expression import ColumnCollection

    _Columns = tuple[ColumnCollection[str, sa.Column[Any]], list[sa.ColumnElement[bool]]]

NOT_CONFIRMED = ("false_positive", "duplicate")
SEVERITIES = [one.value for one in Severity]
_c, _file, _l = finding_counts.c, file_counts.c, line_counts.c


@lru_cache(maxsize=64)
def standing(many: int | None) -> sa.Select[Any]:
    """Return what stands: analyzer, severity, findings, certainty."""
    c, mine = _counts(many)
    columns: list[Any] = [c.analyzer, c.severity, _sum(c.findings), _sum(c.certainty)]
    return (
        sa.select(*columns)
        .where(_one_of(c.status, STANDING), *mine)
        .group_by(c.analyzer, c.severity)
        .having(sa.func.sum(c.findings) != 0)
    )


@lru_cache(maxsize=64)
def standing_of_each(many: int | None) -> sa.Select[Any]:
    """Return what stands in each project: its id, severity, findings, certainty."""
    keys = (_c.project_id, _c.severity)
    return (
        sa.select(*keys, _sum(_c.findings), _sum(_c.certainty))
        .where(*_of(_c.project_id, many), _one_of(_c.status, STANDING))
        .group_by(*keys)
    )


@lru_cache(maxsize=64)
def changes_since(many: int | None) -> sa.Select[Any]:
    """Return the changes after `day`: analyzer, severity, findings, certainty."""
    d, mine = _days(many)
    columns: list[Any] = [d.analyzer, d.severity, _sum(d.change), _sum(d.certainty)]
    return (
        sa.select(*columns)
        .where(d.day > sa.bindparam("day", type_=Text), *mine)
        .group_by(d.analyzer, d.severity)
    )


@lru_cache(maxsize=64)
def daily_changes(many: int | None) -> sa.Select[Any]:
    """Make a row a day and project first, which the key's order gives without sorting.

    Severities stand beside each other in it, since a group for each would have to be sorted.
    """
    d, mine = _days(many)
    of_each = [
        sa.func.sum(number).filter(d.severity == one).label(f"{name}_{one}")
        for name, number in (("change", d.change), ("certainty", d.certainty))
        for one in SEVERITIES
    ]
    sums = (sa.func.sum(d.opened).label("opened"), sa.func.sum(d.resolved).label("resolved"), *of_each)
    keys = (d.day,) if many is None else (d.project_id, d.day)
    behind = d.day >= sa.bindparam("first", type_=Text)
    some = sa.select(d.day, *sums).where(behind, *mine).group_by(*keys).subquery()
    day, *numbers = some.c
    return sa.select(day, *map(_sum, numbers)).group_by(day).order_by(day)


@lru_cache(maxsize=64)
def found_by(many: int | None) -> sa.Select[Any]:
    """Return a row if anything was found until `day`."""
    d, mine = _days(many)
    return sa.select(_ONE).where(d.day <= sa.bindparam("day", type_=Text), *mine).limit(_ONE)


@lru_cache(maxsize=64)
def read_by(many: int | None) -> sa.Select[Any]:
    """Return a row if anything was read until `day`."""
    before = _l.day <= sa.bindparam("day", type_=Text)
    return sa.select(_ONE).where(before, *_of(_l.project_id, many)).limit(_ONE)


@lru_cache(maxsize=64)
def line_changes(many: int | None) -> sa.Select[Any]:
    """Return the changes of lines of code: project, branch, day, lines."""
    columns = (_l.project_id, _l.branch, _l.day, _l.lines)
    return sa.select(*columns).where(*_of(_l.project_id, many)).order_by(_l.day)


@lru_cache(maxsize=64)
def default_branches(many: int | None) -> sa.Select[Any]:
    """Return the id and the default branch of each project."""
    return sa.select(projects.c.id, projects.c.default_branch).where(*_of(projects.c.id, many))


@lru_cache(maxsize=64)
def completed_analyses(many: int | None) -> sa.Select[Any]:
    """Count the analyses that were completed of those asked for from `start` to `end`."""
    at = analyses.c.created_at
    start, end = (sa.bindparam(name, type_=at.type) for name in ("start", "end"))
    return sa.select(sa.func.count()).where(
        analyses.c.status == "completed", at.between(start, end), *_of(analyses.c.project_id, many)
    )


@lru_cache(maxsize=64)
def top_files(many: int | None) -> sa.Select[Any]:
    """Return the `limit` heaviest files: slug, path, findings by severity, weight."""
    numbers = (_file.critical, _file.high, _file.medium, _file.low, _file.weight)
    heaviest = (
        sa.select(_file.project_id, _file.file_path, *numbers)
        .where(_file.weight > sa.literal_column("0"), *_of(_file.project_id, many))
        .order_by(_file.weight.desc(), _file.file_path, _file.project_id)
        .limit(sa.bindparam("limit", type_=sa.Integer) + sa.literal_column("0", sa.Integer))
        .subquery()
    )
    one = heaviest.c
    return (
        sa.select(projects.c.slug, *(one[column.name] for column in (_file.file_path, *numbers)))
        .join(projects, projects.c.id == one.project_id)
        .order_by(one.weight.desc(), one.file_path, projects.c.slug)
    )


@lru_cache(maxsize=64)
def rule_verdicts(many: int | None) -> sa.Select[Any]:
    """Return rules with at least `least` verdicts: confirmed, dismissed, all findings."""
    c, mine = _counts(many)
    right = sa.and_(c.status == "resolved", ~_one_of(c.reason, NOT_CONFIRMED))
    confirmed = _sum(sa.case((right, c.findings), else_=0))
    dismissed = _sum(sa.case((c.reason == "false_positive", c.findings), else_=0))
    columns: list[Any] = [c.rule_id, confirmed, dismissed, _sum(c.findings)]
    return (
        sa.select(*columns)
        .where(*mine)
        .group_by(c.rule_id)
        .having(confirmed + dismissed >= sa.bindparam("least", type_=sa.BigInteger))
    )


_ONE: sa.ColumnElement[int] = sa.literal_column("1", sa.Integer)


def _one_of(column: Any, values: Iterable[str]) -> sa.ColumnElement[bool]:
    """As `column.in_(values)`, whose parameters SQLAlchemy would write out anew each time."""
    return sa.or_(*(column == value for value in values))


def _counts(many: int | None) -> _Columns:
    return (finding_totals.c, []) if many is None else (_c, _of(_c.project_id, many))


def _days(many: int | None) -> _Columns:
    return (daily_totals.c, []) if many is None else (daily_counts.c, _of(daily_counts.c.project_id, many))


def _of(column: Any, many: int | None) -> list[sa.ColumnElement[bool]]:
    if many is None:
        return []
    named = [sa.bindparam(f"project_{n}", type_=Text) for n in range(many)]
    return [column.in_(named) if named else sa.false()]


ANALYSED = (
    sa.select(analyses.c.lines_of_code)
    .where(
        analyses.c.project_id == sa.bindparam("project_id"),
        analyses.c.status == "completed",
        analyses.c.lines_of_code > 0,
    )
    .order_by(analyses.c.created_at.desc())
    .limit(sa.literal_column("1"))
)

_COUNTED = {
    "project": "project_id",
    "status": "status",
    "severity": "severity",
    "analyzer": "analyzer",
    "rule": "rule_id",
}


@lru_cache(maxsize=256)
def count(shape: tuple[tuple[str, int], ...]) -> sa.Select[Any]:
    """Build the count once for each combination of columns and numbers of values that is asked for."""
    if any(many == 0 for _, many in shape):
        return sa.select(sa.literal_column("0"))
    c = finding_counts.c if "project" in dict(shape) else finding_totals.c
    wanted = [
        c[_COUNTED[name]].in_([sa.bindparam(f"{name}_{n}", type_=Text) for n in range(many)])
        for name, many in shape
    ]
    return sa.select(_sum(c.findings)).where(*wanted)


def _sum(column: Any) -> sa.ColumnElement[int]:
    # PostgreSQL's sum of bigint is a numeric.
    return sa.cast(sa.func.coalesce(sa.func.sum(column), 0), sa.BigInteger)
