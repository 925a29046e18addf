"""Taking in what other tools found: a SARIF report becomes an analysis of kind "import"."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.domain import clock
from hefesto_api.features.analysis import document, execution, record, service
from hefesto_api.features.analysis.document import Chunk, Tally
from hefesto_api.features.analysis.import_index import RefusedResults, indexes, staged
from hefesto_api.features.analysis.order import Order
from hefesto_api.features.analysis.pace import Pace, giving_way
from hefesto_api.features.analysis.record import Writer
from hefesto_api.formats import sarif
from hefesto_api.storage import analyses, generations, projects, sightings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from hefesto_api.domain.lifecycle import KnownFinding, Plan
    from hefesto_api.features.analysis.import_body import Received
    from hefesto_api.features.analysis.import_index import Index, Seen
    from hefesto_api.formats.sarif import RunReader
    from hefesto_api.storage.analyses import AnalysisRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.told import Told

KIND = "import"
STAGE_FILES = 250


class Summary(NamedTuple):
    """What an import did to the findings on record, and which results it did not take."""

    analysis_id: str
    counts: Mapping[str, int]
    refused: RefusedResults


def take_in(db: Database, roots: Sequence[Path], received: Received, wanted: Mapping[str, Any]) -> Summary:
    """Bring the findings of the report's tools up to date, in short transactions.

    What is not in the report is resolved only where one of its runs that succeeded looked at the file and
    had the rule. All of the report is looked at before anything is written. Until the end the analysis
    counts as failed, which it is should this process end before.
    """
    with giving_way():
        return _taken_in(db, roots, received, wanted)


def _taken_in(db: Database, roots: Sequence[Path], received: Received, wanted: Mapping[str, Any]) -> Summary:
    slug = wanted.get("project") or service.DEFAULT_PROJECT
    with db.read() as session:
        former = projects.find(session, slug)
    places = [former.root_path] if former and former.root_path else []
    runs = sarif.open_report(received.content, roots=[*places, *map(str, roots)])
    refused = RefusedResults()
    tools = indexes(runs, refused)
    entry = _Import(db, _create(db, slug, runs, tools, received, wanted))
    for index in tools:
        entry.bring_in(index)
    entry.complete()
    return Summary(entry.analysis.id, entry.counts, refused)


def _create(
    db: Database,
    slug: str,
    runs: Sequence[RunReader],
    tools: Sequence[Index],
    received: Received,
    wanted: Mapping[str, Any],
) -> AnalysisRecord:
    stated = next(iter(runs), None)
    branch = received.branch or (stated.branch if stated else None)
    commit = received.commit_hash or (stated.commit_hash if stated else None)
    names = ", ".join(index.tool for index in tools)
    with db.write() as session:
        project = projects.ensure(session, slug)
        made = analyses.create(
            session,
            kind=KIND,
            path=(stated.automation_id if stated else "") or names or KIND,
            tool=names or "unknown",
            rules={index.tool: sorted(set().union(*index.rules)) for index in tools},
            project_id=project.id,
            branch=service.branch_of(project, wanted.get("branch") or branch),
            commit_hash=wanted.get("commit_hash") or commit,
            started_at=clock.now(),
            status="failed",
            error=service.BROKEN_OFF,
        )
        service.note(made, slug)
        return made


class _Import:
    """One import while it is carried out."""

    def __init__(self, db: Database, analysis: AnalysisRecord) -> None:
        self.analysis = analysis
        self.counts: Counter[str] = Counter(new=0, updated=0, unchanged=0, resolved=0)
        self._db = db
        self._tally = Tally()
        self._severities: Counter[str] = Counter()
        self._paths: set[str] = set()
        self._seq = 0
        self._began = time.monotonic()
        self._pace = Pace()

    def bring_in(self, index: Index) -> None:
        """Compare what the runs of one tool found with its findings on record, file by file."""
        order = Order(self.analysis.id, self.analysis.project_id, self.analysis.branch, tool=index.tool)
        self._paths |= index.paths
        with self._db.read() as session:
            standing = sightings.paths_of_tool(session, order.project_id or "", index.tool)
        emptied = (standing & index.paths).difference(index.found)
        closes = _closes(order, index)
        pace = self._pace
        for stage in staged(index, sorted(emptied), files=STAGE_FILES, results=lambda: pace.results):
            seconds = self._write(order, stage, closes)
            pace.took(sum(len(pairs) for _, pairs in stage), seconds)

    def complete(self) -> None:
        """Write that the import is complete, and tell of it."""
        fields: dict[str, Any] = self._totals()
        with self._db.write() as session:
            analyses.change(
                session,
                self.analysis.id,
                **fields,
                status="completed",
                error=None,
                result_id=self.analysis.id,
                files_analyzed=len(self._paths),
                finished_at=clock.now(),
                execution_time_ms=round((time.monotonic() - self._began) * 1000),
            )
            execution.announce(session, analyses.get(session, self.analysis.id), self._tally)

    def _write(
        self, order: Order, stage: Sequence[tuple[str, Seen]], closes: Callable[[str, KnownFinding], bool]
    ) -> float:
        """Write a stage; return the seconds of the processor that its transaction took."""
        project_id = order.project_id or ""
        with self._db.write(durable=False) as session:
            opened = time.thread_time()
            generations.within(session, project_id)
            sightings.alone(session, project_id, order.tool)
            paths = [path for path, _ in stage]
            known, told = sightings.known_and_told(session, project_id, paths, order.tool)
            writer = Writer(session, order, "", clock.now(), Chunk(), told=told)
            for path, pairs in stage:
                plan = record.apply_to_file(
                    writer, project_id, path, known.get(path, []), pairs, _within(path, closes)
                )
                self._count(plan, pairs, told)
            writer.flush()
            self.counts["resolved"] += len(writer.chunk.resolved)
            self._end(session, writer.chunk)
        return time.thread_time() - opened

    def _count(self, plan: Plan, pairs: Seen, told: Mapping[str, Told]) -> None:
        self.counts["new"] += len(plan.created)
        for sighting in plan.seen:
            one = pairs[sighting.at][0]
            now = (one.line, one.column, one.severity.value, one.message)
            same = sighting.action is None and told.get(sighting.known.id, ())[:4] == now
            self.counts["unchanged" if same else "updated"] += 1

    def _end(self, session: Session, chunk: Chunk) -> None:
        analyses.add_chunks(session, self.analysis.id, [document.pack(chunk)], first=self._seq)
        self._tally.add(chunk)
        # Each finding is in one stage, so that what a stage counted need not be held on to by its id.
        self._severities.update(self._tally.counts())
        self._tally.severities.clear()
        self._seq += 1

    def _totals(self) -> dict[str, int]:
        return {name: self._severities[name] for name in Tally().counts()}


def _closes(order: Order, index: Index) -> Callable[[str, KnownFinding], bool]:
    """Return whether not seeing a finding of a file proves that it is gone."""

    def closes(path: str, known: KnownFinding) -> bool:
        return known.branch == order.branch and any(
            run.succeeded and path in index.looked_at[at] and known.rule_id in index.rules[at]
            for at, run in enumerate(index.runs)
        )

    return closes


def _within(path: str, closes: Callable[[str, KnownFinding], bool]) -> Callable[[KnownFinding], bool]:
    return lambda known: closes(path, known)
