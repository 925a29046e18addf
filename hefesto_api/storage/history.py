"""The index of history: the commits of a project's repository, and the lines that each of them changed.

Commits are numbered so that every commit has a higher ordinal than its parents; 0 is no commit. A run of the
indexer numbers what is new above what is there and writes it from the top down: recent changes are known
first, and what an interrupted run has not reached lies between `floor` and `low`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain.hunks import read_number
from hefesto_api.storage import hot
from hefesto_api.storage.base import Blob, Serial, Session, Text, UtcDateTime, metadata

histories = sa.Table(
    "histories",
    metadata,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("key", Text, nullable=False, unique=True),
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    sa.Column("root", Text, nullable=False),
    sa.Column("place", Text, nullable=False),
    sa.Column("inside", Text, nullable=False),
    sa.Column("beneath", Text, nullable=False),
    sa.Column("head", Text),
    sa.Column("pending", Text),
    sa.Column("floor", sa.Integer, nullable=False),
    sa.Column("low", sa.Integer),
    sa.Column("top", sa.Integer, nullable=False),
    sa.Column("cut", Text),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("project_id", "inside", "beneath"),
)


def _part(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    owner = sa.ForeignKey("histories.id", ondelete="CASCADE")
    first = sa.Column("history_id", Serial, owner, primary_key=True, autoincrement=False)
    return sa.Table(name, metadata, first, *columns, sqlite_with_rowid=False)


history_commits = _part(
    "history_commits",
    sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("hash", Blob, nullable=False),
    sa.Column("first_parent", sa.Integer, nullable=False),
    sa.Column("other_parents", Blob),  # numbers, packed
    sa.Column("time", sa.BigInteger, nullable=False),  # the author's, in seconds
    sa.Column("author", Text, nullable=False),
    sa.Column("email", Text, nullable=False),
    sa.Column("message", Text, nullable=False),
    sa.UniqueConstraint("history_id", "hash"),
    sa.Index(None, "history_id", "time"),
)

history_paths = _part(
    "history_paths",
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("path", Text, nullable=False),
    sa.UniqueConstraint("history_id", "path"),
)

history_changes = _part(
    "history_changes",
    sa.Column("path", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("other_path", sa.Integer),  # where a renamed file came from, or a deleted one went
    sa.Column("what", Blob, nullable=False),  # see domain.hunks.encode
    sa.Index(None, "history_id", "ordinal", "path"),
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHORTEST = 7  # digits of an abbreviated hash


class HistoryRecord(Struct, frozen=True):
    """A row of `histories`: the history of one repository, for one project.

    `place` beneath `root` is where the repository was found. Paths of the project begin with `beneath`
    where those of the repository begin with `inside`; each is empty or ends in "/", and one is empty.
    `head` was indexed whole last; `pending` is being indexed. Everything to `floor`, and from `low` to
    `top`, is there. `cut` names a commit whose parents the repository did not have. `key` is new with
    every index that is made; `revision` rises whenever commits are added.
    """

    id: int
    key: str
    project_id: str
    root: str
    place: str
    inside: str
    beneath: str
    head: str | None
    pending: str | None
    floor: int
    low: int | None
    top: int
    cut: str | None
    revision: int
    updated_at: datetime

    def of_repository(self, path: str) -> str | None:
        """Return the repository's name of a path of the project; None for one that lies elsewhere."""
        return self.inside + path[len(self.beneath) :] if path.startswith(self.beneath) else None

    def of_project(self, path: str) -> str:
        """Return the project's name of a path of the repository (which is indexed beneath `inside` only)."""
        return self.beneath + path.removeprefix(self.inside)


class IndexedCommit(Struct, frozen=True):
    """A row of `history_commits`, as people read it: `message` is the first line, bounded."""

    ordinal: int
    hash: str
    time: datetime
    author: str
    email: str
    message: str


def of_project(session: Session, project_id: str) -> list[HistoryRecord]:
    """Return the histories of a project: usually one, or none yet."""
    return [HistoryRecord(*row) for row in hot.records(session, _OF_PROJECT, {"project_id": project_id})]


def ordinal_of(session: Session, history_id: int, commit: str) -> int | None:
    """Return the ordinal of a hash, whole or abbreviated; None for one that is unknown or ambiguous."""
    try:
        low = bytes.fromhex(commit.ljust(40, "0"))
        high = bytes.fromhex(commit.ljust(40, "f"))
    except ValueError:
        return None
    if not _SHORTEST <= len(commit) <= 40:
        return None
    values = {"history_id": history_id, "low": low, "high": high}
    found = session.execute(_BY_HASH, values).scalars().all()
    return found[0] if len(found) == 1 else None


def commits(session: Session, history_id: int, ordinals: Iterable[int]) -> dict[int, IndexedCommit]:
    """Return commits by their ordinal."""
    wanted = list(ordinals)
    if not wanted:
        return {}
    rows = session.execute(_COMMITS, {"history_id": history_id, "ordinals": wanted})
    return {row[0]: IndexedCommit(row[0], row[1].hex(), _moment(row[2]), *row[3:]) for row in rows}


def edges(
    session: Session, record: HistoryRecord, floor: int = 0, low: int = 0, top: int = 0
) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Yield (ordinal, first parent, other parents), the highest first, of what was added since.

    `floor`, `low` and `top` are those of the record that was read before (`low` and `top` 0: none).
    """
    values = {"history_id": record.id, "floor": floor, "low": low or 1, "top": top}
    rows = session.exec_driver_sql(_edges(session.dialect.name), values)
    for ordinal, first_parent, others in rows.fetchall():
        yield ordinal, first_parent, unpack_numbers(others) if others else ()


def path_number(session: Session, history_id: int, path: str) -> int | None:
    """Return the number of a path of the repository, if a commit ever touched it."""
    return session.execute(_PATH_NUMBER, {"history_id": history_id, "path": path}).scalar()


def path_names(session: Session, history_id: int, numbers: Iterable[int]) -> dict[int, str]:
    """Return paths of the repository by their number."""
    values = {"history_id": history_id, "numbers": list(numbers)}
    return {row[0]: row[1] for row in session.execute(_PATH_NAMES, values)} if values["numbers"] else {}


def touches(session: Session, history_id: int, path: int, limit: int) -> list[tuple[int, int | None, bytes]]:
    """Return (ordinal, other path, what) of the latest changes of a path, the highest ordinal first."""
    values = {"history_id": history_id, "path": path, "limit": limit}
    return list(map(tuple, session.execute(_TOUCHES, values).fetchall()))


def unpack_numbers(packed: bytes) -> tuple[int, ...]:
    """Read numbers to the end."""
    numbers, at = [], 0
    while at < len(packed):
        number, at = read_number(packed, at)
        numbers.append(number)
    return tuple(numbers)


def _moment(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


@cache
def _edges(dialect: str) -> str:
    mark = ":{}" if dialect == "sqlite" else "%({})s"
    history_id, floor, low, top = (mark.format(name) for name in ("history_id", "floor", "low", "top"))
    return (
        "SELECT ordinal, first_parent, other_parents FROM history_commits "  # noqa: S608 - constants
        f"WHERE history_id = {history_id} AND ordinal > {floor} AND (ordinal < {low} OR ordinal > {top}) "
        "ORDER BY ordinal DESC"
    )


def _of(table: sa.Table, *columns: str) -> sa.Select[Any]:
    return sa.select(*(table.c[name] for name in columns)).where(
        table.c.history_id == sa.bindparam("history_id")
    )


_OF_PROJECT = (
    sa.select(histories)
    .where(histories.c.project_id == sa.bindparam("project_id"))
    .order_by(sa.func.length(histories.c.beneath).desc(), histories.c.id)
)
_BY_HASH = (
    _of(history_commits, "ordinal")
    .where(history_commits.c.hash.between(sa.bindparam("low"), sa.bindparam("high")))
    .limit(2)
)
_COMMITS = _of(history_commits, "ordinal", "hash", "time", "author", "email", "message").where(
    history_commits.c.ordinal.in_(sa.bindparam("ordinals", expanding=True))
)
_PATH_NUMBER = _of(history_paths, "number").where(history_paths.c.path == sa.bindparam("path"))
_PATH_NAMES = _of(history_paths, "number", "path").where(
    history_paths.c.number.in_(sa.bindparam("numbers", expanding=True))
)
_TOUCHES = (
    _of(history_changes, "ordinal", "other_path", "what")
    .where(history_changes.c.path == sa.bindparam("path"))
    .order_by(history_changes.c.ordinal.desc())
    .limit(sa.bindparam("limit"))
)
