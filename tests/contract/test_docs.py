"""The documentation tells the truth: what is generated is up to date, what is written names what exists."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from hefesto_api import settings
from hefesto_api.analyzers import catalogue

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["openapi.json", "api.md", "settings.md", "rules.md", "access.md"])
def test_generated_page_is_up_to_date(name: str) -> None:
    expected = generator().rendered()[name]
    assert (ROOT / "docs" / name).read_bytes() == expected, "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_that_pages_name_exist(page: Path) -> None:
    known = {name for row in settings.documentation() for name in row["name"].split(", ")}
    named = set(re.findall(r"\bHEFESTO_[A-Z][A-Z_]*[A-Z]\b", page.read_text()))
    of_commands = {"HEFESTO_API_KEY"}  # what `analyze --push` sends; no setting of the service
    assert named - known - of_commands - {"HEFESTO_TEST_BIG", "HEFESTO_TEST_POSTGRES"} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_rules_that_pages_name_exist(page: Path) -> None:
    named = set(re.findall(r"\bHEF-(?:SEC|CPX|SMELL|BP)-[A-Z0-9-]+\b", page.read_text()))
    assert named - set(catalogue.RULES) == set()


def test_every_make_target_that_pages_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"`make ([a-z-]+)`", page.read_text())}
    assert named - targets == set()


def test_every_test_and_requirement_that_the_page_on_security_names_exists() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    rows = re.findall(r"^\| (\d+\.\d+\.\d+) \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE)
    assert len(rows) > 100
    assert len(rows) == len({number for number, _ in rows})
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert set(re.findall(r"\btest_[a-z]\w+", page)) - written == set()
    for number, shown in rows:
        assert re.search(r"`test_|operator|make |\]\(|differs|`docs/|`requirements/|ruff|it calls", shown), (
            number
        )
