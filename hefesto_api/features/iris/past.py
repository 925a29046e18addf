"""The past of lines and commits, answered from the index of history: no parse, no checkout, no repository.

Paths are the project's, as findings have them. Commits are hashes, whole or abbreviated (from 7 digits).
What the index does not know is None or empty, never an error: history is indexed in the background.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session

MOST_CHANGES = 10


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
    return []


def is_contained(session: Session, project_id: str, commit: str, in_commit: str) -> bool | None:
    """Tell whether a commit is another or one of its ancestors; None when either is unknown."""
    return None


def map_line(
    session: Session, project_id: str, path: str, line: int, from_commit: str, to_commit: str
) -> tuple[str, int] | None:
    """Return the path and the line that a line of one commit has in another.

    None when it does not stand there (changed counts as gone), or when a commit is unknown.
    """
    return None


def between(
    session: Session, project_id: str, old: str, new: str, limit: int = 1000
) -> list[PastCommit] | None:
    """Return the commits that `new` has and `old` has not, newest first; None when either is unknown."""
    return None


def commit_of(session: Session, project_id: str, commit: str) -> PastCommit | None:
    """Return a commit on record by its hash, whole or abbreviated; None when unknown or ambiguous."""
    return None


def latest(session: Session, project_id: str) -> str | None:
    """Return the hash of the commit whose history was indexed last and whole."""
    return None


def ask_for(session: Session, project_id: str, commit: str | None = None) -> None:
    """Queue the indexing of what is checked out and, if given, of another commit; not twice at a time."""
