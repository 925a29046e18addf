"""Hotspots: the files that are changed often, hard to change, and were to blame before.

The score goes from 0 to 100. Its ground is how often a file is changed and how complex it is, each against
the most of all files that are looked at and on a scale of logarithms; both must be high. Each incident then
takes half of what is left to 100.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from math import log1p, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.domain import clock
from hefesto_api.storage import hotspots, projects

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.hotspots import Churn, Key, Known, Worst

CONSIDERED = 2_000  # files that were changed or blamed, the most often first
UNKNOWN_CHURN = 0.25  # where there is no history, all files count as changed alike, and none as hot
DIGITS = 1
_NO_FILES = "No file is on record: analyse the project's files."
_NO_HISTORY = "No history is on record: the files are in no git repository, or it is still being read."
_NO_ALERTS = "No alert came in yet."


class Spot(NamedTuple):
    """A file with what is known of it; `churn` None where its project has no history on record."""

    key: Key
    known: Known
    commits: int | None
    churn: Churn | None
    incidents: int
    score: float


class Facts(NamedTuple):
    """What storage tells about the files of some projects."""

    branch_of: Mapping[str, str]
    with_history: Collection[str]
    churn: Mapping[Key, Churn]
    incidents: Mapping[Key, int]


def tell(db: Database, query: Mapping[str, Any], allowed: Collection[str] | None) -> dict[str, Any]:
    """Return the hottest files; `allowed` are the slugs of the projects that may be seen."""
    first = clock.now().date() - timedelta(days=query["days"] - 1)  # whole days, as all metrics
    since = datetime.combine(first, time.min, UTC)
    with db.read() as session:
        ids = projects.chosen(session, query.get("project"), allowed)
        facts = Facts(
            hotspots.branches(session, ids),
            hotspots.with_history(session, ids),
            hotspots.churn(session, ids, since),
            hotspots.incidents(session, ids, since),
        )
        alerted = bool(facts.incidents) or hotspots.has_alerts(session, ids)
        spots = scored(facts, _files(session, facts, query["limit"]))[: query["limit"]]
        worst = hotspots.worst(session, [one.known for one in spots])
        standing = hotspots.standing(session, [one.key for one in spots])
        slugs = projects.slugs(session, {one.key[0] for one in spots})
    return {
        "since": first.isoformat(),
        "parts": {
            "complexity": _part(facts.branch_of, _NO_FILES),
            "churn": _part(set(facts.with_history) & set(facts.branch_of), _NO_HISTORY),
            "incidents": _part(alerted, _NO_ALERTS),
        },
        "files": [
            _told(one, slugs[one.key[0]], worst.get(one.known.content_id), standing.get(one.key))
            for one in spots
        ],
    }


def scored(facts: Facts, files: Mapping[Key, Known]) -> list[Spot]:
    """Return files with their scores, the hottest first; of equals, the one with more lines."""
    most_commits = max((facts.churn[key].commits for key in files if key in facts.churn), default=0)
    most_complex = max((one.complexity for one in files.values()), default=0)
    spots = []
    for key, one in files.items():
        churn = facts.churn.get(key)
        commits = (churn.commits if churn else 0) if key[0] in facts.with_history else None
        often = UNKNOWN_CHURN if commits is None else _share(commits, most_commits)
        ground = sqrt(often * _share(one.complexity, most_complex))
        blamed = facts.incidents.get(key, 0)
        score = 100 * (1 - (1 - ground) * 0.5**blamed)
        spots.append(Spot(key, one, commits, churn, blamed, round(score, DIGITS)))
    return sorted(spots, key=lambda spot: (-spot.score, -spot.known.lines_of_code, spot.key))


def _files(session: Session, facts: Facts, limit: int) -> dict[Key, Known]:
    """Return what was changed or blamed and, where that is little, the largest files besides."""
    named = sorted(
        {*facts.churn, *facts.incidents},
        key=lambda key: (
            -facts.incidents.get(key, 0),
            -(facts.churn[key].commits if key in facts.churn else 0),
            key,
        ),
    )
    found = hotspots.known(session, facts.branch_of, named[:CONSIDERED])
    if len(found) < limit:
        more = hotspots.largest(session, facts.branch_of, limit)
        found |= hotspots.known(session, facts.branch_of, (key for key in more if key not in found))
    return found


def _share(value: int, most: int) -> float:
    return log1p(value) / log1p(most) if most else 0.0


def _part(known: object, otherwise: str) -> dict[str, Any]:
    return {"known": bool(known), "reason": None if known else otherwise}


def _told(one: Spot, slug: str, worst: Worst | None, standing: Iterable[int] | None) -> dict[str, Any]:
    counts = dict(zip(("critical", "high", "medium", "low"), standing or (0, 0, 0, 0), strict=True))
    return {
        "file_path": one.key[1],
        "project": slug,
        "language": one.known.language,
        "lines_of_code": one.known.lines_of_code,
        "score": one.score,
        "commits": one.commits,
        "last_changed": clock.rfc3339(one.churn.last) if one.churn else None,
        "complexity": one.known.complexity,
        "most_complex": worst._asdict() if worst else None,
        "incidents": one.incidents,
        "findings": {"total": sum(counts.values()), **counts},
    }
