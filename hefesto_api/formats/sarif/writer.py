"""Writing a report as SARIF 2.1.0, for GitHub code scanning and every other reader of the standard."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from hefesto_api.domain.finding import Group, Severity, Status
from hefesto_api.formats.document import Report, ReportFinding, Rule, by_file
from hefesto_api.formats.line_hash import line_hashes
from hefesto_api.formats.safe import scalar, to_json
from hefesto_api.formats.sarif import places

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}
_PROBLEMS = {"error": "error", "warning": "warning", "note": "recommendation"}
_SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.5"}
_PRECISIONS = ((0.9, "very-high"), (0.75, "high"), (0.5, "medium"), (0.0, "low"))
_DISMISSED = frozenset({Status.IGNORED, Status.WONTFIX})


def write(report: Report) -> Iterator[bytes]:
    """Yield the document in pieces, a result at a time.

    Rules come first: those that are used when the findings are a list, all of them for a stream.
    """
    rules = _rules(report)
    index = {rule.id: at for at, rule in enumerate(rules)}
    cwes = sorted({cwe for rule in rules for cwe in rule.cwe})
    yield b'{"$schema":' + to_json(_SCHEMA) + b',"version":"2.1.0","runs":[{'
    yield to_json(_run(report, rules, cwes))[1:-1] + b',"results":['
    separator = b""
    for path, group in by_file(report):
        findings = list(group)
        hashes = _hashes(findings, report.source_of(path))
        for finding in findings:
            yield separator + to_json(_result(finding, hashes.get(finding.line, ""), index, frozenset(cwes)))
            separator = b",\n"
    yield b"]}]}\n"


def _rules(report: Report) -> list[Rule]:
    if not isinstance(report.findings, Sequence):
        return list(report.rules.values())
    used = {finding.rule_id for finding in report.findings}
    return [rule for key, rule in report.rules.items() if key in used]


def _hashes(findings: Sequence[ReportFinding], lines: Sequence[str] | None) -> dict[int, str]:
    """Return GitHub's hash of each line of one file that has a finding."""
    known = {each.line: each.line_hash for each in findings if each.line_hash}
    missing = {each.line for each in findings} - known.keys()
    return known if lines is None or not missing else known | line_hashes("\n".join(lines), missing)


def _run(report: Report, rules: Sequence[Rule], cwes: Sequence[int]) -> dict[str, Any]:
    """Return all of a run but its results."""
    driver = {
        "name": "Hefesto",
        "semanticVersion": report.version,
        "rules": [_rule(rule) for rule in rules],
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "automationDetails": {"id": f"hefesto/{quote(scalar(report.project), safe='')}/{report.analysis_id}"},
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The root of the project."}}},
        "invocations": [_invocation(report)],
    }
    if cwes:
        run["taxonomies"] = [_taxonomy(cwes)]
    if report.repository_url and report.commit_hash:
        run["versionControlProvenance"] = [_provenance(report)]
    return run


def _provenance(report: Report) -> dict[str, Any]:
    known = {"revisionId": report.commit_hash, "branch": report.branch}
    return {"repositoryUri": report.repository_url} | {key: value for key, value in known.items() if value}


def _invocation(report: Report) -> dict[str, Any]:
    """Tell whether the analysis worked, and which files it could not look at."""
    notes = [
        {
            "level": "warning",
            "message": {"text": f"Not analysed: {skipped.reason}"},
            "locations": [{"physicalLocation": {"artifactLocation": places.artifact(skipped.path)}}],
        }
        for skipped in report.files_skipped
    ]
    succeeded = report.status == "completed"
    invocation: dict[str, Any] = {"executionSuccessful": succeeded, "endTimeUtc": report.timestamp}
    return invocation | ({"toolExecutionNotifications": notes} if notes else {})


def _taxonomy(cwes: Sequence[int]) -> dict[str, Any]:
    return {
        "name": "CWE",
        "organization": "MITRE",
        "informationUri": "https://cwe.mitre.org/",
        "shortDescription": {"text": "The MITRE Common Weakness Enumeration"},
        "taxa": [{"id": str(cwe)} for cwe in cwes],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    severity = Severity(rule.severity)
    level = _LEVELS[severity]
    properties: dict[str, Any] = {
        "tags": _tags(rule),
        "precision": next(name for least, name in _PRECISIONS if rule.confidence >= least),
        "problem.severity": _PROBLEMS[level],
    }
    if rule.analyzer is Group.SECURITY:
        properties["security-severity"] = _SCORES[severity]
    described: dict[str, Any] = {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.slug.split("_")) or rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.explanation or rule.title},
        "help": {"text": rule.recommendation or rule.explanation or rule.title},
        "defaultConfiguration": {"level": level},
        "properties": properties,
    }
    return described | ({"relationships": [_weakness(cwe) for cwe in rule.cwe]} if rule.cwe else {})


def _tags(rule: Rule) -> list[str]:
    return [rule.analyzer.value, *(f"external/cwe/cwe-{cwe:03d}" for cwe in rule.cwe)][:20]


def _weakness(cwe: int) -> dict[str, Any]:
    return {"target": {"id": str(cwe), "toolComponent": {"name": "CWE"}}, "kinds": ["superset"]}


def _result(
    finding: ReportFinding, line_hash: str, index: Mapping[str, int], cwes: frozenset[int]
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule_id,
        "level": _LEVELS[finding.severity],
        "message": {"text": finding.description or finding.rule_id},
        "locations": [_location(finding)],
        "partialFingerprints": _fingerprints(finding, line_hash),
        "rank": round(25.0 * finding.severity.rank * min(max(finding.confidence, 0.0), 1.0), 1),
        "occurrenceCount": max(finding.occurrence_count, 1),
        "properties": _properties(finding),
    }
    if finding.rule_id in index:
        result["ruleIndex"] = index[finding.rule_id]
    if finding.cwe and cwes.issuperset(finding.cwe):
        result["taxa"] = [{"id": str(cwe), "toolComponent": {"name": "CWE"}} for cwe in finding.cwe]
    result |= places.flows_and_related(finding.metadata)
    if state := _baseline(finding):
        result["baselineState"] = state
    if suppressions := _suppressions(finding):
        result["suppressions"] = suppressions
    if provenance := _seen(finding):
        result["provenance"] = provenance
    return result


def _baseline(finding: ReportFinding) -> str | None:
    """Return how a finding compares with what was known before; None where nothing says so.

    What is resolved is absent. What another tool said of its own baseline is given on; else a finding is
    new until a second analysis sees it.
    """
    if finding.is_new is not None and finding.status is Status.RESOLVED:
        return "absent"
    stated = finding.metadata.get("baseline_state")
    if isinstance(stated, str) and stated in ("new", "unchanged", "updated"):
        return stated
    return None if finding.is_new is None else "new" if finding.is_new else "unchanged"


def _location(finding: ReportFinding) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": places.artifact(finding.file), "region": _region(finding)}
    }
    if finding.symbol:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.symbol, "kind": "function"}]
    return location


def _region(finding: ReportFinding) -> dict[str, int]:
    """Return all four fields; an unknown end is the end of the first line."""
    line, column = max(finding.line, 1), max(finding.column, 1)
    end_line = max(finding.end_line, line)
    end_column = finding.end_column or len(finding.line_text) + 1
    if end_line == line:
        end_column = max(end_column, column)
    return {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": max(end_column, 1)}


def _fingerprints(finding: ReportFinding, line_hash: str) -> dict[str, str]:
    found = {"hefesto/v1": finding.fingerprint, "primaryLocationLineHash": line_hash}
    return {key: value for key, value in found.items() if value}


def _properties(finding: ReportFinding) -> dict[str, Any]:
    """Keep what SARIF has no place for, so that reading our own report loses nothing."""
    known = {
        "severity": finding.severity.value,
        "analyzer": finding.analyzer.value,
        "confidence": finding.confidence,
        "tool": finding.tool,
        "status": finding.status.value,
        "className": finding.class_name,
        "recommendation": finding.recommendation,
        "cwe": list(finding.cwe),
    }
    return {"id": finding.id} | {key: value for key, value in known.items() if value not in ("", None, [])}


def _suppressions(finding: ReportFinding) -> list[dict[str, str]]:
    found = []
    if finding.suppression:
        kind = "external" if finding.suppression.kind == "external" else "inSource"
        found.append({"kind": kind, "justification": finding.suppression.justification})
    if finding.status in _DISMISSED and not (found and found[0]["kind"] == "external"):
        found.append({"kind": "external", "status": "accepted", "justification": finding.status.value})
    return found + _further_suppressions(finding)


def _further_suppressions(finding: ReportFinding) -> list[dict[str, str]]:
    """Give on what else another tool's report said of suppressions."""
    kept = finding.metadata.get("suppressions")
    return [
        {key: each[key] for key in ("kind", "status", "justification")}
        for each in (kept if isinstance(kept, list) else ())
        if isinstance(each, dict) and each.keys() == {"kind", "status", "justification"}
    ]


def _seen(finding: ReportFinding) -> dict[str, str]:
    times = {"firstDetectionTimeUtc": finding.first_seen, "lastDetectionTimeUtc": finding.last_seen}
    return {key: value for key, value in times.items() if value}
