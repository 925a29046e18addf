"""From an alert to the functions, findings and commits behind it.

What is slow (reading a trace, facts, ranking) happens with no door to the database open. Nothing is written
here: see `recording`.
"""

from __future__ import annotations

import time
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hefesto_api.adapters import telemetry
from hefesto_api.domain import clock, decoding, grouping
from hefesto_api.domain.correlation import Change, Crash, Incident, KnownFinding, Learned, gather, rank
from hefesto_api.features.iris import beside, knowledge, reading, telling, words
from hefesto_api.features.iris.changing import Changes, functions_of, head_of, state_of
from hefesto_api.features.iris.running import Running, running
from hefesto_api.features.iris.sources import Sources
from hefesto_api.storage import (
    correlation_inputs,
    history,
    learning,
)
from hefesto_api.storage.correlations import CorrelationRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from hefesto_api.adapters.memory import Memory
    from hefesto_api.adapters.metrics import Metrics
    from hefesto_api.domain.alert import IncomingAlert
    from hefesto_api.domain.code import FileFacts
    from hefesto_api.domain.correlation import Ranking
    from hefesto_api.features.iris.knowledge import Code
    from hefesto_api.features.iris.reading import Places
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.code_facts import Key
    from hefesto_api.storage.correlation_inputs import NearFinding
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.history import HistoryRecord
    from hefesto_api.storage.projects import ProjectRecord

    Find = Callable[[str], Iterable[str]]

SIZE = 1_000  # bytes that a frame of a crash takes in memory


class Desk(NamedTuple):
    """What correlating works with; a finding put aside is opened from `threshold` of confidence on."""

    db: Database
    memory: Memory
    roots: Sequence[Path] | None
    threshold: float
    metrics: Metrics | None = None


class Inputs(Struct, frozen=True):
    """All that an answer was ranked from, as it is kept with it; `files` are the hashes of the facts."""

    crash: Crash
    files: dict[str, tuple[str, str] | None]
    findings: list[KnownFinding]
    changes: list[Change]
    incidents: list[Incident]
    learned: Learned


_INPUTS = decoding.of_json(Inputs)


class Correlated(NamedTuple):
    """An answer before it is recorded.

    `fresh` are facts to be kept; `revision` is the commit that ran, if the repository has it; `encoded` are
    the inputs as they are kept.
    """

    incoming: IncomingAlert
    project: ProjectRecord | None
    fingerprint: str
    running: Running
    inputs: Inputs
    ranking: Ranking
    near: Mapping[str, NearFinding]
    told: dict[str, Any]
    fresh: Mapping[Key, bytes]
    revision: str | None = None
    encoded: bytes = b""

    @property
    def to_index(self) -> str | None:
        """A commit that ran, and whose history is not on record yet."""
        return None if self.running.known else self.revision


class _Seen(NamedTuple):
    """A crash as it was read, with the code around it: the same whenever it happens again."""

    crash: Crash
    facts: Mapping[str, FileFacts]
    hashes: Mapping[str, Key | None]
    fingerprint: str
    held: knowledge.Held


class _Read(NamedTuple):
    """An alert that was read: its crash, the code around it, what ran, and the code as it is by now.

    `changes` are those of its functions, if they are known already.
    """

    incoming: IncomingAlert
    seen: _Seen
    running: Running
    records: Sequence[HistoryRecord]
    newer: Mapping[str, FileFacts]
    changes: list[Change] | None


def correlate(desk: Desk, project: ProjectRecord | None, incoming: IncomingAlert) -> Correlated:
    """Find out what is behind an alert of a project (None: of one that nobody knows yet)."""
    began, result = time.monotonic(), "failed"
    try:
        with telemetry.span("correlation"):
            found = _correlate(desk, project, incoming)
        result = "found" if found.told["suspect_functions"] or found.told["matching_findings"] else "none"
    finally:
        if desk.metrics is not None:
            desk.metrics.count_correlation(result, time.monotonic() - began)
    return found


def _correlate(desk: Desk, project: ProjectRecord | None, incoming: IncomingAlert) -> Correlated:
    if project is None:
        crash = reading.crash_of(incoming, reading.trace_of(incoming), reading.places((), ()))
        return _of_nothing(incoming, crash)
    with desk.db.read() as session:
        latest = correlation_inputs.latest_analysis(session, project.id)
        state = latest.id if latest else ""
        where, is_analysed = knowledge.places_of(session, desk.memory, project, state)
        records = history.of_project(session, project.id)
        ran = running(session, desk.memory, project.id, incoming, state_of(records))
    sources = Sources(desk.db, project, desk.roots)
    revision = ran.known or (sources.resolve(ran.commit) if ran.commit else None)
    code = knowledge.Code(desk.db, desk.memory, sources, project.id, state, revision)
    known_words = latest.words if latest else None
    place = ("crash", project.id, project.revision, state, revision, known_words, _digest(incoming))
    seen: _Seen | None = desk.memory.get(place)
    is_kept = seen is not None
    if seen is None:
        find = words.Finder(desk.db, desk.memory, project.id, known_words).naming if known_words else None
        seen = _see(incoming, where, code, find, is_analysed=is_analysed)
        if seen.crash.frames and not code.fresh:  # else it is not certain yet that facts are on record
            desk.memory.keep(place, seen, SIZE * (1 + len(seen.crash.frames)) + code.unpacked)
            is_kept = True
    else:
        knowledge.hold(desk.memory, seen.held)
    crash, facts = seen.crash, seen.facts
    # Of a commit on record the changes are the same whenever it happened.
    kept = ("changed", place, state_of(records), ran.known, ran.former) if is_kept and ran.known else None
    changes: list[Change] | None = desk.memory.get(kept) if kept else None
    head = head_of(records)
    newer = {}
    if changes is None and ran.known and head and head != ran.known:
        newer = _newer(crash, facts, code, head)
    read = _Read(incoming, seen, ran, records, newer, changes)
    with desk.db.read() as session:
        near, inputs = _inputs(session, desk, project.id, read)
    if kept and changes is None:
        beside.keep_changes(desk.memory, kept, inputs.changes)
    encoded = msgspec.json.encode(inputs)
    ranking = _ranked_once(desk.memory, inputs, facts, encoded)
    told = telling.told(incoming, crash, ranking, near, telling.cost_of(incoming, project))
    told["deployed"] = telling.deployed(ran)
    told["recommended_actions"] += telling.advice(
        crash, ranking, ran, knows_files=len(where.index) > 0, knows_history=bool(inputs.changes)
    )
    return Correlated(
        incoming, project, seen.fingerprint, ran, inputs, ranking, near, told, dict(code.fresh), revision,
        encoded,
    )  # fmt: skip


def _ranked_once(memory: Memory, inputs: Inputs, facts: Mapping[str, FileFacts], encoded: bytes) -> Ranking:
    """Rank what was gathered, or return what the very same came to a moment ago."""
    if None in inputs.files.values():  # code without a hash may have changed
        return ranked(inputs, facts)
    if inputs.incidents:  # when they were makes no difference, and each tells of another time soon
        untimed = [replace(one, timestamp=None) for one in inputs.incidents]
        encoded = msgspec.json.encode(replace(inputs, incidents=untimed))
    place = ("ranking", blake2b(encoded, digest_size=16).digest())
    found: Ranking | None = memory.get(place)
    if found is None:
        found = ranked(inputs, facts)
        memory.keep(place, found, SIZE * (5 + 3 * len(found.suspects)))
    return found


def ranked(inputs: Inputs, facts: Mapping[str, FileFacts], learned: Learned | None = None) -> Ranking:
    """Rank what was gathered, by what was learned then or (where given) by something else."""
    return rank(
        inputs.crash,
        facts,
        findings=inputs.findings,
        changes=inputs.changes,
        incidents=inputs.incidents,
        learned=inputs.learned if learned is None else learned,
    )


def reproduced(session: Session, record: CorrelationRecord) -> Ranking:
    """Rank again from what is kept with a correlation: the numbers are the same."""
    return ranked(*replayable(session, record))


def replayable(session: Session, record: CorrelationRecord) -> tuple[Inputs, dict[str, FileFacts]]:
    """Return what a correlation was made from, with the facts of its files as far as they are kept."""
    inputs = _INPUTS.decode(record.made_from())
    keys = ((path, key) for path, key in inputs.files.items() if key is not None)
    return inputs, knowledge.stored(session, keys)


def _see(
    incoming: IncomingAlert, where: Places, code: Code, find: Find | None, *, is_analysed: bool
) -> _Seen:
    """Read the trace, find its files and gather the facts of those that matter."""
    trace = reading.trace_of(incoming)
    crash = reading.crash_of(incoming, trace, where)
    facts = gather(crash, code.facts_of, where.index, find=find)
    if any(frame.candidates for one in (crash, *crash.causes) for frame in one.frames):
        crash = reading.crash_of(incoming, trace, where, facts)
    fingerprint = grouping.fingerprint(incoming, where.holds if is_analysed else None)
    return _Seen(crash, facts, dict(code.used), fingerprint, code.held)


def _digest(incoming: IncomingAlert) -> bytes:
    """Return the same for alerts that tell of the same crash in the same words."""
    told = (
        incoming.stacktrace, incoming.frames, incoming.causes, incoming.error_type, incoming.error_message,
        incoming.description,
    )  # fmt: skip
    return blake2b(msgspec.json.encode(told), digest_size=16).digest()


def _newer(crash: Crash, facts: Mapping[str, FileFacts], code: Code, head: str) -> dict[str, FileFacts]:
    """Return the facts of the files that matter as of a commit that is not the one that ran."""
    paths = {path for path, _ in functions_of(crash, facts)}
    found = {path: code.facts_at(path, head) for path in sorted(paths)}
    return {path: one for path, one in found.items() if one is not None}


def _inputs(
    session: Session, desk: Desk, project_id: str, read: _Read
) -> tuple[Mapping[str, NearFinding], Inputs]:
    seen, changes = read.seen, read.changes
    paths = list(dict.fromkeys([*_paths(seen.crash), *seen.facts]))
    learned = learning.learned(session, project_id)
    near = beside.findings_near(session, desk.memory, project_id, paths, learned)
    open_alert = correlation_inputs.open_alert(session, project_id, seen.fingerprint)
    if changes is None:
        of_project = Changes(session, desk.memory, project_id, read.running, read.newer, read.records)
        changes = of_project.of(seen.crash, seen.facts, read.incoming.timestamp or clock.now())
    return near.by_id, Inputs(
        crash=seen.crash,
        files={path: seen.hashes.get(path) for path in seen.facts},
        findings=near.known,
        changes=changes,
        incidents=correlation_inputs.known_incidents(session, project_id, paths, open_alert),
        learned=learned,
    )


def _paths(crash: Crash) -> list[str]:
    frames = (frame for one in (crash, *crash.causes) for frame in one.frames)
    return [frame.project_path for frame in frames if frame.project_path]


def _of_nothing(incoming: IncomingAlert, crash: Crash) -> Correlated:
    inputs = Inputs(crash, {}, [], [], [], Learned())
    ranking = rank(crash, {})
    told = telling.told(incoming, crash, ranking, {}, None)
    told["deployed"] = None
    told["recommended_actions"] += telling.advice(
        crash, ranking, Running(), knows_files=False, knows_history=False
    )
    return Correlated(
        incoming, None, grouping.fingerprint(incoming), Running(), inputs, ranking, {}, told, {},
        encoded=msgspec.json.encode(inputs),
    )  # fmt: skip
