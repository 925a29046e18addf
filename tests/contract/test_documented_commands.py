"""What the documentation tells people to type exists: commands, options, and the files it names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from hefesto_api.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?:sh|bash|shell|)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
# Where a command begins: a line, after a pipe and the like, after what is set for it, in a container.
BEGINS = re.compile(
    r"(?:^|[|&;(]\s*|\bexec (?:-T )?(?:web|hefesto) |\S*/bin/|\b[A-Z_]+=\S* )hefesto (?=[a-z-])(.*)"
)
ENDS = {"|", "||", "&&", ";", ">", ">>", "<", "&", ")", "#"}
FILES = re.compile(r"\b(?:deploy|\.github|benchmarks|requirements)/[\w./-]*\w\.\w+")


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words after `hefesto` of every command on a page."""
    text = page.read_text()
    lines = [line.strip() for block in BLOCK.findall(text) for line in block.splitlines()]
    for line in [*lines, *INLINE.findall(BLOCK.sub("", text))]:
        found = BEGINS.search(line)
        if found and not line.startswith("#"):
            try:
                words = shlex.split(re.sub(r"([|&;()<>]+)", r" \1 ", found.group(1)), comments=True)
            except ValueError:  # a quote that goes on in the next line
                words = found.group(1).split()
            yield list(_until_end(words))


def _until_end(words: list[str]) -> Iterator[str]:
    for word in words:
        if word in ENDS:
            return
        yield word


def complaint(words: list[str]) -> str | None:
    """Say what is wrong with a command line; None when all its commands and options exist."""
    command: click.Command = main
    context = click.Context(main)
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name.isupper():
            return None
        inner = command.get_command(context, name)
        if inner is None:
            return f"there is no command {name!r} in {' '.join(words)!r}"
        command = inner
    known = {"--help", "-h", "--version"} | {
        name for one in command.params for name in (*one.opts, *one.secondary_opts)
    }
    wrong = [
        word for word in rest if word.startswith("-") and word != "-" and word.partition("=")[0] not in known
    ]
    return f"there is no option {wrong[0]!r} in {' '.join(words)!r}" if wrong else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    told = [problem for words in commands(page) if (problem := complaint(words))]
    # The page on moving here names the former command's words in the column of the former.
    assert page.name == "migration.md" or not told


def test_what_does_not_exist_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\nhefesto db vacuum\nX=1 hefesto serve --hosts ::\n(cat x | hefesto correlate -)\n```\n"
        "`hefesto shout`"
    )
    assert [complaint(words) for words in commands(page)] == [
        "there is no command 'vacuum' in 'db vacuum'",
        "there is no option '--hosts' in 'serve --hosts ::'",
        None,
        "there is no command 'shout' in 'shout'",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = set(FILES.findall(page.read_text())) - {"deploy/compose/.env"}
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_pages_about_running_it_are_found_from_the_one_on_deployment() -> None:
    text = (ROOT / "docs/deployment.md").read_text()
    assert all(
        f"({name}.md" in text for name in ("scaling", "observability", "readiness", "performance", "secrets")
    )
