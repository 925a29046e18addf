"""Which commits came with a deployment, as the index of history knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hefesto_api.storage import history, history_graphs, jobs

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.history import IndexedCommit

MOST = 1000


def new_in(session: Session, project_id: str, new: str, old: str) -> list[IndexedCommit] | None:
    """Return the commits that one revision has and another has not, newest first, at most `MOST`.

    None when either is not on record.
    """
    for record in history.of_project(session, project_id):
        after = history.ordinal_of(session, record.id, new)
        before = history.ordinal_of(session, record.id, old)
        if after is not None and before is not None:
            ordinals = history_graphs.graph_of(session, record).only_in(after, before, MOST)
            known = history.commits(session, record.id, ordinals)
            return [known[one] for one in ordinals]
    return None


def ask_for(session: Session, project_id: str, commit: str) -> None:
    """Have the history of a deployed commit indexed, if there is an index that lacks it."""
    kept = history.of_project(session, project_id)
    if kept and all(history.ordinal_of(session, one.id, commit) is None for one in kept):
        asked = {"project_id": project_id, "commit": commit}
        key = f"history:{project_id}:{commit}"
        jobs.enqueue(session, "history", asked, lane=f"history:{project_id}:", priority=5, dedupe_key=key)
