"""Findings, rules and reports for the tests of formats."""

from typing import Any

from hefesto_api.domain.finding import Group, Severity
from hefesto_api.formats.document import Report, ReportFinding, Summary
from msgspec import Struct


class PlainRule(Struct, frozen=True):
    """A rule as a report needs it."""

    id: str = "HEF-SEC-SQL-INJECTION"
    slug: str = "sql_injection"
    title: str = "SQL built by string formatting"
    analyzer: Group = Group.SECURITY
    severity: str = "HIGH"
    confidence: float = 0.8
    recommendation: str = "Bind parameters."
    explanation: str = "User data reaches a SQL string."
    cwe: tuple[int, ...] = (89,)


def make_finding(**fields: Any) -> ReportFinding:
    """Build a finding; every field has a harmless value."""
    plain: dict[str, Any] = {
        "id": "0190b0a0-0000-7000-8000-000000000001",
        "analyzer": Group.SECURITY,
        "rule_id": "HEF-SEC-SQL-INJECTION",
        "severity": Severity.HIGH,
        "file": "shop/db.py",
        "line": 3,
        "column": 5,
        "end_line": 3,
        "end_column": 20,
        "description": "Query text includes `uid`.",
        "recommendation": "Bind parameters.",
        "confidence": 0.8,
        "cwe": (89,),
        "tool": "ruff",
        "line_text": "    execute(sql % uid)",
        "symbol": "load_user",
        "fingerprint": "b0c4" * 8,
    }
    return ReportFinding(**plain | fields)


def make_report(*findings: ReportFinding, **fields: Any) -> Report:
    """Build a report of findings, with a summary that counts them."""
    plain: dict[str, Any] = {
        "version": "1.0.0",
        "timestamp": "2026-01-01T10:00:00.000000Z",
        "findings": findings,
        "summary": Summary.of(findings),
        "project": "shop",
        "analysis_id": "0190b0a0-0000-7000-8000-000000000002",
        "files_analyzed": 1,
        "lines_of_code": 120,
        "rules": {"HEF-SEC-SQL-INJECTION": PlainRule()},
    }
    return Report(**plain | fields)
