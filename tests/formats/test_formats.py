"""What each format says of the same findings."""

import csv
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html.parser import HTMLParser
from io import StringIO
from xml.etree import ElementTree

import pytest
from hefesto_api.domain.finding import Group, Severity, Suppression
from hefesto_api.formats import FORMATS
from hefesto_api.formats.document import Report, ReportFinding, Skipped, Summary
from tests.reports import make_finding, make_report

SOURCE = [f"line {number}" for number in range(1, 41)]


def written(name: str, report: Report) -> str:
    return b"".join(FORMATS[name].write(report)).decode()


def several() -> list[ReportFinding]:
    return [
        make_finding(file="b.py", line=9, severity=Severity.LOW, fingerprint="1" * 32),
        make_finding(file="a.py", line=30, severity=Severity.CRITICAL, fingerprint="2" * 32),
        make_finding(file="a.py", line=4, severity=Severity.MEDIUM, description="Deep."),
    ]


def test_a_summary_counts_by_severity() -> None:
    assert Summary.of(several()) == Summary(total_issues=3, critical=1, high=0, medium=1, low=1)


def test_text_goes_by_file_and_line_and_ends_with_the_sum() -> None:
    report = make_report(*several(), files_skipped=[Skipped("c.py", "too large")], source_of=lambda _: SOURCE)
    text = written("text", report)
    heads = [line for line in text.splitlines() if re.match(r"\S+\.py$|  \d", line)]
    assert [head.split()[:2] for head in heads] == [
        ["a.py"], ["4:5", "MEDIUM"], ["30:5", "CRITICAL"], ["b.py"], ["9:5", "LOW"],
    ]  # fmt: skip
    assert "         4 > line 4\n         5 | line 5\n" in text
    assert "  c.py: too large\n" in text
    assert text.endswith("3 findings (1 critical, 1 medium, 1 low) in 1 file, 120 lines of code.\n")


def test_text_of_nothing() -> None:
    assert written("text", make_report()) == "No findings in 1 file, 120 lines of code.\n"


def test_text_without_the_source_shows_the_snippet() -> None:
    text = written("text", make_report(make_finding(code_snippet="a = 1\nb = 2")))
    assert "| a = 1\n" in text
    assert "| b = 2\n" in text


def test_json_is_the_analysis_of_the_contract() -> None:
    document = json.loads(written("json", make_report(make_finding(), execution_time_ms=12)))
    wanted = "analysis_id project path status timestamp summary findings execution_time_ms files_analyzed"
    assert {*wanted.split(), "files_skipped", "lines_of_code"} <= document.keys()
    (finding,) = document["findings"]
    fields = "id analyzer rule_id severity file line column end_line description recommendation code_snippet"
    assert {*fields.split(), "confidence", "cwe", "metadata"} <= finding.keys()
    assert (finding["cwe"], finding["analyzer"], finding["end_line"]) == ([89], "security", 3)


@pytest.mark.parametrize("name", FORMATS)
def test_a_stream_is_written_as_it_comes(name: str) -> None:
    """Constant memory: far less than all is taken before the first of it is written."""
    taken = 0

    def stream() -> Iterator[ReportFinding]:
        nonlocal taken
        for number in range(5_000):
            taken += 1
            yield make_finding(file=f"f{number:05}.py", fingerprint=f"{number:032x}")

    pieces = FORMATS[name].write(make_report(findings=stream(), summary=Summary(5_000, 0, 5_000)))
    early, size = 0, 0
    for piece in pieces:
        size += len(piece)
        if not early and size > 20_000:
            early = taken
    assert taken == 5_000
    assert name == "github" or 0 < early < 200


def test_csv_has_a_row_for_each() -> None:
    rows = list(csv.DictReader(StringIO(written("csv", make_report(*several())), newline="")))
    assert [(row["file"], row["line"], row["severity"], row["cwe"]) for row in rows] == [
        ("a.py", "4", "MEDIUM", "CWE-89"),
        ("a.py", "30", "CRITICAL", "CWE-89"),
        ("b.py", "9", "LOW", "CWE-89"),
    ]


def test_junit_counts_suites_and_cases() -> None:
    root = ElementTree.fromstring(written("junit", make_report(*several())))  # noqa: S314
    assert (root.get("tests"), root.get("failures")) == ("3", "3")
    assert [(suite.get("name"), suite.get("failures")) for suite in root] == [("a.py", "2"), ("b.py", "1")]
    case = root[0][0]
    assert (case.get("classname"), case.get("name"), case.get("line")) == (
        "a", "HEF-SEC-SQL-INJECTION load_user:4", "4",
    )  # fmt: skip
    assert (case[0].get("message"), case[0].get("type")) == ("Deep.", "MEDIUM")


def test_junit_of_nothing_passes() -> None:
    root = ElementTree.fromstring(written("junit", make_report()))  # noqa: S314
    assert (root.get("failures"), len(root.findall(".//testcase")), root.findall(".//failure")) == (
        "0",
        1,
        [],
    )


def test_code_climate_issues() -> None:
    issue = json.loads(written("codeclimate", make_report(make_finding(file="./a.py", end_line=0))))[0]
    assert issue == {
        "type": "issue",
        "check_name": "HEF-SEC-SQL-INJECTION",
        "description": "Query text includes `uid`.",
        "categories": ["Security"],
        "severity": "critical",
        "fingerprint": "b0c4" * 8,
        "location": {"path": "a.py", "lines": {"begin": 3, "end": 3}},
        "content": {"body": "Bind parameters."},
    }
    assert json.loads(written("codeclimate", make_report())) == []


def test_code_climate_fingerprints_are_unique_and_steady() -> None:
    found = [make_finding(line=n, fingerprint=mark) for n, mark in enumerate(("", "", "x", "x", "y"))]
    issues = json.loads(written("codeclimate", make_report(*found)))
    prints = [issue["fingerprint"] for issue in issues]
    assert len(set(prints)) == 5
    assert issues == json.loads(written("codeclimate", make_report(*found)))


def test_every_group_has_a_category() -> None:
    for group in Group:
        (issue,) = json.loads(written("codeclimate", make_report(make_finding(analyzer=group))))
        assert len(issue["categories"]) == 1


def test_github_shows_the_worst_ten_of_a_kind() -> None:
    severities = [Severity.HIGH] * 12 + [Severity.CRITICAL] * 3 + [Severity.LOW] * 2
    found = [make_finding(line=n, severity=severity) for n, severity in enumerate(severities, start=1)]
    *commands, summary = written("github", make_report(*found)).splitlines()
    lines = [int(command.split("line=")[1].split(",")[0]) for command in commands]
    assert lines == [13, 14, 15, 1, 2, 3, 4, 5, 6, 7, 16, 17]
    assert summary == "Hefesto: 17 findings (3 critical, 12 high, 2 low). The worst 12 are annotated."


class Page(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.policy = ""
        self.loads: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if named.get("http-equiv") == "Content-Security-Policy":
            self.policy = named["content"] or ""
        if (
            tag in {"script", "link", "img", "iframe", "form", "base"}
            or {"src", "href", "style"} & named.keys()
        ):
            self.loads.append(tag)


def test_html_loads_and_runs_nothing_and_allows_its_own_style() -> None:
    text = written("html", make_report(*several(), source_of=lambda _: SOURCE))
    page = Page(text)
    style = text[text.index("<style>") + 7 : text.index("</style>")]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert page.loads == []
    assert page.policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "prefers" in style or "light-dark(" in style


def test_html_shows_each_finding_with_its_code() -> None:
    mark = make_finding(line=30, suppression=Suppression("noqa", 30, "known & wanted"))
    text = written("html", make_report(mark, source_of=lambda _: SOURCE))
    assert text.count("<article") == 1
    assert '<div class="row hit"><span class="no">30</span><code>line 30</code></div>' in text
    assert "suppressed: known &amp; wanted" in text


def test_html_of_nothing() -> None:
    assert "Nothing found." in written("html", make_report())
