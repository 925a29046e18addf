"""Taking in what other tools found: a SARIF report becomes an analysis of kind "import"."""

from __future__ import annotations

import base64
import binascii
import time
import zlib
from collections import Counter, defaultdict
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import Struct, structs

from hefesto_api.domain import clock
from hefesto_api.domain.errors import Invalid, MalformedRequest, PayloadTooLarge
from hefesto_api.domain.identity import fingerprints
from hefesto_api.features.analysis import document, execution, record, service
from hefesto_api.features.analysis.document import Chunk, Tally
from hefesto_api.features.analysis.order import Order
from hefesto_api.features.analysis.record import Writer
from hefesto_api.formats import sarif
from hefesto_api.storage import analyses, projects, sightings
from hefesto_api.storage.base import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from hefesto_api.domain.finding import Detection
    from hefesto_api.domain.identity import Fingerprints
    from hefesto_api.domain.lifecycle import KnownFinding, Plan
    from hefesto_api.formats.sarif import Imported, ImportedRun, Refused
    from hefesto_api.storage.analyses import AnalysisRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database

    Seen = list[tuple[Detection, Fingerprints]]

KIND = "import"
OUR_NAME = "hefesto"  # of our own findings; a report that says it is ours is still another's word
STAGE_RESULTS = 400
STAGE_FILES = 64
REFUSED_SHOWN = 100
_GZIP = b"\x1f\x8b"
_BRANCH = "refs/heads/"


class Received(NamedTuple):
    """A report as it was sent: the document, and the commit and branch that were named beside it."""

    content: bytes
    commit_hash: str | None = None
    branch: str | None = None


class Summary(NamedTuple):
    """What an import did to the findings on record, and which results it did not take."""

    analysis_id: str
    counts: Mapping[str, int]
    refused: Sequence[Refused]


class _GitHubForm(Struct):
    """The form in which GitHub's API takes reports."""

    sarif: str | None = None
    commit_sha: str | None = None
    ref: str | None = None


def receive(body: bytes, limit: int) -> Received:
    """Unwrap a report: plain, gzip, or GitHub's `{commit_sha, ref, sarif: base64(gzip)}`.

    Raises MalformedRequest, Invalid, or PayloadTooLarge for more than `limit` bytes.
    """
    content = _unpacked(body, limit).removeprefix(b"\xef\xbb\xbf")
    form = _form_of(content)
    if form.sarif is None:
        return Received(content)
    try:
        packed = base64.b64decode(form.sarif, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("sarif", "This is not base64.") from None
    branch = form.ref.removeprefix(_BRANCH) if form.ref and form.ref.startswith(_BRANCH) else None
    return Received(_unpacked(packed, limit), form.commit_sha, branch)


def take_in(db: Database, roots: Sequence[Path], received: Received, wanted: Mapping[str, Any]) -> Summary:
    """Bring the findings of the report's tools up to date, in short transactions.

    What is not in the report is resolved only where one of its runs that succeeded looked at the file and
    had the rule. Until the end the analysis counts as failed, which it is should this process end before.
    """
    slug = wanted.get("project") or service.DEFAULT_PROJECT
    with db.read() as session:
        former = projects.find(session, slug)
    places = [former.root_path] if former and former.root_path else []
    runs = sarif.read(received.content, roots=[*places, *map(str, roots)]).runs
    entry = _Import(db, _create(db, slug, runs, received, wanted))
    for tool in dict.fromkeys(_tool_of(run) for run in runs):
        entry.bring_in(tool, [run for run in runs if _tool_of(run) == tool])
    entry.complete()
    return Summary(entry.analysis.id, entry.counts, [one for run in runs for one in run.refused])


def _create(
    db: Database,
    slug: str,
    runs: Sequence[ImportedRun],
    received: Received,
    wanted: Mapping[str, Any],
) -> AnalysisRecord:
    stated = next(iter(runs), None)
    branch = received.branch or (stated.branch if stated else None)
    commit = received.commit_hash or (stated.commit_hash if stated else None)
    rules: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        rules[_tool_of(run)] |= _rules_of(run)
    tools = ", ".join(rules)
    with db.write() as session:
        project = projects.ensure(session, slug)
        return analyses.create(
            session,
            kind=KIND,
            path=(stated.automation_id if stated else "") or tools or KIND,
            tool=tools or "unknown",
            rules={tool: sorted(ids) for tool, ids in rules.items()},
            project_id=project.id,
            branch=service.branch_of(project, wanted.get("branch") or branch),
            commit_hash=wanted.get("commit_hash") or commit,
            started_at=clock.now(),
            status="failed",
            error=service.BROKEN_OFF,
        )


class _Import:
    """One import while it is carried out."""

    def __init__(self, db: Database, analysis: AnalysisRecord) -> None:
        self.analysis = analysis
        self.counts: Counter[str] = Counter(new=0, updated=0, unchanged=0, resolved=0)
        self._db = db
        self._tally = Tally()
        self._paths: set[str] = set()
        self._seq = 0
        self._began = time.monotonic()

    def bring_in(self, tool: str, runs: Sequence[ImportedRun]) -> None:
        """Compare what the runs of one tool found with its findings on record, file by file."""
        order = Order(self.analysis.id, self.analysis.project_id, self.analysis.branch, tool=tool)
        seen = _by_path(runs)
        looked_at = [_paths_of(run) for run in runs]
        self._paths |= set(seen).union(*looked_at)
        with self._db.read() as session:
            standing = sightings.paths_of_tool(session, order.project_id or "", tool)
        emptied = (standing & set().union(*looked_at)) - set(seen)
        closes = _closes(order, runs, looked_at)
        for stage in _staged([*seen.items(), *((path, []) for path in sorted(emptied))]):
            self._write(order, stage, closes)

    def complete(self) -> None:
        """Write that the import is complete, and tell of it."""
        fields: dict[str, Any] = self._tally.counts()
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
    ) -> None:
        project_id = order.project_id or ""
        with self._db.write(durable=False) as session:
            sightings.alone(session, project_id, order.tool)
            writer = Writer(session, order, "", clock.now(), Chunk())
            known = sightings.known_in(session, project_id, [path for path, _ in stage], tool=order.tool)
            said = sightings.wording(session, [one.id for ones in known.values() for one in ones])
            for path, pairs in stage:
                plan = record.apply_to_file(
                    writer, project_id, path, known.get(path, []), pairs, _within(path, closes)
                )
                self._count(plan, pairs, said)
            writer.flush()
            self.counts["resolved"] += len(writer.chunk.resolved)
            self._end(session, writer.chunk)

    def _count(self, plan: Plan, pairs: Seen, said: Mapping[str, tuple[Any, ...]]) -> None:
        self.counts["new"] += len(plan.created)
        for sighting in plan.seen:
            one = pairs[sighting.at][0]
            now = (one.line, one.column, one.severity.value, one.message)
            same = sighting.action is None and said.get(sighting.known.id) == now
            self.counts["unchanged" if same else "updated"] += 1

    def _end(self, session: Session, chunk: Chunk) -> None:
        analyses.add_chunks(session, self.analysis.id, [document.pack(chunk)], first=self._seq)
        self._tally.add(chunk)
        self._seq += 1


def _by_path(runs: Sequence[ImportedRun]) -> dict[str, Seen]:
    """Return what the runs found with its fingerprints, by file; the same said twice counts once."""
    grouped: dict[str, dict[tuple[Any, ...], Imported]] = defaultdict(dict)
    for run in runs:
        for one in run.results:
            at = one.detection
            place = (at.rule_id, at.line, at.column, at.end_line, at.end_column, at.message)
            grouped[clean(one.path)].setdefault(place, one)
    return {path: _described(list(grouped[path].values())) for path in sorted(grouped)}


def _described(found: Sequence[Imported]) -> Seen:
    """Pair each detection with its fingerprints: where the tool gives some, they are the exact one."""
    detections = [structs.replace(one.detection, tool=_name(one.detection.tool)) for one in found]
    return [
        (detection, _identified(one, detection, mark))
        for one, detection, mark in zip(found, detections, fingerprints(detections, ()), strict=True)
    ]


def _identified(one: Imported, detection: Detection, mark: Fingerprints) -> Fingerprints:
    """Put the tool's own fingerprints, where it gives some, in the place of the exact one."""
    if not one.fingerprints:
        return mark
    stated = repr((detection.rule_id, sorted(one.fingerprints.items())))
    digest = blake2b(stated.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return structs.replace(mark, exact=digest)


def _closes(
    order: Order, runs: Sequence[ImportedRun], looked_at: Sequence[set[str]]
) -> Callable[[str, KnownFinding], bool]:
    """Return whether not seeing a finding of a file proves that it is gone."""
    rules = [_rules_of(run) for run in runs]

    def closes(path: str, known: KnownFinding) -> bool:
        return known.branch == order.branch and any(
            run.succeeded and path in looked_at[at] and known.rule_id in rules[at]
            for at, run in enumerate(runs)
        )

    return closes


def _within(path: str, closes: Callable[[str, KnownFinding], bool]) -> Callable[[KnownFinding], bool]:
    return lambda known: closes(path, known)


def _paths_of(run: ImportedRun) -> set[str]:
    return {clean(path) for path in (*run.paths, *(one.path for one in run.results))}


def _rules_of(run: ImportedRun) -> set[str]:
    return {*run.rule_ids, *(one.detection.rule_id for one in run.results)}


def _tool_of(run: ImportedRun) -> str:
    return _name(run.tool)


def _name(tool: str) -> str:
    return tool.capitalize() if tool == OUR_NAME else tool


def _staged(files: Iterable[tuple[str, Seen]]) -> Iterator[list[tuple[str, Seen]]]:
    """Group files so that the transaction that writes them stays short."""
    stage: list[tuple[str, Seen]] = []
    weight = 0
    for path, pairs in files:
        stage.append((path, pairs))
        weight += len(pairs)
        if len(stage) >= STAGE_FILES or weight >= STAGE_RESULTS:
            yield stage
            stage, weight = [], 0
    if stage:
        yield stage


def _form_of(content: bytes) -> _GitHubForm:
    """Read what only GitHub's form has; a plain report has none of it."""
    try:
        return msgspec.json.decode(content, type=_GitHubForm)
    except msgspec.ValidationError as error:
        raise Invalid("body", f"This is no SARIF report, nor GitHub's form of one: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedRequest(f"The body is not JSON: {error}.") from None
    except RecursionError:
        raise MalformedRequest("The body is nested too deeply.") from None


def _unpacked(content: bytes, limit: int) -> bytes:
    if not content.startswith(_GZIP):
        return content
    gzip = zlib.decompressobj(wbits=31)
    try:
        found = gzip.decompress(content, limit + 1)
    except zlib.error:
        raise MalformedRequest("The report is not a gzip stream.") from None
    if len(found) > limit:
        raise PayloadTooLarge(f"The report is larger than {limit} bytes.", limit_bytes=limit)
    if not gzip.eof:
        raise MalformedRequest("The report's gzip stream is cut short.")
    return found
