"""A table of findings for spreadsheets, which never take a cell of it for a formula."""

import csv
from collections.abc import Iterator
from io import StringIO

from hefesto_api.formats.document import Report, ReportFinding, by_file
from hefesto_api.formats.safe import for_xml

COLUMNS = (
    "id", "file", "line", "column", "end_line", "severity", "analyzer", "rule_id", "tool", "confidence",
    "description", "recommendation", "function", "class", "cwe", "status", "first_seen", "last_seen",
    "occurrence_count", "suppressed", "fingerprint",
)  # fmt: skip

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write(report: Report) -> Iterator[bytes]:
    """Yield the header and a row for each finding (RFC 4180, UTF-8)."""
    yield row(COLUMNS)
    for _, findings in by_file(report):
        for finding in findings:
            yield row(_cells(finding))


def row(cells: tuple[str | float, ...]) -> bytes:
    """Write a row whose texts no spreadsheet takes for formulas."""
    out = StringIO()
    csv.writer(out).writerow([_inert(cell) if isinstance(cell, str) else cell for cell in cells])
    return out.getvalue().encode()


def _inert(cell: str) -> str:
    """Put a quote before what a spreadsheet would compute (after the blanks it would drop).

    Characters that no worksheet can hold become U+FFFD: dropped, they would lay bare what is behind them.
    """
    cell = for_xml(cell.replace("\0", ""))
    return f"'{cell}" if cell.startswith(_FORMULA) or cell.lstrip().startswith(_FORMULA) else cell


def _cells(finding: ReportFinding) -> tuple[str | float, ...]:
    return (
        finding.id,
        finding.file,
        finding.line,
        finding.column,
        max(finding.end_line, finding.line),
        finding.severity.value,
        finding.analyzer.value,
        finding.rule_id,
        finding.tool,
        finding.confidence,
        finding.description,
        finding.recommendation,
        finding.symbol or "",
        finding.class_name or "",
        " ".join(f"CWE-{cwe}" for cwe in finding.cwe),
        finding.status.value,
        finding.first_seen or "",
        finding.last_seen or "",
        finding.occurrence_count,
        "yes" if finding.suppression else "no",
        finding.fingerprint,
    )
