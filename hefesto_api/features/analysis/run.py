"""Carrying out one analysis, from the list of its files to the last finding on record.

Every stage is a transaction that leaves a chunk behind, so an analysis that dies goes on where it was when
it is run again: nothing is lost, and nothing counts twice. Stages do not wait for the disk: nobody was told
of them, the commit that ends the analysis puts all before it on the disk too, and a power cut takes back
whole stages from the last on.
"""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from hefesto_api.analyzers import child
from hefesto_api.analyzers.base import FileReport
from hefesto_api.domain import clock
from hefesto_api.domain.errors import HefestoError
from hefesto_api.features.analysis import blocks, document, moves, record
from hefesto_api.features.analysis.document import Chunk, Tally
from hefesto_api.features.analysis.intake import Intake, Sorted
from hefesto_api.features.analysis.record import Examined, Writer
from hefesto_api.storage import analyses, contents, generations, recorded, sightings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence, Set
    from pathlib import Path

    from hefesto_api.analyzers.engine import Engine
    from hefesto_api.features.analysis.order import Listed, Order, Source
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.recorded import Recorded

STAGE_FILES = 64
KNOWN_AS_ONE = 4  # files whose contents are on record take as long to write as one that is new
STAGE_DETECTIONS = 400
LONGER = 4  # times as long where nobody waits for the database: what a stage costs by itself is saved
UNCHANGED_AT_ONCE = 1_000
REPORTS_AT_ONCE = 128

_T = TypeVar("_T")


class Cancelled(HefestoError):
    """Somebody asked to stop; what was written stays and is right."""

    code = "CONFLICT"


class Interrupted(Exception):
    """The process is about to end; the analysis goes on from its last chunk when it is run again."""


class Stop(Protocol):
    """Says whether somebody asked to stop; a `threading.Event` is one."""

    def is_set(self) -> bool:
        """Tell whether to stop at the next safe place."""
        ...


class Hooks(NamedTuple):
    """What the caller has a say in: `hold` raises in a transaction that must not commit any more.

    `roots` are where a repository must lie that is compared with; None is anywhere. `listed` are the files
    of the order where somebody has listed them already. `alone` says that nobody else waits to write.
    """

    hold: Callable[[Session], None] = lambda session: None
    progress: Callable[[int, int], None] = lambda done, total: None
    stop: Stop | None = None
    roots: Sequence[Path] | None = None
    listed: Source | None = None
    alone: bool = False


class Outcome(NamedTuple):
    """What came of it: the sum, and the former analysis whose document says the same, if one does."""

    tally: Tally
    same_as: str | None = None


class Run:
    """One analysis while it is carried out."""

    def __init__(self, db: Database, engine: Engine, order: Order, source: Source, hooks: Hooks) -> None:
        self.db = db
        self.engine = engine
        self.order = order
        self.source = source
        self.tally = Tally()
        self._hooks = hooks
        self._seq = 0
        self._finished: set[str] = set()  # files that an interrupted attempt has recorded already
        self.recorded = self._resume()
        self.intake = Intake(db, engine.version, source, self.recorded, self._stopped)

    def carry_out(self) -> Outcome:
        """Examine what is new and bring the findings on record up to date; raises Cancelled."""
        missing = self._missing()
        if missing and self.order.project_id is not None:
            self._finished |= moves.follow(self, missing)
        todo = [file for file in self.source.files if file.path not in self._finished]
        self.write_all(self.examined(todo), expected=len(todo) if self._hooks.alone else 0)
        if self._stopped():
            raise Interrupted
        self.intake.know_twins()
        self._look_again()
        self.write_all(self.on_record(self.intake.known))
        for skip in (*self.source.skipped, *self.intake.skipped):
            self.tally.skipped[skip.path] = f"{skip.reason} ({skip.detail})" if skip.detail else skip.reason
        same_as = self._same_as(missing)
        self._keep_unchanged(document_too=same_as is None)
        if same_as is None:
            self._forget(missing)
            blocks.compare(self)
        return Outcome(self.tally, same_as)

    def keep_only(self, places: Set[tuple[str, str, int, int]]) -> None:
        """Say, in a last chunk, that the analysis was asked for what stands at some places alone."""
        with self.db.read() as session:
            seen = document.entries(analyses.chunks(session, self.order.analysis_id))
            ids = {one.id for one in seen if (one.file, one.rule_id, one.line, one.column) in places}
        with self.db.write(durable=False) as session:
            writer = self.begin(session)
            writer.chunk.only = sorted(ids)
            self.end(writer)

    def examined(self, files: Iterable[Listed]) -> Iterator[Examined]:
        """Yield a file for each content that is new, with its report; see `Intake.twins` for the others."""
        for source, packed in self.engine.run(self.intake.unknown(files)):
            key = self.intake.keys.pop(source.path)
            yield Examined(self.intake.twins[key][0], key, child.unpack(packed), child.to_keep(packed))

    def on_record(self, entries: Sequence[Sorted]) -> Iterator[Examined]:
        """Yield files whose content is on record already, with the report that is kept."""
        for some in batched(entries, REPORTS_AT_ONCE):
            with self.db.read() as session:
                kept = contents.lookup(session, self.engine.version, {one.key for one in some})
            for one in some:
                stored = kept.get(one.key)
                if stored is None or stored.report is None:  # its twin was given up
                    yield Examined(one.file, one.key, FileReport(skipped="could not be analysed"))
                else:
                    yield Examined(one.file, one.key, child.unpack(stored.report), None, stored.id)

    def write_all(self, files: Iterable[Examined], expected: int = 0) -> None:
        """Write files with what is seen in them, a stage at a time; see `staged`."""
        for stage in staged(files, expected):
            with self.db.write(durable=False) as session:
                writer = self.begin(session)
                record.write_stage(writer, stage)
                self.end(writer)

    def begin(self, session: Session) -> Writer:
        """Begin a stage: make sure that this run may still write."""
        if self.order.project_id is not None:
            generations.within(session, self.order.project_id)
        self._hooks.hold(session)
        if self._stopped():
            raise Interrupted
        if analyses.cancel_requested(session, self.order.analysis_id):
            raise Cancelled("The analysis was cancelled.", analysis_id=self.order.analysis_id)
        return Writer(session, self.order, self.engine.version, clock.now(), Chunk())

    def end(self, writer: Writer) -> None:
        """End a stage, still inside its transaction: the chunk and the progress are part of it."""
        writer.flush()
        analyses.add_chunks(
            writer.session, self.order.analysis_id, [document.pack(writer.chunk)], first=self._seq
        )
        self.tally.add(writer.chunk)
        self._seq += 1
        total = len(self.source.files)
        done = min(self.tally.files_done, total)
        analyses.progress(writer.session, self.order.analysis_id, done=done, total=total)
        self._hooks.progress(done, total)

    def _resume(self) -> dict[str, Recorded]:
        """Read what is on record, and what an interrupted attempt of this analysis has done already."""
        with self.db.read() as session:
            for packed in analyses.chunks(session, self.order.analysis_id):
                self.tally.add(document.unpack(packed))
                self._seq += 1
            if self.order.project_id is None:
                return {}
            on_record = recorded.files(session, self.order.project_id, self.order.branch)
        covered = {path: entry for path, entry in on_record.items() if self.order.covers(path)}
        if self._seq:
            mine = self.order.analysis_id
            self._finished = {path for path, entry in covered.items() if entry.analysis_id == mine}
        return covered

    def _stopped(self) -> bool:
        return self._hooks.stop is not None and self._hooks.stop.is_set()

    def _missing(self) -> list[str]:
        """Return the files on record that are really gone, not merely left out this time."""
        present = {file.path for file in self.source.files}
        gone = [path for path in self.recorded if path not in present]
        return [path for path in gone if not self.source.exists(path)]

    def _look_again(self) -> None:
        """Take back from the unchanged files those whose findings may not be what stands there.

        A person resolved one, or another branch has one and other content.
        """
        unchanged = self.intake.unchanged
        if self.order.project_id is None or not unchanged:
            return
        project_id, paths = self.order.project_id, [file.path for file in unchanged]
        with self.db.read() as session:
            again = sightings.resolved_by_hand(session, project_id, paths)
            again |= sightings.of_other_branches(session, project_id, self.order.branch, paths)
            keys = recorded.keys_of(session, [self.recorded[path].content_id for path in again])
        for file in unchanged:
            if file.path in again:
                self.intake.take_back(file, keys[self.recorded[file.path].content_id])
        self.intake.unchanged = [file for file in unchanged if file.path not in again]

    def _same_as(self, missing: Sequence[str]) -> str | None:
        """Return the former analysis whose document still holds, when nothing at all has changed since."""
        if missing or self._seq or self.order.project_id is None or self.order.diff_base:
            return None
        if len(self.intake.unchanged) != len(self.recorded) or not self.recorded:
            return None
        with self.db.read() as session:
            return recorded.same_before(session, self.order.analysis_id)

    def _keep_unchanged(self, *, document_too: bool) -> None:
        """Record another sighting of everything in the files that did not change.

        Without a new document there is no chunk either: should this run die, the next begins anew, and
        the findings that it did reach bear its mark.
        """
        for some in batched(self.intake.unchanged, UNCHANGED_AT_ONCE):
            with self.db.write(durable=False) as session:
                writer = self.begin(session)
                record.see_unchanged(writer, [self.recorded[file.path] for file in some], document_too)
                if document_too:
                    self.end(writer)
                else:
                    self.tally.add(writer.chunk)

    def _forget(self, missing: Sequence[str]) -> None:
        """Resolve what stood in files that are gone."""
        project_id = self.order.project_id
        if project_id is None:
            return
        for some in batched(missing, STAGE_FILES):
            with self.db.write(durable=False) as session:
                writer = self.begin(session)
                record.forget_files(writer, project_id, some)
                self.end(writer)


def staged(examined: Iterable[Examined], expected: int = 0) -> Iterator[list[Examined]]:
    """Group files so that the transaction that writes them stays short.

    With many files `expected` the stages are longer, but for the last ones: what is written when the engine
    is done keeps one processor alone busy.
    """
    stage: list[Examined] = []
    size = weight = 0
    for left, one in zip(count(expected, -1), examined, strict=False):
        stage.append(one)
        size += 1 if one.packed is None else KNOWN_AS_ONE
        weight += len(one.report.detections)
        times = max(min(left // (LONGER * STAGE_FILES), LONGER), 1)
        if size >= times * STAGE_FILES * KNOWN_AS_ONE or weight >= times * STAGE_DETECTIONS:
            yield stage
            stage, size, weight = [], 0, 0
    if stage:
        yield stage


def batched(items: Sequence[_T], size: int) -> Iterator[list[_T]]:
    """Yield the items in lists of at most `size`."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
