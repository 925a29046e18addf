"""The quality of projects on any day: what stood at its end, and in how much code."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING

from hefesto_api.domain import clock
from hefesto_api.domain.finding import Severity
from hefesto_api.domain.quality import WEIGHTS, Quality, quality_score
from hefesto_api.storage import measures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.measures import LineChange, Standing

THOUSANDTHS = 1000
DIGITS = 2


class Lines:
    """Lines of code at the end of each day; before the first known number, that one."""

    def __init__(self, changes: Mapping[str, int]) -> None:
        days = sorted(changes)
        self._known = dict(zip(days, accumulate(changes[day] for day in days), strict=True))

    def at(self, day: str) -> int:
        """Return the lines at the end of a day."""
        known = [lines for when, lines in self._known.items() if when <= day]
        return known[-1] if known else 0


def lines(session: Session, project_ids: Sequence[str] | None) -> Lines:
    """Return the lines of projects: those of the default branch, else of the largest.

    Of a project none of whose files is on record, those that its latest analysis counted.
    """
    branches: defaultdict[str, defaultdict[str, list[LineChange]]] = defaultdict(lambda: defaultdict(list))
    for change in measures.line_changes(session, project_ids):
        branches[change.project_id][change.branch].append(change)
    defaults = measures.default_branches(session, project_ids)
    total: Counter[str] = Counter()
    for project_id, found in branches.items():
        for number, change in enumerate(_main(found, defaults.get(project_id, ""))):
            total["" if number == 0 else change.day] += change.lines
    unread = [one for one in defaults if one not in branches]
    total[""] += sum(measures.analysed_lines(session, unread).values())
    return Lines(total)


def _main(branches: Mapping[str, list[LineChange]], default: str) -> list[LineChange]:
    sizes = {name: sum(one.lines for one in changes) for name, changes in branches.items()}
    return branches[main_branch(sizes, default)]


def main_branch(sizes: Mapping[str, int], default: str) -> str:
    """Return the branch that stands for a project: the default one, or the largest if that has no lines."""
    return default if sizes.get(default) else max(sizes, key=lambda name: sizes[name])


def standing_at(
    session: Session, project_ids: Sequence[str] | None, day: str, now: Iterable[Standing]
) -> list[Standing]:
    """Return what stood at the end of a day: what stands now, less what has changed since."""
    kinds = {one[:2]: one for one in now}
    if day >= clock.now().date().isoformat():
        return list(kinds.values())
    for later in measures.changes_since(session, project_ids, day):
        before = kinds.get(later[:2], later._replace(findings=0, certainty=0))
        kinds[later[:2]] = before._replace(
            findings=before.findings - later.findings, certainty=before.certainty - later.certainty
        )
    return [one for one in kinds.values() if one.findings]


def of(certainties: Iterable[tuple[str, int]], lines_of_code: int) -> Quality:
    """Score findings, given as (severity, the sum of their confidences in thousandths)."""
    weights = (WEIGHTS[Severity(severity)] * sure / THOUSANDTHS for severity, sure in certainties)
    return quality_score(weights, lines_of_code)


def rounded(number: float) -> float:
    """Return a score as it is told."""
    return round(number, DIGITS)


def current(session: Session, project_id: str) -> Quality:
    """Return the quality of a project as it is now."""
    stands = [(one.severity, one.certainty) for one in measures.standing(session, [project_id])]
    return of(stands, lines(session, [project_id]).at(clock.now().date().isoformat()))


def by_project(session: Session, project_ids: Sequence[str]) -> dict[str, Quality]:
    """Return the quality of projects as it is now, each by itself."""
    certain: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for one in measures.standing_of_each(session, project_ids):
        certain[one.project_id].append((one.severity, one.certainty))
    changes: defaultdict[str, defaultdict[str, list[LineChange]]] = defaultdict(lambda: defaultdict(list))
    for change in measures.line_changes(session, project_ids):
        changes[change.project_id][change.branch].append(change)
    defaults = measures.default_branches(session, project_ids)
    total = measures.analysed_lines(session, [one for one in defaults if one not in changes])
    for project_id, found in changes.items():
        total[project_id] = sum(change.lines for change in _main(found, defaults.get(project_id, "")))
    return {one: of(certain[one], total.get(one, 0)) for one in project_ids}
