"""The past of lines and commits, answered from the index of history: no parse, no checkout, no repository.

Paths are the project's, as findings have them. Commits are hashes, whole or abbreviated (from 7 digits).
What the index does not know is None or empty, never an error: history is indexed in the background.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from hefesto_api.storage import history, history_graphs, jobs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hefesto_api.domain.lineage import Touched
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.history import HistoryRecord, IndexedCommit

MOST_CHANGES = 10
PRIORITY = 5  # behind alerts and analyses


class PastCommit(Struct, frozen=True):
    """A commit on record: `time` is the author's, aware, in UTC; `message` is its first line, bounded."""

    hash: str
    author: str
    email: str
    time: datetime
    message: str


class PastChange(Struct, frozen=True):
    """A commit that changed some lines: `path` and the lines are those right after it.

    `kind` is added (the lines came with the file), modified, renamed, merged, or unknown (the change was
    too large to be looked into: older changes of these lines are not known).
    """

    commit: PastCommit
    path: str
    start_line: int
    end_line: int
    kind: str


def function_changes(
    session: Session,
    project_id: str,
    path: str,
    start_line: int,
    end_line: int,
    at_commit: str,
    limit: int = MOST_CHANGES,
) -> list[PastChange]:
    """Return the commits that changed lines of a file as of a commit, newest first, as `git log -L` would.

    Traced through hunks and renames. Empty for an unknown commit or path.
    """
    for record, at in _holding(session, project_id, at_commit):
        name = record.of_repository(path)
        if name is not None and 0 < start_line <= end_line:
            graph = history_graphs.graph_of(session, record)
            lineage = history_graphs.lineage_of(session, record, graph)
            found = lineage.changes(name, [(start_line - 1, end_line)], at, limit)
            known = history.commits(session, record.id, [one.number for one in found])
            return [_told(record, one, known[one.number]) for one in found]
    return []


def is_contained(session: Session, project_id: str, commit: str, in_commit: str) -> bool | None:
    """Tell whether a commit is another or one of its ancestors; None when either is unknown."""
    for record, mine, other in _holding_both(session, project_id, commit, in_commit):
        return history_graphs.graph_of(session, record).contains(other, mine)
    return None


def map_line(
    session: Session, project_id: str, path: str, line: int, from_commit: str, to_commit: str
) -> tuple[str, int] | None:
    """Return the path and the line that a line of one commit has in another.

    None when it does not stand there (changed counts as gone), or when a commit is unknown.
    """
    for record, old, new in _holding_both(session, project_id, from_commit, to_commit):
        name = record.of_repository(path)
        if name is None:
            continue
        graph = history_graphs.graph_of(session, record)
        found = history_graphs.lineage_of(session, record, graph).place(name, line, old, new)
        return None if found is None else (record.of_project(found[0]), found[1])
    return None


def between(
    session: Session, project_id: str, old: str, new: str, limit: int = 1000
) -> list[PastCommit] | None:
    """Return the commits that `new` has and `old` has not, newest first; None when either is unknown."""
    for record, before, after in _holding_both(session, project_id, old, new):
        ordinals = history_graphs.graph_of(session, record).only_in(after, before, limit)
        known = history.commits(session, record.id, ordinals)
        return [_commit(known[one]) for one in ordinals]
    return None


def commit_of(session: Session, project_id: str, commit: str) -> PastCommit | None:
    """Return a commit on record by its hash, whole or abbreviated; None when unknown or ambiguous."""
    for record, ordinal in _holding(session, project_id, commit):
        return _commit(history.commits(session, record.id, [ordinal])[ordinal])
    return None


def latest(session: Session, project_id: str) -> str | None:
    """Return the hash of the commit whose history was indexed last and whole."""
    return next((one.head for one in history.of_project(session, project_id) if one.head), None)


def state(session: Session, project_id: str) -> str:
    """Return a text that is another one whenever more of a project's history is on record."""
    return " ".join(f"{one.key}:{one.revision}" for one in history.of_project(session, project_id))


def ask_for(session: Session, project_id: str, commit: str | None = None) -> None:
    """Queue the indexing of what is checked out and, if given, of another commit; not twice at a time."""
    jobs.enqueue(
        session,
        "history",
        {"project_id": project_id, "commit": commit},
        lane=f"history:{project_id}:",
        priority=PRIORITY,
        max_attempts=25,  # a restart of the worker is an attempt, too
        dedupe_key=f"history:{project_id}:{commit or ''}",
    )


def _holding(session: Session, project_id: str, commit: str) -> Iterator[tuple[HistoryRecord, int]]:
    """Yield the history that knows a commit, with the commit's number in it."""
    for record in history.of_project(session, project_id):
        ordinal = history.ordinal_of(session, record.id, commit)
        if ordinal is not None:
            yield record, ordinal


def _holding_both(
    session: Session, project_id: str, one: str, other: str
) -> Iterator[tuple[HistoryRecord, int, int]]:
    for record, first in _holding(session, project_id, one):
        second = history.ordinal_of(session, record.id, other)
        if second is not None:
            yield record, first, second


def _told(record: HistoryRecord, one: Touched, commit: IndexedCommit) -> PastChange:
    return PastChange(
        commit=_commit(commit),
        path=record.of_project(one.path),
        start_line=one.ranges[0][0] + 1,
        end_line=one.ranges[-1][1],
        kind=one.kind,
    )


def _commit(one: IndexedCommit) -> PastCommit:
    return PastCommit(one.hash, one.author, one.email, one.time, one.message)
