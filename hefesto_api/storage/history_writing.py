"""Writing the index of history: a stage of commits at a time, each in a short transaction."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain import clock, ids
from hefesto_api.domain.hunks import FileChange, encode, pack_numbers
from hefesto_api.storage import bulk
from hefesto_api.storage.base import clean, upsert
from hefesto_api.storage.history import (
    HistoryRecord,
    histories,
    history_changes,
    history_commits,
    history_paths,
    of_project,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hefesto_api.storage.base import Session

MESSAGE = 200
NAME = 120
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARTS = (history_changes, history_paths, history_commits)


class NewCommit(Struct, frozen=True):
    """A commit to be written; parents are ordinals, the first 0 where there is none (on record)."""

    ordinal: int
    hash: str
    parents: tuple[int, ...]
    time: datetime
    author: str
    email: str
    message: str
    changes: tuple[FileChange, ...] = ()


class Numbers:
    """The numbers of a history's paths, and those that are yet to be written."""

    def __init__(self, session: Session, history_id: int) -> None:
        of_history = history_paths.c.history_id == history_id
        rows = session.execute(sa.select(history_paths.c.path, history_paths.c.number).where(of_history))
        self._known: dict[str, int] = {row.path: row.number for row in rows}
        self._new: dict[str, int] = {}

    def of(self, path: str) -> int:
        """Return the number of a path; a new one gets the next."""
        path = clean(path)
        number = self._known.get(path)
        if number is None:
            number = self._known[path] = self._new[path] = len(self._known) + 1
        return number

    def new(self) -> dict[str, int]:
        """Return what was numbered since the last call."""
        new, self._new = self._new, {}
        return new


def ensure(
    session: Session, project_id: str, *, root: str, place: str, inside: str, beneath: str
) -> HistoryRecord:
    """Return a project's history of a repository; an empty one is made where there is none."""
    for record in of_project(session, project_id):
        if (record.inside, record.beneath) == (inside, beneath):
            if (record.root, record.place) != (root, place):
                change(session, record.id, root=root, place=place)
            return record
    values = {
        "key": ids.new_id(), "project_id": project_id, "root": root, "place": place, "inside": inside,
        "beneath": beneath, "floor": 0, "top": 0, "revision": 0, "updated_at": clock.now(),
    }  # fmt: skip
    session.execute(sa.insert(histories).values(**values))
    return ensure(session, project_id, root=root, place=place, inside=inside, beneath=beneath)


def change(session: Session, history_id: int, **fields: Any) -> None:
    """Set columns of a history."""
    statement = sa.update(histories).where(histories.c.id == history_id)
    session.execute(statement.values(**fields, updated_at=clock.now()))


def hashes(session: Session, history_id: int) -> dict[bytes, int]:
    """Return the ordinals of all commits on record by their binary hash."""
    columns = (history_commits.c.hash, history_commits.c.ordinal)
    rows = session.execute(sa.select(*columns).where(history_commits.c.history_id == history_id))
    return {row[0]: row[1] for row in rows}


def write(session: Session, record: HistoryRecord, stage: Sequence[NewCommit], numbers: Numbers) -> None:
    """Write commits, in descending order of their ordinals, with their changes."""
    changes = list(_change_rows(record.id, stage, numbers))
    paths = [
        {"history_id": record.id, "number": number, "path": path} for path, number in numbers.new().items()
    ]
    dialect = session.dialect.name
    bulk.execute(session, _insert(dialect, "history_paths"), paths)
    bulk.execute(session, _insert(dialect, "history_changes"), changes)
    bulk.execute(session, _insert(dialect, "history_commits"), [_commit_row(record.id, one) for one in stage])


def advance(
    session: Session,
    record: HistoryRecord,
    head: str,
    stage: Sequence[NewCommit],
    *,
    floor: int,
    cut: str | None,
) -> None:
    """Note how far down the indexing of a head has come."""
    top = sa.case((histories.c.top < stage[0].ordinal, stage[0].ordinal), else_=histories.c.top)
    change(
        session,
        record.id,
        pending=head,
        floor=floor,
        low=stage[-1].ordinal,
        top=top,
        cut=cut,
        revision=histories.c.revision + len(stage),
    )


def complete(session: Session, history_id: int, head: str) -> None:
    """Note that a head was indexed whole."""
    change(session, history_id, head=head, pending=None, floor=histories.c.top, low=None)


def drop_some(session: Session, history_id: int, limit: int) -> int:
    """Delete some of what belongs to a history, then itself; return how many rows (0: it is gone)."""
    for table in _PARTS:
        key = [column for column in table.primary_key if column.name != "history_id"]
        some = sa.select(*key).where(table.c.history_id == history_id).limit(limit).subquery()
        chosen = sa.tuple_(*key).in_(sa.select(*some.c))
        gone = session.execute(sa.delete(table).where(table.c.history_id == history_id, chosen)).rowcount
        if gone:
            return gone
    return session.execute(sa.delete(histories).where(histories.c.id == history_id)).rowcount


def drop_of_project(session: Session, project_id: str, limit: int) -> int:
    """Delete some of what belongs to a project's histories; return how many rows (0: nothing is left)."""
    found = of_project(session, project_id)
    return drop_some(session, found[0].id, limit) if found else 0


def _commit_row(history_id: int, one: NewCommit) -> dict[str, Any]:
    return {
        "history_id": history_id,
        "ordinal": one.ordinal,
        "hash": bytes.fromhex(one.hash),
        "first_parent": one.parents[0] if one.parents else 0,
        "other_parents": pack_numbers(one.parents[1:]) or None,
        "time": int((one.time - _EPOCH).total_seconds()),
        "author": one.author[:NAME],
        "email": one.email[:NAME],
        "message": one.message.partition("\n")[0][:MESSAGE],
    }


def _change_rows(history_id: int, stage: Iterable[NewCommit], numbers: Numbers) -> Iterable[dict[str, Any]]:
    for commit in stage:
        for one in {numbers.of(change.path): change for change in commit.changes}.items():
            number, made = one
            yield {
                "history_id": history_id,
                "path": number,
                "ordinal": commit.ordinal,
                "other_path": None if made.other_path is None else numbers.of(made.other_path),
                "what": encode(made),
            }


@cache
def _insert(dialect: str, name: str) -> Any:
    tables = {table.name: table for table in _PARTS}
    return upsert(dialect, tables[name]).on_conflict_do_nothing()
