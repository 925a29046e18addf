"""Which commits changed the functions that matter, and whether what ran had them.

A commit that the running revision does not contain was not deployed; nor was, where nobody said what ran, one
that is younger than the alert. It is told of as such, and never suspected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hefesto_api.domain.correlation import Change
from hefesto_api.features.iris import past
from hefesto_api.storage import history

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from hefesto_api.adapters.memory import Memory
    from hefesto_api.domain.code import FileFacts, FunctionFacts
    from hefesto_api.domain.correlation import Crash
    from hefesto_api.features.iris.past import PastChange
    from hefesto_api.features.iris.running import Running
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.history import HistoryRecord

State = tuple[tuple[str, int], ...]
"""What of a project's history is on record: another one whenever there is more."""

MOST_FUNCTIONS = 24
MOST_CHANGES = 5
SIZE = 400  # bytes that a change takes in memory


class Changes:
    """The changes of one project's functions, kept in the process while its history stays as it is."""

    def __init__(
        self,
        session: Session,
        memory: Memory,
        project_id: str,
        running: Running,
        latest: Mapping[str, FileFacts],
        records: Sequence[HistoryRecord] | None = None,
    ) -> None:
        """`latest` are the facts of files as of the latest commit on record, where another one ran.

        `records` are the project's histories, if they were read already.
        """
        if records is None:
            records = history.of_project(session, project_id)
        self._session = session
        self._memory = memory
        self._project_id = project_id
        self._running = running
        self._state = state_of(records)
        self._head = head_of(records)
        self._latest = latest

    def of(self, crash: Crash, code: Mapping[str, FileFacts], raised: datetime) -> list[Change]:
        """Return the changes of the functions in the trace, and of those that they call.

        `raised` is when the alert was: nothing later caused it.
        """
        if not self._state or (self._running.commit is not None and self._running.known is None):
            return []  # of what runs nothing is on record: no commit can be said to be in it
        found: dict[tuple[str, str, str], Change] = {}
        for path, function in functions_of(crash, code):
            for change in self._of_function(path, function, raised):
                found.setdefault((change.commit_hash, path, function.qualified_name), change)
        return list(found.values())

    def _of_function(self, path: str, function: FunctionFacts, raised: datetime) -> Iterator[Change]:
        at = self._running.known
        if at is not None:
            for one in self._changes(path, function.start_line, function.end_line, at):
                yield self._told(one, path, function, is_deployed=True)
            yield from self._undeployed(path, function, at)
        elif self._head is not None:
            for one in self._changes(path, function.start_line, function.end_line, self._head):
                later = one.commit.time > raised
                yield self._told(one, path, function, is_deployed=False if later else None)

    def _undeployed(self, path: str, function: FunctionFacts, at: str) -> Iterator[Change]:
        """Yield what changed the function in commits that did not run, of a later or another line."""
        if self._head is None or self._head == at:
            return
        facts = self._latest.get(path)
        named = (
            (one for one in facts.functions if one.qualified_name == function.qualified_name) if facts else ()
        )
        now = next(iter(named), None)
        if now is None:
            return
        for one in self._missing(path, now.start_line, now.end_line, at, self._head):
            yield self._told(one, path, function, is_deployed=False)

    def _missing(self, path: str, first: int, last: int, at: str, head: str) -> tuple[PastChange, ...]:
        """Return the changes as of the head that the running commit does not contain."""
        place = ("missing", self._project_id, self._state, at, head, path, first, last)
        found: tuple[PastChange, ...] | None = self._memory.get(place)
        if found is None:
            found = tuple(
                one
                for one in self._changes(path, first, last, head)
                if past.is_contained(self._session, self._project_id, one.commit.hash, at) is False
            )
            self._memory.keep(place, found, SIZE * (1 + len(found)))
        return found

    def _changes(self, path: str, first: int, last: int, at: str) -> tuple[PastChange, ...]:
        place = ("changes", self._project_id, self._state, at, path, first, last)
        found: tuple[PastChange, ...] | None = self._memory.get(place)
        if found is None:
            asked = (path, first, last, at, MOST_CHANGES)
            found = tuple(past.function_changes(self._session, self._project_id, *asked))
            self._memory.keep(place, found, SIZE * (1 + len(found)))
        return found

    def _told(
        self, one: PastChange, path: str, function: FunctionFacts, *, is_deployed: bool | None
    ) -> Change:
        return Change(
            commit_hash=one.commit.hash,
            path=path,
            author=one.commit.author,
            timestamp=one.commit.time,
            message=one.commit.message,
            function_name=function.qualified_name,
            is_deployed=is_deployed,
            is_new=is_deployed is not False and one.commit.hash in self._new(),
        )

    def _new(self) -> frozenset[str]:
        """Return the commits that the running revision has and the one before had not."""
        known, former = self._running.known, self._running.former
        if known is None or former is None:
            return frozenset()
        place = ("new commits", self._project_id, self._state, former, known)
        found: frozenset[str] | None = self._memory.get(place)
        if found is None:
            between = past.between(self._session, self._project_id, former, known)
            found = frozenset(one.hash for one in between or ())
            self._memory.keep(place, found, SIZE * (1 + len(found)))
        return found


def state_of(records: Sequence[HistoryRecord]) -> State:
    """Return the state of a project's histories."""
    return tuple((one.key, one.revision) for one in records)


def head_of(records: Sequence[HistoryRecord]) -> str | None:
    """Return the hash of the commit whose history was indexed last and whole."""
    return next((one.head for one in records if one.head), None)


def functions_of(crash: Crash, code: Mapping[str, FileFacts]) -> Iterator[tuple[str, FunctionFacts]]:
    """Yield the functions of a crash that are the project's, the crash first, then what these call."""
    seen: set[tuple[str, str]] = set()
    in_trace: list[tuple[str, FunctionFacts]] = []
    for one in (crash, *crash.causes):
        for frame in reversed(one.frames):
            facts = code.get(frame.project_path or "")
            holder = facts and frame.line and facts.enclosing(frame.line)
            if facts and holder and (facts.path, holder.qualified_name) not in seen:
                seen.add((facts.path, holder.qualified_name))
                in_trace.append((facts.path, holder))
    yield from in_trace[:MOST_FUNCTIONS]
    called = {call.name for _, function in in_trace for call in function.calls}
    left = MOST_FUNCTIONS - len(in_trace)
    for path, facts in code.items():
        for function in facts.functions:
            if left > 0 and function.name in called and (path, function.qualified_name) not in seen:
                seen.add((path, function.qualified_name))
                left -= 1
                yield path, function
