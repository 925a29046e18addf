"""What every report is made from: one analysis, or one selection of findings, as values."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Protocol

from msgspec import Struct, field

from hefesto_api.domain.finding import Group, Severity, Status, Suppression

_BEFORE = 2  # lines of our snippets above the finding's own

Source = Callable[[str], Sequence[str] | None]


class Rule(Protocol):
    """What a report says about a rule (the catalogue's entries are such)."""

    @property
    def id(self) -> str: ...
    @property
    def slug(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def analyzer(self) -> Group: ...
    @property
    def severity(self) -> str: ...
    @property
    def confidence(self) -> float: ...
    @property
    def recommendation(self) -> str: ...
    @property
    def explanation(self) -> str: ...
    @property
    def cwe(self) -> tuple[int, ...]: ...


class ReportFinding(Struct, frozen=True, kw_only=True):
    """One finding of a report.

    The first fields are those of a finding in an analysis' answer. `fingerprint` is the public one,
    `line_hash` GitHub's `primaryLocationLineHash` (computed from the source when it is not given);
    `is_new` is None when there is nothing to compare with.
    """

    id: str
    analyzer: Group
    rule_id: str
    severity: Severity
    file: str
    line: int
    column: int = 1
    end_line: int = 0
    description: str = ""
    recommendation: str = ""
    code_snippet: str = ""
    confidence: float = 1.0
    cwe: tuple[int, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    tool: str = ""
    end_column: int = 0
    line_text: str = ""
    symbol: str | None = None
    class_name: str | None = None
    fingerprint: str = ""
    line_hash: str = ""
    status: Status = Status.OPEN
    first_seen: str | None = None
    last_seen: str | None = None
    occurrence_count: int = 1
    suppression: Suppression | None = None
    is_new: bool | None = None


class Summary(Struct, frozen=True):
    """How many findings a report holds, and how bad they are."""

    total_issues: int = 0
    critical: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0

    @classmethod
    def of(cls, findings: Iterable[ReportFinding]) -> "Summary":
        """Count findings."""
        counts = dict.fromkeys(Severity, 0)
        for finding in findings:
            counts[finding.severity] += 1
        worst_first = [counts[severity] for severity in reversed(Severity)]
        return cls(sum(worst_first), *worst_first)


class Skipped(Struct, frozen=True):
    """A file that was not analysed, and why."""

    path: str
    reason: str


def no_source(path: str) -> None:
    """Know no file's lines: reports then show the findings' own snippets."""


class Report(Struct, frozen=True, kw_only=True):
    """A document to write. `findings` may be a stream, read once; it should come sorted by file.

    `source_of` gives a file's lines (without their ends), or None; it is asked once for each run of
    findings of one file. Times are RFC 3339.
    """

    version: str
    timestamp: str
    findings: Iterable[ReportFinding]
    summary: Summary
    project: str = "default"
    path: str = ""
    analysis_id: str = ""
    status: str = "completed"
    files_analyzed: int = 0
    files_skipped: Sequence[Skipped] = ()
    lines_of_code: int = 0
    execution_time_ms: int = 0
    rules: Mapping[str, Rule] = field(default_factory=dict)
    commit_hash: str | None = None
    branch: str | None = None
    repository_url: str | None = None
    source_of: Source = no_source


def by_file(report: Report) -> Iterator[tuple[str, Iterator[ReportFinding]]]:
    """Yield each file with its findings; a list is sorted first, a stream is taken as it comes."""
    findings = report.findings
    if isinstance(findings, Sequence):
        findings = sorted(findings, key=lambda each: (each.file, each.line, each.column))
    return groupby(findings, key=lambda each: each.file)


def frame(
    finding: ReportFinding, lines: Sequence[str] | None, around: int = 2
) -> list[tuple[int | None, str, bool]]:
    """Return the code to show with a finding: (line number, text, is it the finding's line).

    At most 12 lines; without the source, those of the finding's own snippet. Its line numbers are known when
    the finding's line is recognised in it, else None.
    """
    last = min(max(finding.end_line, finding.line), finding.line + 7)
    if lines is None or finding.line > len(lines):
        numbered = _numbered(finding)
        if numbered is None:
            return [(None, text, False) for text in _rows(finding)[:12]]
    else:
        first = max(1, finding.line - around)
        numbered = dict(enumerate(lines[first - 1 : last + around], start=first))
    numbers = (number for number in numbered if finding.line - around <= number <= last + around)
    return [(number, numbered[number], finding.line <= number <= last) for number in numbers]


def _rows(finding: ReportFinding) -> list[str]:
    snippet = finding.code_snippet or finding.line_text
    return snippet.replace("\r\n", "\n").split("\n") if snippet else []


def _numbered(finding: ReportFinding) -> dict[int, str] | None:
    """Return the snippet's rows by line number: our own begin `_BEFORE` lines above the finding's."""
    rows = _rows(finding)
    at = min(finding.line - 1, _BEFORE)
    if finding.code_snippet and at < len(rows) and finding.line_text.startswith(rows[at]) and rows[at]:
        return dict(enumerate(rows, start=finding.line - at))
    return {finding.line: rows[0]} if len(rows) == 1 else None
