"""The analysis as the API answers it, and findings as lines of JSON."""

from collections.abc import Iterator
from typing import Any

import msgspec

from hefesto_api.formats.document import Report, ReportFinding, by_file
from hefesto_api.formats.safe import to_json

_EMPTY = ("", None)


def write(report: Report) -> Iterator[bytes]:
    """Yield one JSON object: the analysis with its findings, without the API's envelope."""
    yield to_json(_head(report))[:-1] + b',"findings":['
    separator = b"\n"
    for line in write_lines(report):
        yield separator + line[:-1]
        separator = b",\n"
    yield b"\n]}\n"


def write_lines(report: Report) -> Iterator[bytes]:
    """Yield one JSON object a line for each finding."""
    for _, findings in by_file(report):
        for finding in findings:
            yield to_json(fields(finding)) + b"\n"


def fields(finding: ReportFinding) -> dict[str, Any]:
    """Return a finding's wire fields; those beyond an analysis' own only where they are known."""
    always = {
        "id": finding.id,
        "analyzer": finding.analyzer,
        "rule_id": finding.rule_id,
        "severity": finding.severity,
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "end_line": max(finding.end_line, finding.line),
        "description": finding.description,
        "recommendation": finding.recommendation,
        "code_snippet": finding.code_snippet,
        "confidence": finding.confidence,
        "cwe": finding.cwe,
        "metadata": finding.metadata,
        "status": finding.status,
        "occurrence_count": finding.occurrence_count,
    }
    known = {
        "tool": finding.tool,
        "function_name": finding.symbol,
        "class_name": finding.class_name,
        "fingerprint": finding.fingerprint,
        "first_seen": finding.first_seen,
        "last_seen": finding.last_seen,
        "suppression": finding.suppression,
        "is_new": finding.is_new,
    }
    return always | {key: value for key, value in known.items() if value not in _EMPTY}


def _head(report: Report) -> dict[str, Any]:
    """Return all of the answer but the findings."""
    head: dict[str, Any] = {
        "analysis_id": report.analysis_id,
        "project": report.project,
        "path": report.path,
        "status": report.status,
        "timestamp": report.timestamp,
        "summary": msgspec.to_builtins(report.summary),
        "execution_time_ms": report.execution_time_ms,
        "files_analyzed": report.files_analyzed,
        "files_skipped": msgspec.to_builtins(report.files_skipped),
        "lines_of_code": report.lines_of_code,
        "version": report.version,
    }
    known = {"commit_hash": report.commit_hash, "branch": report.branch}
    return head | {key: value for key, value in known.items() if value}
