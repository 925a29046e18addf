"""Ruff as we run it: every rule's examples hold, and nothing in the tree has a say."""

from pathlib import Path

import pytest
from hefesto_api.analyzers import catalogue
from hefesto_api.analyzers.base import RuleInfo, SourceFile
from hefesto_api.analyzers.ruff import RUFF, codes
from hefesto_api.domain.errors import AnalyzerUnavailable
from hefesto_api.domain.finding import Detection, Severity

RULES = [
    entry for entry in catalogue.RULES.values() if any(source.startswith("ruff:") for source in entry.sources)
]
Findings = dict[str, list[Detection]]


def source(text: str, path: str = "pkg/module.py") -> SourceFile:
    return SourceFile(path, text.encode(), "python")


def check(folder: Path, *files: SourceFile) -> list[list[Detection]]:
    """Run ruff over files under neutral names; answer the detections of each."""
    names = [f"{number}.py" for number in range(len(files))]
    for name, file in zip(names, files, strict=True):
        (folder / name).write_bytes(file.content)
    found = RUFF.run(folder, list(zip(names, files, strict=True)))
    return [found.get(name, []) for name in names]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """What one run finds in the bad and the good example of every rule, by slug and kind."""
    folder = tmp_path_factory.mktemp("examples")
    files = []
    for entry in RULES:
        for kind, text in (("bad", entry.bad), ("good", entry.good)):
            path = "test_example.py" if "test" in entry.slug else "example.py"
            files.append((f"{entry.slug}.{kind}.py", SourceFile(path, text.encode(), "python")))
    for name, file in files:
        (folder / name).write_bytes(file.content)
    return RUFF.run(folder, files)


@pytest.mark.parametrize("entry", RULES, ids=lambda entry: entry.slug)
def test_bad_example_is_found(entry: RuleInfo, examples: Findings) -> None:
    assert entry.id in {found.rule_id for found in examples.get(f"{entry.slug}.bad.py", [])}


@pytest.mark.parametrize("entry", RULES, ids=lambda entry: entry.slug)
def test_good_example_is_not_found(entry: RuleInfo, examples: Findings) -> None:
    assert entry.id not in {found.rule_id for found in examples.get(f"{entry.slug}.good.py", [])}


def test_version_is_of_our_floor() -> None:
    assert RUFF.version().startswith("0.17.")


def test_only_codes_of_the_catalogue() -> None:
    assert {catalogue.by_source(f"ruff:{code}") is not None for code in codes()} == {True}


def test_nothing_to_do(tmp_path: Path) -> None:
    assert RUFF.run(tmp_path, []) == {}


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AnalyzerUnavailable):
        RUFF.run(tmp_path / "gone", [("0.py", source("x = 1\n"))])


def test_place_counts_characters_from_one(tmp_path: Path) -> None:
    [[found]] = check(tmp_path, source("def f(x):\n    é = 'ü'; return é == x, eval(x)\n"))
    assert (found.rule_id, found.line, found.column) == ("HEF-SEC-CODE-EXECUTION", 2, 29)
    assert (found.end_line, found.end_column) == (2, 36)
    assert found.tool == "ruff"
    assert found.recommendation
    assert found.cwe == (95,)


def test_syntax_errors_are_no_findings(tmp_path: Path) -> None:
    broken, whole = check(tmp_path, source("def f(:\n    return\n"), source("eval(input())\n"))
    assert broken == []
    assert [found.rule_id for found in whole] == ["HEF-SEC-CODE-EXECUTION"]


def test_new_syntax_is_read(tmp_path: Path) -> None:
    text = "type Pair[T] = tuple[T, T]\n\ndef f[T](x: T) -> T:\n    return eval(f'{f'{x}'}')\n"
    [[found]] = check(tmp_path, source(text))
    assert found.line == 4


def test_the_tree_has_no_say(tmp_path: Path) -> None:
    (tmp_path / "ruff.toml").write_text('[lint]\nselect = ["D"]\n')
    (tmp_path / "pyproject.toml").write_text('[tool.ruff]\nexclude = ["*.py"]\n')
    (tmp_path / ".gitignore").write_text("*\n")
    text = "# ruff: noqa\n# flake8: noqa\ndef f(x):\n    return eval(x)  # noqa\n"
    [[found]] = check(tmp_path, source(text))
    assert found.rule_id == "HEF-SEC-CODE-EXECUTION"


def test_test_code_weighs_less(tmp_path: Path) -> None:
    text = "import requests\n\nrequests.get('https://a', verify=False)\n"
    here, there = check(tmp_path, source(text), source(text, "tests/test_a.py"))
    assert {found.rule_id for found in here} == {
        "HEF-SEC-TLS-NOT-VERIFIED",
        "HEF-SEC-REQUEST-WITHOUT-TIMEOUT",
    }
    [lowered] = there
    assert lowered.severity is Severity.MEDIUM
    assert lowered.metadata["context"] == "test code"


def found_in(folder: Path, text: str, path: str = "pkg/module.py") -> set[str]:
    [found] = check(folder, source(text, path))
    return {detection.rule_id for detection in found}


NOT_WORTH_IT = {
    "a sentence is no statement": 'def f(x):\n    return f"Please select {x} from the list"\n',
    "a name for a password": 'TOKEN_URL = "https://a/token"\nPASSWORD_FIELD = "password1"\n',
    "an empty password": 'password = ""\nsecret = "changeme"\n',
    "a comparison": 'def f(token, host):\n    return token == "paren4x" or host == "0.0.0.0"\n',
    "a constant command": 'import os\n\nos.system("/bin/true")\n',
    "a loader of one's own": "import yaml\n\ndef f(s):\n    return yaml.load(s, Loader=s.Ours)\n",
    "a function passed on": "import pickle\n\nloads = pickle.loads\n",
    "a property read for its effect": "def f(x):\n    x.loaded\n",
    "a default that stays the same": "def f(x=frozenset((1,)), y=tuple(range(3))):\n    return x, y\n",
    "a query": "def f(q, User):\n    return q.filter(User.name == None)\n",
    "an annotation": 'def f(x: "Thing") -> None:\n    print(x)\n',
    "a hash that is no secret's": "import hashlib\n\nhashlib.md5(b'', usedforsecurity=False)\n",
    "an export": "from os import sep\n\nsep = sep\n",
    "a tuple of several": "def f():\n    return 1, 2,\n",
    "a debugger that is imported": "import pdb\n\nprint(pdb)\n",
    "a description": "class IBag:\n    def __contains__(key):\n        ...\n",
    "a file that is kept": "class A:\n    def __init__(self, p):\n        self.file = open(p)\n",
    "the path of a package": "print(__path__)\n",
    "a translated text": "def f():\n    return _('hello')\n",
}


@pytest.mark.parametrize("text", NOT_WORTH_IT.values(), ids=NOT_WORTH_IT)
def test_not_worth_a_persons_time(text: str, tmp_path: Path) -> None:
    assert found_in(tmp_path, text) == set()


def test_packages_import_in_order_to_export(tmp_path: Path) -> None:
    text = "from .a import b\n"
    assert found_in(tmp_path, text, "pkg/__init__.py") == set()
    assert found_in(tmp_path, text, "pkg/module.py") == {"HEF-BP-UNUSED-IMPORT"}


def test_hash_of_a_password_is_worse(tmp_path: Path) -> None:
    text = (
        "from hashlib import md5\n\ndef f(password, data):\n    a = md5(password)\n    return a, md5(data)\n"
    )
    [[worse, normal]] = check(tmp_path, source(text))
    assert (worse.severity, normal.severity) == (Severity.HIGH, Severity.MEDIUM)
