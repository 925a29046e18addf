"""Analyses as answers: from rows and chunks straight to bytes, or written as a report."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
from msgspec import Struct, structs

from hefesto_api.analyzers import catalogue, unchanged
from hefesto_api.domain import clock
from hefesto_api.domain.errors import Conflict
from hefesto_api.domain.finding import Severity
from hefesto_api.features.analysis import reporting, sarif_import, service
from hefesto_api.formats import FORMATS
from hefesto_api.formats.document import Report, Skipped
from hefesto_api.storage import analyses, projects, recorded
from hefesto_api.version import __version__
from hefesto_api.web.envelope import STATUS, Answer, failure, success, to_json
from hefesto_api.web.headers import PAGE_POLICY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from hefesto_api.features.analysis.document import Found
    from hefesto_api.storage.analyses import AnalysisRecord, BatchRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database

_MEMBERS = {"queued": "pending", "running": "processing", "completed": "success"}  # all others: failed


class WireFinding(Struct, frozen=True):
    """A finding as an analysis' answer shows it."""

    id: str
    analyzer: str
    rule_id: str
    type: str
    severity: str
    file: str
    line: int
    column: int
    end_line: int
    description: str
    recommendation: str
    code_snippet: str
    confidence: float
    cwe: tuple[int, ...]
    metadata: dict[str, Any]
    tool: str
    function_name: str | None
    fingerprint: str


def of_analysis(
    db: Database,
    record: AnalysisRecord,
    format_name: str = "json",
    threshold: Severity | None = None,
    *,
    roots: Sequence[Path] = (),
) -> Answer:
    """Answer an analysis, whatever its state; other formats than JSON only when it is complete (Conflict).

    SARIF carries the hashes of lines in files beneath `roots` that are still as the analysis saw them.
    """
    with db.read() as session:
        seen = list(service.findings_of(session, record, Severity.LOW, suppressed=True))
        slug = projects.slugs(session, [record.project_id]).get(record.project_id or "")
    shown = _Shown(seen, threshold or service.threshold_of(record))
    if format_name == "json":
        return success(_json(record, slug, shown), headers={"X-Analysis-ID": record.id})
    if record.status != "completed":
        raise Conflict(f"The analysis is {record.status}: there is no report.", status=record.status)
    report = _report(record, slug, shown)
    if format_name == "sarif":  # which hashes lines, and shows none
        report = structs.replace(report, source_of=partial(_lines, db, roots, record))
    return _written(report, format_name)


def accepted(record: AnalysisRecord) -> Answer:
    """Answer that an analysis goes on, and where it is."""
    return success(to_json({"analysis_id": record.id, "status": record.status}), 202, _place(record))


def failed(record: AnalysisRecord) -> Answer:
    """Answer an analysis that failed with the error that it failed with."""
    error = record.error or {"code": "ANALYSIS_FAILED", "message": "The analysis failed."}
    code = error["code"] if error["code"] in STATUS else "ANALYSIS_FAILED"
    details = {**error.get("details", {}), "analysis_id": record.id}
    return failure(code, error["message"], details, headers=_place(record))


def listed(session: Session, records: Sequence[AnalysisRecord]) -> list[dict[str, Any]]:
    """Return analyses as items of their list."""
    slugs = projects.slugs(session, (record.project_id for record in records))
    return [
        _head(record, slugs.get(record.project_id or "")) | {"summary": _counted(record)}
        for record in records
    ]


def of_batch(db: Database, batch: BatchRecord, members: Sequence[AnalysisRecord], status: int) -> Answer:
    """Answer a batch."""
    with db.read() as session:
        slug = projects.slugs(session, [batch.project_id]).get(batch.project_id or "")
    results = [_member(record) for record in members]
    states = Counter(result["status"] for result in results)
    going = states["pending"] + states["processing"]
    data = {
        "batch_id": batch.id,
        "project": slug,
        "timestamp": clock.rfc3339(batch.created_at),
        "total_paths": batch.total_paths,
        "status": "processing" if going else "partial_failure" if states["failed"] else "completed",
        "completed": states["success"],
        "failed": states["failed"],
        "results": results,
    }
    headers = {"Location": f"/api/v1/analyze/batch/{batch.id}"} if status == 202 else {}
    return success(to_json(data), status, headers)


def of_import(done: sarif_import.Summary) -> Answer:
    """Answer an import."""
    refused = [{"pointer": one.pointer, "reason": one.reason} for one in done.refused.shown]
    data = {"analysis_id": done.analysis_id, **done.counts}
    return success(to_json({**data, "refused": done.refused.count, "refused_results": refused}))


class _Shown:
    """What of an analysis an answer shows, and how much it leaves out."""

    def __init__(self, seen: Iterable[Found], threshold: Severity) -> None:
        wanted = set(Severity.at_least(threshold))
        self.findings: list[Found] = []
        self.suppressed = self.below = 0
        for one in seen:
            if one.suppression is not None:
                self.suppressed += 1
            elif one.severity in wanted:
                self.findings.append(one)
            else:
                self.below += 1
        self.counts = Counter(one.severity for one in self.findings)

    def summary(self) -> dict[str, int]:
        """Return the summary of the answer."""
        counts: dict[str, int] = msgspec.to_builtins(reporting.summary_of(self.counts))
        return counts | {"below_threshold": self.below, "suppressed": self.suppressed}


def _json(record: AnalysisRecord, slug: str | None, shown: _Shown) -> bytes:
    findings = msgspec.json.encode([_wire(one) for one in shown.findings])
    data = _head(record, slug) | {
        "summary": shown.summary(),
        "findings": orjson.Fragment(findings),
        "files_skipped": record.files_skipped,
        "diff_base": record.diff_base,
    }
    if record.status in analyses.ACTIVE:
        data["progress"] = {"files_done": record.files_done, "files_total": record.files_total}
    if record.error is not None:
        data["error"] = record.error
    return to_json(data)


def _head(record: AnalysisRecord, slug: str | None) -> dict[str, Any]:
    return {
        "analysis_id": record.id,
        "project": slug,
        "path": record.path,
        "kind": record.kind,
        "tool": record.tool,
        "status": record.status,
        "timestamp": clock.rfc3339(record.created_at),
        "started_at": record.started_at and clock.rfc3339(record.started_at),
        "finished_at": record.finished_at and clock.rfc3339(record.finished_at),
        "branch": record.branch or None,
        "commit_hash": record.commit_hash,
        "execution_time_ms": record.execution_time_ms,
        "files_analyzed": record.files_analyzed,
        "lines_of_code": record.lines_of_code,
    }


def _counted(record: AnalysisRecord) -> dict[str, int]:
    """Return the summary by the counts that the row keeps."""
    counts = {severity: getattr(record, severity.lower()) for severity in Severity}
    summary = reporting.summary_of(counts, service.threshold_of(record))
    shown: dict[str, int] = msgspec.to_builtins(summary)
    return shown | {"below_threshold": record.total_issues - summary.total_issues}


def _wire(one: Found) -> WireFinding:
    return WireFinding(
        one.id,
        one.analyzer,
        one.rule_id,
        slug_of(one.rule_id),
        one.severity.value,
        one.file,
        one.line,
        one.column,
        max(one.end_line, one.line),
        one.message,
        one.recommendation,
        one.snippet,
        one.confidence,
        one.cwe,
        one.metadata,
        one.tool,
        one.function_name,
        one.fingerprint,
    )


def slug_of(rule_id: str) -> str:
    """Return the short type of a rule: the catalogue's, or another tool's id itself."""
    entry = catalogue.RULES.get(rule_id)
    return rule_id if entry is None else entry.slug


def _report(record: AnalysisRecord, slug: str | None, shown: _Shown) -> Report:
    return Report(
        version=__version__,
        timestamp=clock.rfc3339(record.finished_at or record.created_at),
        findings=[reporting.finding_of(one) for one in shown.findings],
        summary=reporting.summary_of(shown.counts),
        project=slug or "",
        path=record.path,
        analysis_id=record.id,
        status=record.status,
        files_analyzed=record.files_analyzed,
        files_skipped=[Skipped(each["path"], each["reason"]) for each in record.files_skipped],
        lines_of_code=record.lines_of_code,
        execution_time_ms=record.execution_time_ms,
        rules=catalogue.RULES,
        commit_hash=record.commit_hash,
        branch=record.branch or None,
    )


def _lines(db: Database, roots: Sequence[Path], record: AnalysisRecord, path: str) -> list[str] | None:
    if record.project_id is None or record.kind == sarif_import.KIND:
        return None
    with db.read() as session:
        source = recorded.source_of(session, record.project_id, record.branch, path, until=record.id)
    return None if source is None else unchanged.lines(roots, source[0], path, source[1])


def _written(report: Report, format_name: str) -> Answer:
    written = FORMATS[format_name]
    headers = {"X-Analysis-ID": report.analysis_id, "Content-Type": written.media_type}
    if format_name == "html":
        headers["Content-Security-Policy"] = PAGE_POLICY
    return Answer(b"".join(written.write(report)), headers=headers)


def _place(record: AnalysisRecord) -> Mapping[str, str]:
    return {"Location": f"/api/v1/analyze/{record.id}", "X-Analysis-ID": record.id}


def _member(record: AnalysisRecord) -> dict[str, Any]:
    error = record.error or {}
    if record.status == "cancelled":
        error = {"code": "CONFLICT", "message": "The analysis was cancelled."}
    return {
        "path": record.path,
        "status": _MEMBERS.get(record.status, "failed"),
        "analysis_id": record.id,
        "error": error.get("message"),
        "error_code": error.get("code"),
    }
