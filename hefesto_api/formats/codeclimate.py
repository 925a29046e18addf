"""Code Climate issues as GitLab's Code Quality reads them: one array, each fingerprint once."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from hefesto_api.domain.finding import Group, Severity
from hefesto_api.formats.document import Report, ReportFinding, by_file
from hefesto_api.formats.safe import to_json

_SEVERITIES = {
    Severity.CRITICAL: "blocker",
    Severity.HIGH: "critical",
    Severity.MEDIUM: "major",
    Severity.LOW: "minor",
}
_CATEGORIES = {
    Group.SECURITY: "Security",
    Group.COMPLEXITY: "Complexity",
    Group.CODE_SMELLS: "Clarity",
    Group.BEST_PRACTICES: "Style",
}


def write(report: Report) -> Iterator[bytes]:
    """Yield the array, an issue at a time."""
    used: set[str] = set()
    separator = b"["
    for _, findings in by_file(report):
        for finding in findings:
            yield separator + to_json(_issue(finding, _unique(finding, used)))
            separator = b",\n"
    yield b"]\n" if used else b"[]\n"


def _unique(finding: ReportFinding, used: set[str]) -> str:
    """Return the finding's fingerprint; one that is taken or missing is made from what the finding says."""
    fingerprint, turn = finding.fingerprint, 0
    while not fingerprint or fingerprint in used:
        turn += 1
        said = (finding.rule_id, finding.file, finding.line_text, finding.description, str(turn))
        fingerprint = blake2b("\0".join(said).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    used.add(fingerprint)
    return fingerprint


def _issue(finding: ReportFinding, fingerprint: str) -> dict[str, Any]:
    begin = max(finding.line, 1)
    issue: dict[str, Any] = {
        "type": "issue",
        "check_name": finding.rule_id,
        "description": " ".join(finding.description.split()) or finding.rule_id,
        "categories": [_CATEGORIES[finding.analyzer]],
        "severity": _SEVERITIES[finding.severity],
        "fingerprint": fingerprint,
        "location": {
            "path": finding.file.removeprefix("./"),
            "lines": {"begin": begin, "end": max(finding.end_line, begin)},
        },
    }
    return issue | ({"content": {"body": finding.recommendation}} if finding.recommendation else {})
