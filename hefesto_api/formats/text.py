"""The report as plain text: no colours, nothing a terminal would obey."""

from collections.abc import Iterator, Sequence

from hefesto_api.formats.document import Report, ReportFinding, Summary, by_file, frame
from hefesto_api.formats.safe import for_terminal, one_line

_WIDTH = 160  # characters of a code line that are shown


def write(report: Report) -> Iterator[bytes]:
    """Yield the findings by file, each with its code and advice, and a summary."""
    for path, findings in by_file(report):
        lines = report.source_of(path)
        yield f"{one_line(path)}\n".encode()
        for finding in findings:
            yield "".join(f"{line}\n" for line in _finding(finding, lines)).encode()
        yield b"\n"
    yield "".join(f"{line}\n" for line in _closing(report)).encode()


def headline(finding: ReportFinding) -> str:
    """Return a finding's place, severity, rule and description in one line."""
    place = f"{finding.line}:{finding.column}"
    marks = " (suppressed)" if finding.suppression else ""
    rule = one_line(finding.rule_id)
    return f"  {place:<9} {finding.severity.value:<8} {rule}{marks}  {one_line(finding.description)}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 file`, `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def by_severity(summary: Summary) -> str:
    """Return the counts, worst first: `1 critical, 2 high`."""
    counts = (("critical", summary.critical), ("high", summary.high), ("medium", summary.medium))
    named = [f"{count} {name}" for name, count in (*counts, ("low", summary.low)) if count]
    return ", ".join(named) or "none"


def _finding(finding: ReportFinding, lines: Sequence[str] | None) -> Iterator[str]:
    yield headline(finding)
    if finding.symbol:
        yield f"            in {one_line(finding.symbol)}"
    for number, text, marked in frame(finding, lines, around=1):
        label = f"{number:>6}" if number else " " * 6
        yield f"    {label} {'>' if marked else '|'} {for_terminal(text.expandtabs(4))[:_WIDTH]}".rstrip()
    if finding.recommendation:
        yield f"            -> {one_line(finding.recommendation)}"


def _closing(report: Report) -> Iterator[str]:
    summary = report.summary
    if report.files_skipped:
        yield f"{counted(len(report.files_skipped), 'file')} not analysed:"
        for skipped in report.files_skipped:
            yield f"  {one_line(skipped.path)}: {one_line(skipped.reason)}"
        yield ""
    looked_at = f"{counted(report.files_analyzed, 'file')}, {counted(report.lines_of_code, 'line')} of code"
    if summary.total_issues:
        yield f"{counted(summary.total_issues, 'finding')} ({by_severity(summary)}) in {looked_at}."
    else:
        yield f"No findings in {looked_at}."
