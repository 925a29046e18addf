"""The catalogue says something useful about every rule, and says it once."""

import re
from pathlib import Path

import pytest
from hefesto_api.analyzers import catalogue
from hefesto_api.analyzers.base import RuleInfo
from hefesto_api.domain.errors import NotFound
from hefesto_api.domain.finding import Group, Severity

RULES = list(catalogue.RULES.values())
GROUP_OF = {
    "SEC": Group.SECURITY,
    "CPX": Group.COMPLEXITY,
    "SMELL": Group.CODE_SMELLS,
    "BP": Group.BEST_PRACTICES,
}


@pytest.fixture(params=RULES, ids=lambda entry: entry.id)
def entry(request: pytest.FixtureRequest) -> RuleInfo:
    found: RuleInfo = request.param
    return found


def test_id_names_the_group(entry: RuleInfo) -> None:
    matched = re.fullmatch(r"HEF-(SEC|CPX|SMELL|BP)-[A-Z0-9]+(-[A-Z0-9]+)*", entry.id)
    assert matched is not None
    assert entry.analyzer is GROUP_OF[matched[1]]


def test_slug_is_a_short_name(entry: RuleInfo) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", entry.slug)
    assert len(entry.slug) <= 48


def test_weights_are_sensible(entry: RuleInfo) -> None:
    assert entry.severity in set(Severity)
    assert 0.3 <= entry.confidence <= 1.0


def test_security_rules_name_their_weakness(entry: RuleInfo) -> None:
    assert all(0 < number < 1500 for number in entry.cwe)
    if entry.analyzer is Group.SECURITY:
        assert entry.cwe


def test_prose_is_there(entry: RuleInfo) -> None:
    assert 8 <= len(entry.title) <= 90
    assert not entry.title.endswith(".")
    assert len(entry.recommendation) >= 10
    assert len(entry.explanation.strip()) >= 60


def test_examples_differ(entry: RuleInfo) -> None:
    assert entry.bad.strip()
    assert entry.good.strip()
    assert entry.bad != entry.good


def test_every_name_means_one_rule() -> None:
    names = [name.upper() for entry in RULES for name in (entry.id, entry.slug, *entry.aliases)]
    assert len(names) == len(set(names))


def test_every_source_means_one_rule() -> None:
    sources = [source for entry in RULES for source in entry.sources]
    assert len(sources) == len(set(sources))
    assert all(re.fullmatch(r"[\w-]+:\S+", source) for source in sources)


def test_rule_answers_to_id_and_slug_in_any_case() -> None:
    for entry in RULES:
        assert catalogue.rule(entry.id.lower()) is entry
        assert catalogue.rule(entry.slug.upper()) is entry


def test_rule_that_is_not_there() -> None:
    with pytest.raises(NotFound):
        catalogue.rule("HEF-SEC-NO-SUCH-RULE")


def test_source_that_is_not_ours() -> None:
    assert catalogue.by_source("ruff:D100") is None


def test_version_is_stable() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", catalogue.version())
    assert catalogue.version() == catalogue.version()


def test_detection_knows_what_the_catalogue_knows() -> None:
    entry = RULES[0]
    found = catalogue.detection(entry.id, tool="t", line=7)
    assert found.rule_id == entry.id
    assert found.analyzer is entry.analyzer
    assert found.severity == entry.severity
    assert found.recommendation == entry.recommendation
    assert (found.line, found.end_line, found.message) == (7, 7, entry.title)


def test_detection_takes_overrides() -> None:
    found = catalogue.detection(RULES[0].id, tool="t", line=7, message="m", end_line=9, confidence=0.5)
    assert (found.message, found.end_line, found.confidence) == ("m", 9, 0.5)


@pytest.mark.parametrize(
    "path",
    [
        "tests/a.py",
        "pkg/test/a.py",
        "pkg/testing/x/a.py",
        "pkg/test_a.py",
        "a_test.py",
        "conftest.py",
        "pkg/tests.py",
        "web/a.test.ts",
        "web/__tests__/a.js",
        "src/AbcTest.java",
        "x/a_test.go",
    ],
)
def test_test_paths(path: str) -> None:
    assert catalogue.is_test_path(path)


@pytest.mark.parametrize(
    "path", ["a.py", "pkg/contest.py", "pkg/latest/a.py", "testdata.py", "pkg/attest.py"]
)
def test_other_paths(path: str) -> None:
    assert not catalogue.is_test_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "static/js/vendor/jquery.js",
        "vendor/github.com/pkg/errors/errors.go",
        "pip/_vendor/urllib3/a.py",
        "third_party/zlib/a.py",
        "src/third-party/A.java",
        "thirdparty/a.ts",
    ],
)
def test_vendored_paths(path: str) -> None:
    assert catalogue.is_vendored_path(path)


@pytest.mark.parametrize(
    "path", ["vendor/models.py", "shop/vendor/prices.ts", "vendors/a.js", "vendor.js", "a/third_parties/b.py"]
)
def test_paths_of_ones_own_code(path: str) -> None:
    assert not catalogue.is_vendored_path(path)


def test_security_alone_is_reported_in_vendored_code() -> None:
    for group in Group:
        entry = next(one for one in RULES if one.analyzer is group)
        found = catalogue.detection(entry.id, tool="t", line=1)
        reported = catalogue.in_context(found, "web/vendor/lib.js")
        assert reported == (found if group is Group.SECURITY else None)


def test_security_weighs_less_in_test_code() -> None:
    entry = next(e for e in RULES if e.analyzer is Group.SECURITY and e.in_tests and e.severity == "HIGH")
    found = catalogue.detection(entry.id, tool="t", line=1)
    assert catalogue.in_context(found, "pkg/a.py") is found
    lowered = catalogue.in_context(found, "tests/a.py")
    assert lowered is not None
    assert lowered.severity is Severity.MEDIUM
    assert lowered.metadata["context"] == "test code"
    assert catalogue.in_context(lowered, "tests/a.py") is lowered


ONE_RULE = """
[[rule]]
id = "HEF-SEC-EXAMPLE"
slug = "example"
title = "An example"
analyzer = "security"
severity = "LOW"
confidence = 0.5
recommendation = "Do otherwise."
explanation = "It says why."
"""


def test_what_is_kept_of_the_rules_holds_only_while_their_files_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    folder, kept = tmp_path / "rules", tmp_path / "kept" / "rules"
    folder.mkdir()
    (folder / "one.toml").write_text(ONE_RULE)
    parsed = catalogue.load(folder, kept)
    assert [one.title for one in parsed] == ["An example"]
    assert kept.is_file()
    monkeypatch.setattr(catalogue, "_parsed", lambda _texts: pytest.fail("it was parsed again"))
    assert catalogue.load(folder, kept) == parsed
    monkeypatch.undo()
    (folder / "one.toml").write_text(ONE_RULE.replace("An example", "Another"))
    assert [one.title for one in catalogue.load(folder, kept)] == ["Another"]


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_damage_of_what_is_kept_of_the_rules_costs_time_alone(tmp_path: Path, damage: bytes | None) -> None:
    folder, kept = tmp_path / "rules", tmp_path / "kept"
    folder.mkdir()
    (folder / "one.toml").write_text(ONE_RULE)
    first = catalogue.load(folder, kept)
    kept.write_bytes(kept.read_bytes()[:40] if damage is None and kept.exists() else damage or b"")
    assert catalogue.load(folder, kept) == first
