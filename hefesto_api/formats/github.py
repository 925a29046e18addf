"""GitHub workflow commands: annotations of the worst findings, and a summary in the log."""

from collections.abc import Iterator
from heapq import nlargest

from hefesto_api.domain.finding import Severity
from hefesto_api.formats.document import Report, ReportFinding, by_file
from hefesto_api.formats.safe import for_terminal
from hefesto_api.formats.text import by_severity, counted

MOST = 10  # annotations of a kind that GitHub shows of one step

_KINDS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "notice",
}
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def write(report: Report) -> Iterator[bytes]:
    """Yield the worst ten annotations of each kind, worst first, and a summary."""
    worst: dict[str, list[tuple[float, int, ReportFinding]]] = {kind: [] for kind in _KINDS.values()}
    for number, finding in enumerate(each for _, group in by_file(report) for each in group):
        kind = _KINDS[finding.severity]
        weight = finding.severity.rank + min(max(finding.confidence, 0.0), 1.0)
        worst[kind] = nlargest(MOST, [*worst[kind], (weight, -number, finding)], key=lambda each: each[:2])
    shown = 0
    for kind, findings in worst.items():
        for _, _, finding in findings:
            shown += 1
            yield f"{_command(kind, finding)}\n".encode()
    yield f"{_closing(report, shown)}\n".encode()


def _command(kind: str, finding: ReportFinding) -> str:
    properties = {
        "file": finding.file,
        "line": str(max(finding.line, 1)),
        "endLine": str(max(finding.end_line, finding.line, 1)),
        "col": str(max(finding.column, 1)),
        "title": finding.rule_id,
    }
    joined = ",".join(f"{key}={_clean(value).translate(_PROPERTY)}" for key, value in properties.items())
    return f"::{kind} {joined}::{_clean(_message(finding)).translate(_DATA)}"


def _clean(text: str) -> str:
    return for_terminal(text.replace("\r\n", "\n").replace("\r", "\n"))


def _message(finding: ReportFinding) -> str:
    advice = f"\n{finding.recommendation}" if finding.recommendation else ""
    return f"{finding.description or finding.rule_id}{advice}"


def _closing(report: Report, shown: int) -> str:
    summary = report.summary
    if not summary.total_issues:
        return f"Hefesto: no findings in {counted(report.files_analyzed, 'file')}."
    rest = f" The worst {shown} are annotated." if shown < summary.total_issues else ""
    return f"Hefesto: {counted(summary.total_issues, 'finding')} ({by_severity(summary)}).{rest}"
