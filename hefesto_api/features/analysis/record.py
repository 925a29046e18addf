"""Writing what an analysis saw, a stage at a time: each is one short transaction, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct, field, structs

from hefesto_api.analyzers import catalogue
from hefesto_api.analyzers.base import FileReport
from hefesto_api.analyzers.engine import ContentKey
from hefesto_api.domain import ids, lifecycle
from hefesto_api.domain.finding import Detection
from hefesto_api.domain.identity import Fingerprints, public_fingerprint
from hefesto_api.domain.lifecycle import KnownFinding, Plan, Sighting
from hefesto_api.features.analysis import document, recognition
from hefesto_api.features.analysis.document import Chunk
from hefesto_api.features.analysis.order import Listed, Order
from hefesto_api.storage import contents, findings, recorded, sightings
from hefesto_api.storage.base import Session
from hefesto_api.storage.contents import FileRecord, NewContent
from hefesto_api.storage.recorded import Recorded
from hefesto_api.storage.told import Told

DUPLICATION = "HEF-SMELL-DUPLICATED-BLOCK"
DUPLICATIONS = (DUPLICATION, *catalogue.RULES[DUPLICATION].aliases)  # as the rule is called, and was
DETAILS = {
    "regressed": "Seen again after it was resolved.",
    "suppressed": "A comment in the source asks not to report it.",
    "unsuppressed": "The comment in the source that asked not to report it is gone.",
}


class Examined(Struct):
    """A file of the analysis with what is known of its content; `packed` is given when that is new."""

    file: Listed
    key: ContentKey
    report: FileReport
    packed: bytes | None = None
    content_id: int | None = None


class Writer(Struct):
    """The session of one stage, and what it writes for."""

    session: Session
    order: Order
    engine_version: str
    now: datetime
    chunk: Chunk
    created: list[dict[str, Any]] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    told: Mapping[str, Told] = {}  # of findings on record, where that was read
    source: dict[str, Any] = field(default_factory=dict)  # what each entry of a history says of the analysis

    def __post_init__(self) -> None:
        """Make what all entries share, so that it is encoded once."""
        self.source = {"analysis_id": self.order.analysis_id}

    def flush(self) -> None:
        """Write the rows that the stage gathered: one statement a table costs a third of one a file."""
        sightings.insert(self.session, self.created)
        sightings.saw_again(self.session, self.seen, self.told)
        sightings.add_history(self.session, self.history)
        self.created, self.seen, self.history = [], [], []


def write_stage(writer: Writer, stage: Sequence[Examined]) -> None:
    """Write one stage: contents, files, findings and their histories; the chunk is filled on the way."""
    usable = [one for one in stage if one.report.skipped is None]
    _store_contents(writer, usable)
    writer.chunk.files += len(stage)
    writer.chunk.analyzed += len(usable)
    for one in stage:
        writer.chunk.lines_of_code += one.report.structure.lines_of_code if one.report.structure else 0
        if flaw := flaw_of(one.report):
            writer.chunk.skipped.append((one.file.path, flaw))
    if writer.order.project_id is None:
        _keep_alone(writer, usable)
    else:
        _save_files(writer, writer.order.project_id, usable)
        _apply(writer, writer.order.project_id, usable)


def see_unchanged(writer: Writer, files: Sequence[Recorded], document_too: bool) -> None:
    """Record another sighting of all that stands in files that are as they were."""
    project_id, analysis_id = writer.order.project_id or "", writer.order.analysis_id
    paths = [file.path for file in files]
    writer.chunk.files = writer.chunk.analyzed = len(files)
    writer.chunk.lines_of_code = sum(file.lines_of_code for file in files)
    writer.chunk.skipped = [(file.path, file.flaw) for file in files if file.flaw]
    sightings.bump_unchanged(
        writer.session,
        project_id,
        paths,
        analysis_id,
        writer.now,
        # Blocks in unchanged files are compared anew, for the other place may have changed.
        without=DUPLICATIONS if document_too else (),
        groups=writer.order.groups,
    )
    if document_too:
        rows = sightings.seen_by(writer.session, project_id, paths, analysis_id)
        writer.chunk.entries = [document.from_row(row, fresh=False) for row in rows]
        branch = writer.order.branch
        recorded.mark_seen(writer.session, project_id, branch, paths, analysis_id, writer.now)


def forget_files(writer: Writer, project_id: str, paths: Sequence[str]) -> None:
    """Resolve the findings of files that are gone, and drop the files."""
    branch = writer.order.branch
    for path, known in sightings.known_in(writer.session, project_id, paths).items():
        here = [one for one in known if one.branch == branch and one.status != "resolved"]
        _resolve(writer, here, f"The file {path} is gone")
    contents.drop_files(writer.session, project_id, branch, paths)


def apply_to_file(
    writer: Writer,
    project_id: str,
    path: str,
    known: Sequence[KnownFinding],
    seen: Sequence[tuple[Detection, Fingerprints]],
    closes: Callable[[KnownFinding], bool],
) -> Plan:
    """Bring the findings of one file up to date with what is seen in it; return what that meant."""
    detections, prints = [one for one, _ in seen], [mark for _, mark in seen]
    plan = lifecycle.plan(known, detections, prints, closes)
    marks = _public_fingerprints(path, detections, prints)
    _create(writer, project_id, path, plan, seen, marks)
    _see_again(writer, path, plan, seen, marks)
    _absorb(writer, path, plan, seen)
    _resolve(writer, plan.gone, "Not found any more where it was looked for")
    return plan


def _store_contents(writer: Writer, stage: Sequence[Examined]) -> None:
    news = {
        one.key: NewContent(
            one.key.sha256,
            one.key.variant,
            one.report.language,
            one.report.structure.lines_of_code if one.report.structure else 0,
            one.packed,
            one.report.structure.functions if one.report.structure else (),
            flaw_of(one.report),
            one.report.shingles or None,
        )
        for one in stage
        if one.packed is not None and not one.report.failures  # what a tool missed is to be looked at again
    }
    stored = contents.store(writer.session, writer.engine_version, list(news.values()))
    for one in stage:
        if one.content_id is None:
            one.content_id = stored.get((one.key.sha256, one.key.variant))


def flaw_of(report: FileReport) -> str | None:
    """Say what of a file was not looked at: all of it, what is behind a syntax error, one tool's part."""
    if report.skipped is not None:
        return report.skipped
    flaws = [f"{failure.tool}: {failure.reason}" for failure in report.failures]
    if report.structure is not None and report.structure.error_line:
        flaws.insert(0, f"syntax error at line {report.structure.error_line}; the rest was analysed")
    return "; ".join(flaws) or None


def _save_files(writer: Writer, project_id: str, stage: Sequence[Examined]) -> None:
    records = [
        FileRecord(one.file.path, one.content_id, *one.file.stat, writer.order.analysis_id, writer.now)
        for one in stage
        if one.content_id is not None
    ]
    contents.save_files(writer.session, project_id, writer.order.branch, records)


def _apply(writer: Writer, project_id: str, stage: Sequence[Examined]) -> None:
    known = sightings.known_in(writer.session, project_id, [one.file.path for one in stage])
    for one in stage:
        here = [each for each in known.get(one.file.path, ()) if each.rule_id not in DUPLICATIONS]
        apply_to_file(
            writer,
            project_id,
            one.file.path,
            here,
            wanted(writer.order, one.report),
            _closes(writer.order, one.report),
        )


def wanted(order: Order, report: FileReport) -> list[tuple[Detection, Fingerprints]]:
    """Return what a report holds of the groups that were asked for."""
    pairs = zip(report.detections, report.fingerprints, strict=True)
    return [(one, mark) for one, mark in pairs if one.analyzer.value in order.groups]


def _closes(order: Order, report: FileReport) -> Callable[[KnownFinding], bool]:
    """Return whether not seeing a finding proves that it is gone: file and rule were really looked at.

    Not behind a syntax error, not when the rule's tool failed, not on another branch, not in a group
    that nobody asked for.
    """
    whole = report.structure is not None and not report.structure.error_line
    failed = {failure.tool for failure in report.failures}

    def closes(known: KnownFinding) -> bool:
        if not whole or known.branch != order.branch or known.analyzer not in order.groups:
            return False
        return not (failed and _tools_of(known.rule_id) & failed)

    return closes


def _tools_of(rule_id: str) -> set[str]:
    """Return the tools that report a rule: those of its sources, and any check of ours."""
    entry = catalogue.RULES.get(catalogue.current_id(rule_id))
    if entry is None or not entry.sources:
        return set()
    return {source.partition(":")[0] for source in entry.sources}


def _public_fingerprints(
    path: str, detections: Sequence[Detection], prints: Sequence[Fingerprints]
) -> list[str]:
    seen: dict[str, int] = {}
    marks = []
    for one, mark in zip(detections, prints, strict=True):
        seen[mark.exact] = seen.get(mark.exact, 0) + 1
        rule = catalogue.FIRST_IDS.get(one.rule_id, one.rule_id)
        marks.append(public_fingerprint(rule, path, mark.exact, seen[mark.exact]))
    return marks


def _keep_alone(writer: Writer, stage: Sequence[Examined]) -> None:
    """Keep what was seen in content that belongs to no project with its analysis."""
    for one in stage:
        pairs = wanted(writer.order, one.report)
        marks = _public_fingerprints(one.file.path, [d for d, _ in pairs], [p for _, p in pairs])
        writer.chunk.entries += [
            document.from_detection(
                ids.new_id(), writer.order.tool, one.file.path, detection, mark, fresh=True
            )
            for (detection, _), mark in zip(pairs, marks, strict=True)
        ]


def _create(
    writer: Writer,
    project_id: str,
    path: str,
    plan: Plan,
    seen: Sequence[tuple[Detection, Fingerprints]],
    marks: Sequence[str],
) -> None:
    for at in plan.created:
        detection, prints = seen[at]
        status, reason = lifecycle.first_status(detection)
        row = _place(writer, path, detection, prints, writer.order.branch) | {
            "id": ids.new_id(),
            "project_id": project_id,
            "analyzer": detection.analyzer.value,
            "tool": writer.order.tool,
            "rule_id": detection.rule_id,
            "status": status,
            "reason": reason,
            "ignored_until": None,
            "first_seen": writer.now,
            "resolved_at": None,
            "occurrence_count": 1,
            "first_analysis_id": writer.order.analysis_id,
            "updated_at": writer.now,
            "updated_by": None,
            "revision": 1,
            "fingerprint": marks[at],
        }
        writer.created.append(row)
        writer.history.append(
            recognition.event(writer, row["id"], "created", f"First seen in {path}, line {detection.line}.")
        )
        writer.chunk.entries.append(
            document.from_detection(row["id"], writer.order.tool, path, detection, marks[at], fresh=True)
        )


def _see_again(
    writer: Writer,
    path: str,
    plan: Plan,
    seen: Sequence[tuple[Detection, Fingerprints]],
    marks: Sequence[str],
) -> None:
    for sighting in plan.seen:
        detection, prints = seen[sighting.at]
        branch = "" if not writer.order.branch else sighting.known.branch
        writer.seen.append({"id": sighting.known.id} | _place(writer, path, detection, prints, branch))
        recognition.tell_of(writer, path, sighting, detection)
        regressed = _change_status(writer, sighting)
        entry = document.from_detection(
            sighting.known.id, writer.order.tool, path, detection, marks[sighting.at], fresh=regressed
        )
        writer.chunk.entries.append(entry)


def _absorb(writer: Writer, path: str, plan: Plan, seen: Sequence[tuple[Detection, Fingerprints]]) -> None:
    """Keep up with the places of findings that were merged into others, while they have one of their own."""
    for one in plan.absorbed:
        if one.at is not None:
            branch = writer.order.branch and one.known.branch
            writer.seen.append({"id": one.known.id} | _place(writer, path, *seen[one.at], branch))
        recognition.follow(writer, one)


def _change_status(writer: Writer, sighting: Sighting) -> bool:
    """Do what the sighting does to the status; tell whether the finding came back."""
    if sighting.action is None:
        return False
    known = sighting.known
    if not sightings.set_status(writer.session, known, sighting.status, sighting.reason, writer.now):
        return False
    writer.history.append(recognition.event(writer, known.id, sighting.action, DETAILS[sighting.action]))
    if sighting.action == "regressed":
        writer.chunk.regressed.append(known.id)
        return True
    return False


def _resolve(writer: Writer, gone: Sequence[KnownFinding], details: str) -> None:
    for known in gone:
        if sightings.set_status(writer.session, known, "resolved", lifecycle.FIXED, writer.now):
            entry = recognition.event(writer, known.id, "fixed", f"{details}{_former(known)}.")
            decided = {"from": known.status, "reason": known.reason}
            writer.history.append(entry | {"data": entry["data"] | decided})
            writer.chunk.resolved.append(known.id)


def _former(known: KnownFinding) -> str:
    """Tell what a person had decided: the row forgets it, its history does not."""
    reason = f" ({known.reason.replace('_', ' ')})" if known.reason else ""
    return "" if known.status == "open" else f"; it was {known.status}{reason}"


def _place(
    writer: Writer, path: str, detection: Detection, prints: Fingerprints, branch: str
) -> dict[str, Any]:
    """Return the columns that every sighting renews."""
    suppression = detection.suppression
    return {
        "branch": branch,
        "file_path": path,
        "line": detection.line,
        "column": detection.column,
        "end_line": detection.end_line,
        "end_column": detection.end_column,
        "severity": detection.severity.value,
        "severity_rank": detection.severity.rank,
        "confidence": detection.confidence,
        "description": detection.message,
        "recommendation": detection.recommendation or None,
        "code_snippet": detection.snippet,
        "line_text": detection.line_text,
        "function_name": detection.symbol,
        "class_name": detection.class_name,
        "cwe": list(detection.cwe),
        "metadata": detection.metadata,
        "suppression": None if suppression is None else structs.asdict(suppression),
        "prints": findings.pack_prints(prints),
        "analysis_id": writer.order.analysis_id,
        "last_seen": writer.now,
    }
