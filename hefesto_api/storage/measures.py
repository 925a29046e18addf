"""What metrics read: rollups alone, but for the number of analyses.

`project_ids` None means all, whose totals are kept: adding up those of a hundred projects took 50 ms.
Certainties and weights are in thousandths (see `rollups`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.storage import hot
from hefesto_api.storage import measure_statements as statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    import sqlalchemy as sa

    from hefesto_api.storage.base import Session


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
    return [Standing(*row) for row in _fetch(session, statements.standing, project_ids)]


def standing_of_each(session: Session, project_ids: Sequence[str]) -> list[OfProject]:
    """Return what stands now in each of some projects, by severity."""
    return [OfProject(*row) for row in _fetch(session, statements.standing_of_each, project_ids)]


def changes_since(session: Session, project_ids: Sequence[str] | None, day: str) -> list[Standing]:
    """Return by how much what stands has changed after a day."""
    return [Standing(*row) for row in _fetch(session, statements.changes_since, project_ids, day=day)]


def daily_changes(session: Session, project_ids: Sequence[str] | None, first: str) -> list[DayChange]:
    """Return what each day changed from the first on, in their order."""
    found, names = [], statements.SEVERITIES
    for row in _fetch(session, statements.daily_changes, project_ids, first=first):
        changes, certainties = row[3 : 3 + len(names)], row[3 + len(names) :]
        by_severity = (dict(zip(names, of, strict=True)) for of in (changes, certainties))
        found.append(DayChange(row[0], row[1], row[2], *by_severity))
    return found


def is_known_by(session: Session, project_ids: Sequence[str] | None, day: str) -> bool:
    """Tell whether anything was found or read until the end of a day."""
    return any(
        _fetch(session, known, project_ids, day=day) for known in (statements.found_by, statements.read_by)
    )


def line_changes(session: Session, project_ids: Sequence[str] | None) -> list[LineChange]:
    """Return how each branch's lines of code changed, by day."""
    return [LineChange(*row) for row in _fetch(session, statements.line_changes, project_ids)]


def default_branches(session: Session, project_ids: Sequence[str] | None) -> dict[str, str]:
    """Return the default branch of each project; nothing is said of one ("")."""
    return {row[0]: row[1] or "" for row in _fetch(session, statements.default_branches, project_ids)}


def analysed_lines(session: Session, project_ids: Iterable[str]) -> dict[str, int]:
    """Return the lines that the latest completed analysis of each project counted, if it counted any."""
    found = {one: hot.fetch(session, statements.ANALYSED, {"project_id": one}) for one in project_ids}
    return {one: rows[0][0] for one, rows in found.items() if rows}


def completed_analyses(
    session: Session, project_ids: Sequence[str] | None, start: datetime, end: datetime
) -> int:
    """Count the completed analyses that were asked for in a time, both ends included."""
    found: int = _fetch(session, statements.completed_analyses, project_ids, start=start, end=end)[0][0]
    return found


def top_files(session: Session, project_ids: Sequence[str] | None, limit: int) -> list[TopFile]:
    """Return the files in which the heaviest findings stand, the heaviest first."""
    return [TopFile(*row) for row in _fetch(session, statements.top_files, project_ids, limit=limit)]


def rule_verdicts(
    session: Session, project_ids: Sequence[str] | None, least: int, most: int
) -> list[RuleVerdicts]:
    """Return the rules of which at least so many findings were confirmed or dismissed.

    Of more than `most` those that were right least often; of equals, those that more was said of.
    """
    rows = {row[0]: row for row in _fetch(session, statements.rule_verdicts, project_ids, least=least)}
    verdicts = _least_right({rule: row[1:3] for rule, row in rows.items()}, most)
    return [RuleVerdicts(rule, rows[rule][3], *verdict) for rule, verdict in verdicts.items()]


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
    found: int = hot.fetch(session, statements.count(shape), numbered)[0][0]
    return found


def _fetch(
    session: Session,
    made: Callable[[int | None], sa.Select[Any]],
    project_ids: Sequence[str] | None,
    **values: Any,
) -> list[tuple[Any, ...]]:
    many = None if project_ids is None else len(project_ids)
    named = {f"project_{n}": one for n, one in enumerate(project_ids or ())}
    return hot.fetch(session, made(many), {**values, **named})
