"""JUnit XML, as build servers read it: a suite for each file, a failed case for each finding."""

from collections.abc import Iterator
from html import escape
from pathlib import PurePosixPath

from hefesto_api.formats.document import Report, ReportFinding, by_file
from hefesto_api.formats.safe import for_xml

_BLANKS = str.maketrans({"\t": "&#9;", "\n": "&#10;", "\r": "&#13;"})


def write(report: Report) -> Iterator[bytes]:
    """Yield the suites; an analysis without findings is one passed case."""
    total = report.summary.total_issues
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<testsuites name="hefesto" tests="{max(total, 1)}" failures="{total}">\n'.encode()
    empty = True
    for path, group in by_file(report):
        empty = False
        yield _suite(path, list(group)).encode()
    if empty:
        yield b'<testsuite name="hefesto" tests="1" failures="0"><testcase name="no findings"/></testsuite>\n'
    yield b"</testsuites>\n"


def _suite(path: str, findings: list[ReportFinding]) -> str:
    count = len(findings)
    cases = "".join(_case(finding) for finding in findings)
    return f'<testsuite name={_quoted(path)} tests="{count}" failures="{count}">\n{cases}</testsuite>\n'


def _case(finding: ReportFinding) -> str:
    module = ".".join(PurePosixPath(finding.file).with_suffix("").parts) if finding.file else "project"
    name = f"{finding.rule_id} {finding.symbol or ''}:{finding.line}".replace(" :", ":")
    return (
        f"<testcase classname={_quoted(module)} name={_quoted(name)} file={_quoted(finding.file)}"
        f' line="{finding.line}"><failure message={_quoted(finding.description)}'
        f' type="{finding.severity.value}">{_text(_body(finding))}</failure></testcase>\n'
    )


def _body(finding: ReportFinding) -> str:
    weaknesses = " ".join(f"CWE-{cwe}" for cwe in finding.cwe)
    place = f"{finding.file}:{finding.line}:{finding.column}"
    parts = (place, weaknesses, finding.line_text.strip(), finding.recommendation)
    return "\n".join(part for part in parts if part)


def _quoted(text: str) -> str:
    return f'"{escape(for_xml(text)).translate(_BLANKS)}"'


def _text(text: str) -> str:
    return escape(for_xml(text), quote=False).replace("\r", "&#13;")
