"""What metrics read: rollups alone, but for the number of analyses.

`project_ids` None means all, whose totals are kept: adding up those of a hundred projects took 50 ms.
Certainties and weights are in thousandths (see `rollups`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from hefesto_api.domain.finding import Severity
from hefesto_api.storage import hot
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
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.sql.expression import ColumnCollection

    from hefesto_api.storage.base import Session

    _Columns = tuple[ColumnCollection[str, sa.Column[Any]], list[sa.ColumnElement[bool]]]

_c, _file, _l = finding_counts.c, file_counts.c, line_counts.c
NOT_CONFIRMED = ("false_positive", "duplicate")


class Standing(NamedTuple):
    """How many findings of a kind stand (or how that changed), and the sum of their confidences."""

    analyzer: str
    severity: str
    findings: int
    certainty: int


class OfProject(NamedTuple):
    """How many findings of a severity stand in a project, and the sum of their confidences."""

    project_id: str
    severity: str
    findings: int
    certainty: int


class DayChange(NamedTuple):
    """What a day changed: `change` and `certainty` by severity."""

    day: str
    opened: int
    resolved: int
    change: dict[str, int]
    certainty: dict[str, int]


class TopFile(NamedTuple):
    """A file with what stands in it."""

    project: str
    file_path: str
    critical: int
    high: int
    medium: int
    low: int
    weight: int


class RuleVerdicts(NamedTuple):
    """What people and analyses made of a rule's findings."""

    rule_id: str
    findings: int
    resolved: int
    false_positives: int


class LineChange(NamedTuple):
    """How the lines of code of a branch changed on a day."""

    project_id: str
    branch: str
    day: str
    lines: int


def standing(session: Session, project_ids: Sequence[str] | None) -> list[Standing]:
    """Return what stands now."""
    c, mine = _counts(project_ids)
    statement = (
        sa.select(c.analyzer, c.severity, _sum(c.findings), _sum(c.certainty))
        .where(c.status.in_(STANDING), *mine)
        .group_by(c.analyzer, c.severity)
        .having(sa.func.sum(c.findings) != 0)
    )
    return [Standing(*row) for row in session.execute(statement)]


def standing_of_each(session: Session, project_ids: Sequence[str]) -> list[OfProject]:
    """Return what stands now in each of some projects, by severity."""
    keys = (_c.project_id, _c.severity)
    statement = (
        sa.select(*keys, _sum(_c.findings), _sum(_c.certainty))
        .where(_c.project_id.in_(project_ids), _c.status.in_(STANDING))
        .group_by(*keys)
    )
    return [OfProject(*row) for row in session.execute(statement)]


def changes_since(session: Session, project_ids: Sequence[str] | None, day: str) -> list[Standing]:
    """Return by how much what stands has changed after a day."""
    d, mine = _days(project_ids)
    statement = (
        sa.select(d.analyzer, d.severity, _sum(d.change), _sum(d.certainty))
        .where(d.day > day, *mine)
        .group_by(d.analyzer, d.severity)
    )
    return [Standing(*row) for row in session.execute(statement)]


def daily_changes(session: Session, project_ids: Sequence[str] | None, first: str) -> list[DayChange]:
    """Return what each day changed from the first on, in their order.

    A row a day and project first, which the key's order gives without sorting; severities stand beside each
    other in it, since a group for each would have to be sorted.
    """
    d, mine = _days(project_ids)
    severities = [one.value for one in Severity]
    of_each = [
        sa.func.sum(number).filter(d.severity == one).label(f"{name}_{one}")
        for name, number in (("change", d.change), ("certainty", d.certainty))
        for one in severities
    ]
    sums = (sa.func.sum(d.opened).label("opened"), sa.func.sum(d.resolved).label("resolved"), *of_each)
    keys = (d.day,) if project_ids is None else (d.project_id, d.day)
    some = sa.select(d.day, *sums).where(d.day >= first, *mine).group_by(*keys).subquery()
    day, *numbers = some.c
    statement = sa.select(day, *map(_sum, numbers)).group_by(day).order_by(day)
    found = []
    for row in session.execute(statement):
        changes, certainties = row[3 : 3 + len(severities)], row[3 + len(severities) :]
        by_severity = (dict(zip(severities, of, strict=True)) for of in (changes, certainties))
        found.append(DayChange(row[0], row[1], row[2], *by_severity))
    return found


def is_known_by(session: Session, project_ids: Sequence[str] | None, day: str) -> bool:
    """Tell whether anything was found or read until the end of a day."""
    d, mine = _days(project_ids)
    found = sa.select(sa.literal(1)).where(d.day <= day, *mine).limit(1)
    read = sa.select(sa.literal(1)).where(_l.day <= day, *_of(_l.project_id, project_ids)).limit(1)
    return any(session.execute(statement).first() for statement in (found, read))


def line_changes(session: Session, project_ids: Sequence[str] | None) -> list[LineChange]:
    """Return how each branch's lines of code changed, by day."""
    statement = (
        sa.select(_l.project_id, _l.branch, _l.day, _l.lines)
        .where(*_of(_l.project_id, project_ids))
        .order_by(_l.day)
    )
    return [LineChange(*row) for row in session.execute(statement)]


def default_branches(session: Session, project_ids: Sequence[str] | None) -> dict[str, str]:
    """Return the default branch of each project; nothing is said of one ("")."""
    statement = sa.select(projects.c.id, projects.c.default_branch).where(*_of(projects.c.id, project_ids))
    return {row.id: row.default_branch or "" for row in session.execute(statement)}


_ANALYSED = (
    sa.select(analyses.c.lines_of_code)
    .where(
        analyses.c.project_id == sa.bindparam("project_id"),
        analyses.c.status == "completed",
        analyses.c.lines_of_code > 0,
    )
    .order_by(analyses.c.created_at.desc())
    .limit(sa.literal_column("1"))
)


def analysed_lines(session: Session, project_ids: Iterable[str]) -> dict[str, int]:
    """Return the lines that the latest completed analysis of each project counted, if it counted any."""
    found = {one: hot.fetch(session, _ANALYSED, {"project_id": one}) for one in project_ids}
    return {one: rows[0][0] for one, rows in found.items() if rows}


def completed_analyses(
    session: Session, project_ids: Sequence[str] | None, start: datetime, end: datetime
) -> int:
    """Count the completed analyses that were asked for in a time, both ends included."""
    statement = sa.select(sa.func.count()).where(
        analyses.c.status == "completed",
        analyses.c.created_at.between(start, end),
        *_of(analyses.c.project_id, project_ids),
    )
    return session.execute(statement).scalar_one()


def top_files(session: Session, project_ids: Sequence[str] | None, limit: int) -> list[TopFile]:
    """Return the files in which the heaviest findings stand, the heaviest first."""
    numbers = (_file.critical, _file.high, _file.medium, _file.low, _file.weight)
    heaviest = (
        sa.select(_file.project_id, _file.file_path, *numbers)
        .where(_file.weight > 0, *_of(_file.project_id, project_ids))
        .order_by(_file.weight.desc(), _file.file_path, _file.project_id)
        .limit(limit)
        .subquery()
    )
    one = heaviest.c
    statement = (
        sa.select(projects.c.slug, *(one[column.name] for column in (_file.file_path, *numbers)))
        .join(projects, projects.c.id == one.project_id)
        .order_by(one.weight.desc(), one.file_path, projects.c.slug)
    )
    return [TopFile(*row) for row in session.execute(statement)]


def rule_verdicts(
    session: Session, project_ids: Sequence[str] | None, least: int, most: int
) -> list[RuleVerdicts]:
    """Return the rules of which at least so many findings were confirmed or dismissed.

    Of more than `most` those that were right least often; of equals, those that more was said of.
    """
    c, mine = _counts(project_ids)
    decided = sa.or_(c.status == "resolved", c.reason == "false_positive")
    confirmed = _sum(sa.case((c.reason.not_in(NOT_CONFIRMED), c.findings), else_=0))
    dismissed = _sum(sa.case((c.reason == "false_positive", c.findings), else_=0))
    judged = (
        sa.select(c.rule_id, confirmed, dismissed)
        .where(decided, *mine)
        .group_by(c.rule_id)
        .having(confirmed + dismissed >= least)
    )
    verdicts = _least_right({row[0]: tuple(row[1:]) for row in session.execute(judged)}, most)
    if not verdicts:
        return []
    every = (
        sa.select(c.rule_id, _sum(c.findings)).where(c.rule_id.in_(list(verdicts)), *mine).group_by(c.rule_id)
    )
    totals = {row[0]: row[1] for row in session.execute(every)}
    return [RuleVerdicts(rule, totals[rule], *verdict) for rule, verdict in verdicts.items()]


def _least_right(verdicts: dict[str, tuple[int, ...]], most: int) -> dict[str, tuple[int, ...]]:
    def place(rule: str) -> tuple[float, int, str]:
        confirmed, said = verdicts[rule][0], sum(verdicts[rule])
        return confirmed / said, -said, rule

    return {rule: verdicts[rule] for rule in sorted(verdicts, key=place)[:most]}


def count(
    session: Session,
    project_ids: Sequence[str] | None,
    *,
    status: Sequence[str] = (),
    severity: Sequence[str] | None = None,
    analyzer: Sequence[str] = (),
    rule_id: str | None = None,
) -> int:
    """Count findings; nothing given means any, an empty `severity` none."""
    asked = {"project": project_ids, "status": status or None, "severity": severity}
    asked |= {"analyzer": analyzer or None, "rule": None if rule_id is None else (rule_id,)}
    shape = tuple((name, len(values)) for name, values in asked.items() if values is not None)
    numbered = {
        f"{name}_{n}": value for name, values in asked.items() for n, value in enumerate(values or ())
    }
    found: int = hot.fetch(session, _count(shape), numbered)[0][0]
    return found


_COUNTED = {
    "project": "project_id",
    "status": "status",
    "severity": "severity",
    "analyzer": "analyzer",
    "rule": "rule_id",
}


@lru_cache(maxsize=256)
def _count(shape: tuple[tuple[str, int], ...]) -> sa.Select[Any]:
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


def _counts(project_ids: Sequence[str] | None) -> _Columns:
    if project_ids is None:
        return finding_totals.c, []
    return _c, [_c.project_id.in_(project_ids)]


def _days(project_ids: Sequence[str] | None) -> _Columns:
    if project_ids is None:
        return daily_totals.c, []
    return daily_counts.c, [daily_counts.c.project_id.in_(project_ids)]


def _of(column: Any, project_ids: Sequence[str] | None) -> list[sa.ColumnElement[bool]]:
    return [] if project_ids is None else [column.in_(project_ids)]
