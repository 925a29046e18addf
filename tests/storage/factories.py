"""Rows for storage tests: complete, and as dull as possible but for what a test says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hefesto_api.domain import ids
from hefesto_api.domain.finding import Severity
from hefesto_api.domain.structure import Function
from hefesto_api.storage.base import Session
from hefesto_api.storage.contents import NewContent
from hefesto_api.storage.findings import FindingRecord, insert

THEN = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def finding(session: Session, project_id: str, **fields: Any) -> FindingRecord:
    """Insert a finding and return it."""
    made = finding_record(project_id, **fields)
    insert(session, [made])
    return made


def finding_record(project_id: str, **fields: Any) -> FindingRecord:
    """Return a finding of LOW severity, seen once, in src/app.py."""
    severity = Severity(fields.get("severity", "LOW"))
    dull: dict[str, Any] = {
        "id": ids.new_id(), "project_id": project_id, "branch": "", "file_path": "src/app.py", "line": 1,
        "column": 1, "end_line": 1, "end_column": 2, "analyzer": "security", "tool": "hefesto",
        "rule_id": "HEF-SEC-EVAL", "severity": severity.value, "severity_rank": severity.rank,
        "confidence": 0.5, "description": "eval of input", "recommendation": None, "code_snippet": "",
        "line_text": "", "function_name": None, "class_name": None, "cwe": [], "metadata": {},
        "status": "open", "reason": None, "ignored_until": None, "first_seen": THEN, "last_seen": THEN,
        "resolved_at": None, "occurrence_count": 1, "first_analysis_id": "a", "analysis_id": "a",
        "updated_at": THEN, "updated_by": None, "revision": 1, "suppression": None, "prints": b"",
        "fingerprint": "f",
    }  # fmt: skip
    return FindingRecord(**{**dull, **fields})


def function(name: str, line: int = 1) -> Function:
    """Return a function of ten lines."""
    return Function(name, name.rpartition(".")[2], None, line, line + 9, 3, 2, 1, 2, 10)


def content(number: int, functions: int = 2, **fields: Any) -> NewContent:
    """Return a new content, different for each number."""
    names = tuple(function(f"f{at}", at * 10 + 1) for at in range(functions))
    dull: dict[str, Any] = {
        "sha256": f"{number:064x}", "variant": "python", "language": "python", "lines_of_code": 100,
        "report": b"report" * 50, "functions": names,
    }  # fmt: skip
    return NewContent(**{**dull, **fields})
