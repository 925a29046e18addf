"""SARIF in: what other tools write, mapped to our words; what is wrong is named by its place."""

import json
from io import BytesIO
from typing import Any

import pytest
from hefesto_api.domain.errors import HefestoError, Invalid, MalformedRequest, PayloadTooLarge
from hefesto_api.domain.finding import Group, Severity, Suppression
from hefesto_api.formats import sarif
from hefesto_api.formats.sarif import Imported, ImportedRun
from hypothesis import given
from hypothesis import strategies as st


def place(uri: str, line: int = 7, **artifact: Any) -> dict[str, Any]:
    location = {"uri": uri, **artifact}
    return {"physicalLocation": {"artifactLocation": location, "region": {"startLine": line}}}


def result(uri: str = "src/a.py", **more: Any) -> dict[str, Any]:
    return {"ruleId": "R1", "message": {"text": "Bad."}, "locations": [place(uri)]} | more


def run(*results: Any, rules: Any = (), name: str = "Tool", **more: Any) -> dict[str, Any]:
    return {"tool": {"driver": {"name": name, "rules": rules}}, "results": list(results)} | more


def read(*runs: Any, **options: Any) -> ImportedRun:
    document = {"version": "2.1.0", "runs": list(runs)}
    return sarif.read(json.dumps(document).encode(), **options).runs[0]


def read_one(found: Any, rule: Any = None, **more: Any) -> Imported:
    (imported,) = read(run(found, rules=[{"id": "R1"} | (rule or {})], **more)).results
    return imported


def test_a_result_in_our_words() -> None:
    imported = read_one(
        result(
            level="error",
            partialFingerprints={"primaryLocationLineHash": "ab:1"},
            suppressions=[{"kind": "inSource", "justification": "known"}],
        ),
        {"help": {"text": "Do it so."}, "properties": {"tags": ["security", "external/cwe/cwe-089"]}},
    )
    seen = imported.detection
    assert (imported.path, seen.line, seen.rule_id, seen.tool, seen.message) == (
        "src/a.py",
        7,
        "R1",
        "Tool",
        "Bad.",
    )
    assert (seen.analyzer, seen.severity, seen.cwe) == (Group.SECURITY, Severity.HIGH, (89,))
    assert seen.recommendation == "Do it so."
    assert imported.fingerprints == {"primaryLocationLineHash": "ab:1"}
    assert (imported.suppressed, seen.suppression) == (True, Suppression("inSource", 7, "known"))


@pytest.mark.parametrize(
    ("found", "rule", "severity"),
    [
        ({}, {}, "MEDIUM"),
        ({"level": "note"}, {}, "LOW"),
        ({"level": "none"}, {}, "LOW"),
        ({}, {"defaultConfiguration": {"level": "error"}}, "HIGH"),
        ({"level": "error"}, {"properties": {"security-severity": "9.8"}}, "CRITICAL"),
        ({"level": "error"}, {"properties": {"security-severity": "7.0"}}, "HIGH"),
        ({"level": "error"}, {"properties": {"security-severity": 4.0}}, "MEDIUM"),
        ({"level": "error"}, {"properties": {"security-severity": "0.1"}}, "LOW"),
        ({"level": "error"}, {"properties": {"security-severity": "much"}}, "HIGH"),
        ({}, {"properties": {"problem.severity": "recommendation"}}, "LOW"),
        ({"level": "note", "properties": {"issue_severity": "high"}}, {}, "HIGH"),
    ],
)
def test_severities(found: dict[str, Any], rule: dict[str, Any], severity: str) -> None:
    assert read_one(result(**found), rule).detection.severity == severity


@pytest.mark.parametrize(
    ("properties", "tool", "rule_name", "group"),
    [
        ({}, "Tool", "Unused", Group.CODE_SMELLS),
        ({}, "Bandit", "Unused", Group.SECURITY),
        ({"tags": ["security"]}, "Tool", "X", Group.SECURITY),
        ({"security-severity": "3.0"}, "Tool", "X", Group.SECURITY),
        ({"tags": ["CWE-79: Cross-site scripting"]}, "Tool", "X", Group.SECURITY),
        ({}, "Tool", "cyclomatic-complexity", Group.COMPLEXITY),
        ({"tags": ["style"]}, "Tool", "X", Group.BEST_PRACTICES),
        ({"tags": 3, "cwe": {}}, "Tool", "X", Group.CODE_SMELLS),
    ],
)
def test_groups(properties: dict[str, Any], tool: str, rule_name: str, group: Group) -> None:
    rule = {"name": rule_name, "properties": properties}
    assert read_one(result(), rule, name=tool).detection.analyzer is group


@pytest.mark.parametrize(
    ("properties", "confidence"),
    [({"precision": "very-high"}, 0.95), ({"precision": "low"}, 0.35), ({}, 0.6), ({"confidence": 7}, 1.0)],
)
def test_confidences(properties: dict[str, Any], confidence: float) -> None:
    assert read_one(result(), {"properties": properties}).detection.confidence == confidence


def test_weaknesses_by_relation_and_property() -> None:
    relation = {"target": {"id": "CWE-22", "toolComponent": {"name": "CWE"}}}
    rule = {"relationships": [relation], "properties": {"cwe": ["CWE-79", 89], "tags": ["ocwe-12"]}}
    assert read_one(result(), rule).detection.cwe == (22, 79, 89)


def test_a_rule_of_an_extension_by_reference() -> None:
    """As CodeQL writes: queries come as extensions, and results refer to them by index."""
    tool = {
        "driver": {"name": "CodeQL", "semanticVersion": "2.20.1"},
        "extensions": [
            {"name": "py", "rules": [{"id": "x"}, {"id": "py/sql", "properties": {"precision": "high"}}]}
        ],
    }
    found = {"rule": {"id": "py/sql", "index": 1, "toolComponent": {"index": 0}}, "message": {"text": "m"}}
    outcome = read(run({**found, "locations": [place("a.py")]}, tool=tool))
    assert (outcome.tool, outcome.tool_version, outcome.rule_ids) == ("CodeQL", "2.20.1", ("x", "py/sql"))
    assert outcome.results[0].detection.rule_id == "py/sql"
    assert outcome.results[0].detection.confidence == 0.85


def test_messages_by_id_with_arguments() -> None:
    found = result(message={"id": "m", "arguments": ["x", "y"]})
    rule = {"messageStrings": {"m": {"text": "{0} shadows {1} in {2}"}}}
    assert read_one(found, rule).detection.message == "x shadows y in {2}"


def test_a_sub_rule_finds_its_rule() -> None:
    rule = {"id": "CA1000", "shortDescription": {"text": "Short."}}
    (imported,) = read(run(result(ruleId="CA1000/1", message={}), rules=[rule])).results
    assert (imported.detection.rule_id, imported.detection.message) == ("CA1000/1", "Short.")


SOURCE = {"SRC": {"uri": "file:///ci/build/"}, "SUB": {"uri": "pkg/", "uriBaseId": "SRC"}}


@pytest.mark.parametrize(
    ("artifact", "path"),
    [
        ({"uri": "src/a%20b.py"}, "src/a b.py"),
        ({"uri": "./src//a.py"}, "src/a.py"),
        ({"uri": "src\\win\\a.py"}, "src/win/a.py"),
        ({"uri": "a.py", "uriBaseId": "SUB"}, "pkg/a.py"),
        ({"uri": "a.py", "uriBaseId": "%SRCROOT%"}, "a.py"),
        ({"uri": "file:///ci/build/src/a.py"}, "src/a.py"),
        ({"uri": "file://host/ci/build/src/a.py"}, "src/a.py"),
        ({"uri": "file:///srv/app/a.py"}, "a.py"),
        ({"uri": "/srv/app/x/a.py"}, "x/a.py"),
        ({"uri": "file:///C:/code/a.py"}, "code/a.py"),
        ({"uri": "C:\\work\\a.py"}, "work/a.py"),
        ({"uri": "file:/ci/build/a.py"}, "a.py"),
        ({"uri": "a/../b.py"}, "b.py"),
        ({"index": 0}, "listed.py"),
        ({"uri": "%C3%BC.py"}, "ü.py"),
        ({"uri": "bad%FF.py"}, "bad\udcff.py"),
    ],
)
def test_paths(artifact: dict[str, Any], path: str) -> None:
    found = result() | {"locations": [{"physicalLocation": {"artifactLocation": artifact}}]}
    listed = [{"location": {"uri": "listed.py"}}]
    outcome = read(run(found, originalUriBaseIds=SOURCE, artifacts=listed), roots=["/srv/app"])
    assert [each.path for each in outcome.results] == [path]


@pytest.mark.parametrize(
    "uri",
    [
        "../a.py",
        "a/../../b",
        "%2e%2e/%2e%2e/etc/passwd",
        "..\\a",
        "https://x/y.py",
        "",
        "a%00b",
        ".",
        "data:,x",
    ],
)
def test_locations_that_are_refused(uri: str) -> None:
    outcome = read(run(result(), result(uri)))
    assert len(outcome.results) == 1
    assert [refused.pointer for refused in outcome.refused] == ["runs[0].results[1]"]


def test_base_ids_in_a_circle_are_refused() -> None:
    bases = {"A": {"uri": "a/", "uriBaseId": "B"}, "B": {"uri": "b/", "uriBaseId": "A"}}
    located = result() | {"locations": [place("x.py", uriBaseId="A")]}
    assert read(run(located, originalUriBaseIds=bases)).refused[0].pointer == "runs[0].results[0]"


def test_what_passed_or_is_gone_is_left_out() -> None:
    outcome = read(run(result(kind="pass"), result(baselineState="absent"), result(kind="open")))
    assert (len(outcome.results), outcome.refused) == (1, [])


def test_flows_and_related_places_are_kept() -> None:
    step = {"location": place("src/b.py", 3) | {"message": {"text": "enters here"}}}
    found = result(codeFlows=[{"threadFlows": [{"locations": [step]}]}], relatedLocations=[place("../x")])
    assert read_one(found).detection.metadata == {
        "code_flows": [[{"file": "src/b.py", "line": 3, "message": "enters here"}]],
        "related": [{"file": None, "line": 7, "message": ""}],
    }


def test_where_a_run_comes_from() -> None:
    outcome = read(
        run(
            automationDetails={"id": "lint/1"},
            versionControlProvenance=[
                {"repositoryUri": "https://x/y", "revisionId": "abc", "branch": "main"}
            ],
        )
    )
    assert (outcome.automation_id, outcome.commit_hash, outcome.branch) == ("lint/1", "abc", "main")


def test_a_run_without_results() -> None:
    assert read({"tool": {"driver": {"name": "T"}}, "results": None}).results == []


def test_nulls_are_as_good_as_nothing() -> None:
    found = result(codeFlows=None, properties=None, suppressions=None, ruleIndex=None)
    imported = read_one(found, {"relationships": None}, artifacts=None)
    assert (imported.path, imported.suppressed) == ("src/a.py", False)


def test_half_a_surrogate_is_no_text() -> None:
    with pytest.raises(MalformedRequest):
        sarif.read(b'{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "\\ud800"}}}]}')


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"version": "2.1.0', b"[" * 100_000])
def test_what_is_no_json(content: bytes) -> None:
    with pytest.raises((MalformedRequest, Invalid)):
        sarif.read(content)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"version": "2.1.0"}, "$"),
        ({"version": "2.0.0", "runs": []}, "version"),
        ({"version": "2.1.0", "runs": [{"tool": {}}]}, "runs[0].tool"),
        (
            {"version": "2.1.0", "runs": [run(result(), result(ruleIndex="x"))]},
            "runs[0].results[1].ruleIndex",
        ),
        ([], "$"),
    ],
)
def test_what_is_no_sarif_is_named_by_its_place(document: Any, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        sarif.read(json.dumps(document).encode())
    assert caught.value.details["errors"][0]["field"] == field


def test_limits() -> None:
    with pytest.raises(PayloadTooLarge):
        sarif.read(BytesIO(b" " * 100), max_bytes=99)
    with pytest.raises(PayloadTooLarge):
        read(*[run()] * 21)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert sarif.read(b'\xef\xbb\xbf{"version":"2.1.0","runs":[]}').runs == ()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["ruleId", "message", "locations", "level", "rule", "kind", "properties", "suppressions", "codeFlows"]


@given(st.dictionaries(st.sampled_from(KEYS), values), values, values)
def test_hostile_documents_raise_our_errors_or_none(
    found: dict[str, Any], properties: Any, bases: Any
) -> None:
    document = {
        "version": "2.1.0",
        "runs": [
            run(result() | found, rules=[{"id": "R1", "properties": properties}], originalUriBaseIds=bases)
        ],
    }
    try:
        sarif.read(json.dumps(document).encode())
    except HefestoError as error:
        assert error.code in {"VALIDATION_ERROR", "MALFORMED_REQUEST"}
