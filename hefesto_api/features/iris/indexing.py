"""Indexing history in the background: what a project's repository has and the index has not, newest first.

A stage is some commits, compared outside any transaction and written in one short one. A run that is
interrupted goes on where it was; one that finds what it cannot go on from (commits that are gone, a clone
that is no longer shallow) begins anew.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import structlog

from hefesto_api.domain.errors import HefestoError, NotFound
from hefesto_api.features.iris import past, sources
from hefesto_api.storage import history, history_writing, projects
from hefesto_api.storage.history_writing import NewCommit, Numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from hefesto_api.adapters.history import History, Logged
    from hefesto_api.domain.hunks import FileChange
    from hefesto_api.features.iris.sources import Repository
    from hefesto_api.storage.analyses import AnalysisRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.history import HistoryRecord

log = structlog.get_logger("history")

MOST_COMMITS = 300_000
STAGE_CHANGES = 600
STAGE_COMMITS = 400
STAGE_SECONDS = 2.0
DROP_ROWS = 4_000


class Hooks(NamedTuple):
    """What the caller has a say in: `hold` raises in a transaction that must not commit any more.

    `stopped` is asked after each stage, so that every run gets on, however short its time.

    `commits` is how many are written at once at the most.
    """

    hold: Callable[[Session], None] = lambda session: None
    stopped: Callable[[], bool] = lambda: False
    commits: int = STAGE_COMMITS


def after_analysis(db: Database, record: AnalysisRecord) -> None:
    """Queue the indexing of the commit that an analysis looked at, unless that is on record."""
    if record.status != "completed" or record.project_id is None or record.kind != "path":
        return
    if record.commit_hash is None:
        return
    with db.read() as session:
        if any(one.head == record.commit_hash for one in history.of_project(session, record.project_id)):
            return
    with db.write() as session:
        past.ask_for(session, record.project_id)


def index(
    db: Database,
    project_id: str,
    commit: str | None,
    roots: Sequence[Path] | None,
    hooks: Hooks = Hooks(),  # noqa: B008 - a constant
) -> bool:
    """Index what is checked out in a project's repositories, and another commit; False: interrupted.

    What cannot be read is left out and told in the log.
    """
    with db.read() as session:
        try:
            project = projects.by_id(session, project_id)
        except NotFound:  # deleted meanwhile
            return True
    for repository in sources.Sources(db, project, roots).repositories:
        for head in _heads(repository.history, commit):
            if not _Run(db, project_id, repository, hooks).up_to(head):
                return False
    return True


def _heads(known: History, commit: str | None) -> Iterator[str]:
    """Yield what is to be indexed: what was asked for, then what is checked out, which stays the head."""
    for name in (commit, "HEAD"):
        try:
            if name is not None:
                yield known.resolve(name)
        except HefestoError as error:
            log.info("history_not_read", reason=error.message)


class _Run:
    """The indexing of one repository."""

    def __init__(self, db: Database, project_id: str, repository: Repository, hooks: Hooks) -> None:
        self._db = db
        self._project_id = project_id
        self._repository = repository
        self._history = repository.history
        self._hooks = hooks

    def up_to(self, head: str) -> bool:
        """Index a commit and its ancestors; False: interrupted."""
        record = self._record()
        if self._is_stale(record):
            if not self._drop(record):
                return False
            record = self._record()
        if record.pending is not None and record.pending != head:
            if not self._fill(record, record.pending):
                return False
            record = self._record()
        if not self._is_whole(record, head):
            return self._fill(record, head)
        checked_out = self._history.head()
        if checked_out is not None and head == checked_out.hash != record.head:
            with self._db.write() as session:
                history_writing.complete(session, record.id, head)
        return True

    def _is_whole(self, record: HistoryRecord, head: str) -> bool:
        """Tell whether a commit is on record with all that is behind it."""
        with self._db.read() as session:
            return record.pending is None and history.ordinal_of(session, record.id, head) is not None

    def _record(self) -> HistoryRecord:
        where = self._repository
        with self._db.write() as session:
            self._hooks.hold(session)
            return history_writing.ensure(
                session,
                self._project_id,
                root=where.root,
                place=where.place,
                inside=where.inside,
                beneath=where.beneath,
            )

    def _is_stale(self, record: HistoryRecord) -> bool:
        """Tell whether the index cannot be gone on with: its unfinished commit went, or missing ones came."""
        gone = record.pending is not None and not self._history.has(record.pending)
        return gone or (record.cut is not None and self._history.has(record.cut))

    def _drop(self, record: HistoryRecord) -> bool:
        while not self._hooks.stopped():
            with self._db.write(durable=False) as session:
                self._hooks.hold(session)
                if not history_writing.drop_some(session, record.id, DROP_ROWS):
                    return True
        return False

    def _fill(self, record: HistoryRecord, head: str) -> bool:
        """Write the commits behind a head that are not on record, from the newest down."""
        with self._db.read() as session:
            known = history_writing.hashes(session, record.id)
            numbers = Numbers(session, record.id)
        first = record.floor if record.pending is not None else record.top
        # Above the floor there are gaps: what stands there is looked behind.
        whole = {name for name, number in known.items() if number <= first}
        walked = self._history.log(head, lambda name: bytes.fromhex(name) in whole, MOST_COMMITS)
        logged = [one for one in walked if bytes.fromhex(one.hash) not in known]
        if record.low is not None and first + len(logged) >= record.low:
            # More than was left to do: nothing that an index could be built upon.
            return self._drop(record) and self._fill(self._record(), head)
        ordinals = {name.hex(): number for name, number in known.items()}
        ordinals.update((one.hash, first + len(logged) - at) for at, one in enumerate(logged))
        missing = next((name for one in logged for name in one.parents if name not in ordinals), None)
        cut = record.cut or (missing if len(walked) < MOST_COMMITS else None)
        for stage in self._stages(logged, ordinals):
            with self._db.write(durable=False) as session:
                self._hooks.hold(session)
                history_writing.write(session, record, stage, numbers)
                history_writing.advance(session, record, head, stage, floor=first, cut=cut)
            if self._hooks.stopped():
                return False
        with self._db.write() as session:
            self._hooks.hold(session)
            history_writing.complete(session, record.id, head)
        return True

    def _stages(self, logged: Sequence[Logged], ordinals: dict[str, int]) -> Iterator[list[NewCommit]]:
        stage: list[NewCommit] = []
        weight, began = 0, time.monotonic()
        for one in logged:
            commit = self._commit(one, ordinals)
            stage.append(commit)
            weight += len(commit.changes)
            full = weight >= STAGE_CHANGES or len(stage) >= self._hooks.commits
            if full or time.monotonic() - began > STAGE_SECONDS:
                yield stage
                stage, weight, began = [], 0, time.monotonic()
        if stage:
            yield stage

    def _commit(self, one: Logged, ordinals: dict[str, int]) -> NewCommit:
        said = self._history.commit(one.hash)
        return NewCommit(
            ordinal=ordinals[one.hash],
            hash=one.hash,
            parents=tuple(ordinals.get(parent, 0) for parent in one.parents),
            time=said.time,
            author=said.author,
            email=said.email,
            message=said.message,
            changes=tuple(self._changes(one.hash)),
        )

    def _changes(self, commit: str) -> list[FileChange]:
        try:
            return self._history.changes(commit, self._repository.inside)
        except HefestoError as error:  # damaged: the others are still worth having
            log.info("commit_not_read", commit=commit, reason=error.message)
            return []
