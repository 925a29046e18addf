"""Our own checks of Python: what they find, and what they leave alone."""

import tomllib
from pathlib import Path

import pytest
from hefesto_api.analyzers import catalogue, structure
from hefesto_api.analyzers.base import ParsedFile, RuleInfo
from hefesto_api.analyzers.python_checks import CHECKS, PYTHON
from hefesto_api.domain.finding import Detection, Severity
from hefesto_api.domain.structure import FileStructure

RULES = [
    catalogue.RULES[entry["id"]]
    for entry in tomllib.loads((catalogue.FOLDER / "python.toml").read_text())["rule"]
]
FLASK = "from flask import request\n\ndef view():\n    "


def parsed(text: str, path: str = "pkg/module.py") -> ParsedFile:
    content = text.encode()
    tree = structure.parse("python", content)
    return ParsedFile(path, "python", content, text, text.split("\n"), tree, FileStructure("python", 1, 1))


def check(text: str, path: str = "pkg/module.py") -> list[Detection]:
    return list(PYTHON.check(parsed(text, path)))


def found_in(text: str, path: str = "pkg/module.py") -> set[str]:
    return {found.rule_id for found in check(text, path)}


@pytest.mark.parametrize("entry", RULES, ids=lambda entry: entry.slug)
def test_bad_example_is_found(entry: RuleInfo) -> None:
    assert entry.id in {found.rule_id for found in check(entry.bad)}


@pytest.mark.parametrize("entry", RULES, ids=lambda entry: entry.slug)
def test_good_example_is_not_found(entry: RuleInfo) -> None:
    assert entry.id not in {found.rule_id for found in check(entry.good)}


CASES = tomllib.loads(Path(__file__).with_name("python_cases.toml").read_text())
FOUND = [pytest.param(case["text"], case["rule"], id=case["name"]) for case in CASES["found"]]
LEFT_ALONE = [pytest.param(case["text"], id=case["name"]) for case in CASES["left_alone"]]


@pytest.mark.parametrize(("text", "rule_id"), FOUND)
def test_found(text: str, rule_id: str) -> None:
    assert rule_id in found_in(text)


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_left_alone(text: str) -> None:
    assert found_in(text) == set()


CRITICAL = {
    "pickle": "import pickle\n" + FLASK + "return pickle.loads(request.data)",
    "eval": FLASK + "return eval(request.args['q'])",
    "shell": "import os\n" + FLASK + "c = 'ls ' + request.args['q']\n    os.system(c)",
}


@pytest.mark.parametrize("text", CRITICAL.values(), ids=CRITICAL)
def test_what_a_client_sends_is_critical(text: str) -> None:
    assert Severity.CRITICAL in {found.severity for found in check(text)}


def test_place_counts_characters() -> None:
    [found] = check("import torch\nü = 'é'; x = torch.load(ü)\n")
    assert (found.line, found.column, found.end_line, found.end_column) == (2, 14, 2, 27)


def test_development_settings_may_be_open() -> None:
    text = "SESSION_COOKIE_SECURE = False\nALLOWED_HOSTS = ['*']\n"
    assert found_in(text, "app/settings/dev.py") == set()
    assert found_in(text, "app/settings/base.py") == {"HEF-SEC-INSECURE-COOKIE", "HEF-SEC-ANY-HOST"}


def test_one_detection_for_a_rule_and_a_line() -> None:
    assert len(check("import torch\nx = torch.load(a), torch.load(b)\n")) == 1


def test_deep_nesting_is_survived() -> None:
    text = "def f(c, x):\n    c.execute(" + "'a' + " * 5000 + "x)\n"
    assert check(text + "    c.execute(f'DROP TABLE {x}')\n")


def test_broken_code_is_survived() -> None:
    assert check("import torch\ntorch.load(\n") is not None
    assert check("import torch\n\x00\xff torch.load(p)\n") is not None


def test_every_detection_is_in_the_catalogue() -> None:
    for case in CASES["found"]:
        for found in check(case["text"]):
            assert catalogue.rule(found.rule_id).id == found.rule_id
            assert found.recommendation
            assert found.message


def test_there_is_one_check_of_python() -> None:
    assert CHECKS == (PYTHON,)
    assert PYTHON.languages == {"python"}
