"""What tests of the command share: a small tree, and the command as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from tests.forking import Forking

if TYPE_CHECKING:
    from collections.abc import Iterator

EVAL = "def run(text):\n    return eval(text)\n"
SHELL = "import subprocess\n\n\ndef call(line):\n    subprocess.call(line, shell=True)\n"

ONE_CHILD = {
    "HEFESTO_ANALYSIS_PROCESSES": "1"
}  # a tree of two files needs no more; other tests take the default


class Hefesto(Protocol):
    """Runs the command and waits for it."""

    def __call__(
        self, *arguments: str | Path, cwd: Path | None = None, text: str = "", **environ: str
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of a command whose state is in the test's own folder."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    kept |= {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return kept | {"XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder outside git with two files that have one HIGH finding each."""
    folder = tmp_path / "shop"
    (folder / "pay").mkdir(parents=True)
    (folder / "run.py").write_text(EVAL)
    (folder / "pay" / "shell.py").write_text(SHELL)
    return folder


@pytest.fixture(scope="session")
def forking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forking]:
    """A process that has imported the commands."""
    with Forking(tmp_path_factory.mktemp("forking")) as made:
        yield made


@pytest.fixture
def hefesto(environ: dict[str, str], tree: Path, request: pytest.FixtureRequest) -> Hefesto:
    """The command, in the tree or another folder; `text` is its standard input."""

    def run(
        *arguments: str | Path, cwd: Path | None = None, text: str = "", **more: str
    ) -> subprocess.CompletedProcess[str]:
        if any(name.startswith("COVERAGE_") for name in environ):  # which counts from the start of a process
            return subprocess.run(
                argv(*arguments), cwd=cwd or tree, env=environ | more, input=text,
                capture_output=True, text=True, check=False, timeout=100,
            )  # fmt: skip
        forking: Forking = request.getfixturevalue("forking")
        return forking.run(arguments, cwd or tree, ONE_CHILD | environ | more, text)

    return run


def argv(*arguments: str | Path) -> list[str]:
    """Return the command line of the command."""
    return [sys.executable, "-m", "hefesto_api", *map(str, arguments)]
