"""Which commits came with a deployment, as the index of history knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain import hunks
from hefesto_api.storage import history, history_graphs, jobs
from hefesto_api.storage.history import history_changes, history_paths

if TYPE_CHECKING:
    from collections.abc import Collection

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.history import HistoryRecord, IndexedCommit

MOST = 1000


class ChangedFile(Struct):
    """A file that some commits touched: how many of them, and the lines that each wrote and took away.

    `kind` is what the latest of them did: added, modified or deleted. Only the lines of what was modified
    are counted, and none of a file that was too large to look into; merges do not count.
    """

    file_path: str
    kind: str
    commits: int = 0
    lines_added: int = 0
    lines_removed: int = 0


def new_in(session: Session, project_id: str, new: str, old: str) -> list[IndexedCommit] | None:
    """Return the commits that one revision has and another has not, newest first, at most `MOST`.

    None when either is not on record.
    """
    found = _new_in(session, project_id, new, old)
    if found is None:
        return None
    known = history.commits(session, found[0].id, found[1])
    return [known[one] for one in found[1]]


def changed_files(session: Session, project_id: str, new: str, old: str) -> list[ChangedFile] | None:
    """Return the files that these commits touched, the most changed first; None when `new_in` is."""
    found = _new_in(session, project_id, new, old)
    if found is None:
        return None
    record, ordinals = found
    files: dict[str, ChangedFile] = {}
    for path, what in _changes(session, record, ordinals):
        change = hunks.decode(what, path, None)
        if change.parents:
            continue  # what a merge took over is told of by its commits
        file = files.setdefault(path, ChangedFile(record.of_project(path), change.kind))
        file.commits += 1
        file.lines_added += sum(one.new_lines for one in change.hunks or ())
        file.lines_removed += sum(one.old_lines for one in change.hunks or ())
    order = sorted(files.values(), key=lambda one: one.file_path)
    return sorted(order, key=lambda one: -(one.lines_added + one.lines_removed))


def _changes(session: Session, record: HistoryRecord, ordinals: Collection[int]) -> list[tuple[str, bytes]]:
    """Return (path, what) of each file that each of some commits touched, the latest commit first."""
    if not ordinals:
        return []
    wanted = set(ordinals)
    values = {"history_id": record.id, "low": min(wanted), "high": max(wanted)}
    rows = session.execute(_CHANGES, values)
    return [(row.path, row.what) for row in rows if row.ordinal in wanted]


def _new_in(session: Session, project_id: str, new: str, old: str) -> tuple[HistoryRecord, list[int]] | None:
    for record in history.of_project(session, project_id):
        after = history.ordinal_of(session, record.id, new)
        before = history.ordinal_of(session, record.id, old)
        if after is not None and before is not None:
            return record, list(history_graphs.graph_of(session, record).only_in(after, before, MOST))
    return None


def ask_for(session: Session, project_id: str, commit: str) -> None:
    """Have the history of a deployed commit indexed, if there is an index that lacks it."""
    kept = history.of_project(session, project_id)
    if kept and all(history.ordinal_of(session, one.id, commit) is None for one in kept):
        asked = {"project_id": project_id, "commit": commit}
        key = f"history:{project_id}:{commit}"
        jobs.enqueue(session, "history", asked, lane=f"history:{project_id}:", priority=5, dedupe_key=key)


# By path, as changes are kept: one look into the index for each, however long the history is.
_CHANGES = (
    sa.select(history_paths.c.path, history_changes.c.ordinal, history_changes.c.what)
    .select_from(history_paths)
    .join(
        history_changes,
        sa.and_(
            history_changes.c.history_id == history_paths.c.history_id,
            history_changes.c.path == history_paths.c.number,
        ),
    )
    .where(
        history_paths.c.history_id == sa.bindparam("history_id"),
        history_changes.c.ordinal.between(sa.bindparam("low"), sa.bindparam("high")),
    )
    .order_by(history_changes.c.ordinal.desc())
)
