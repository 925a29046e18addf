"""`--diff-base` shows what is new against a commit, and nothing that merely moved."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.cli.conftest import EVAL, SHELL, Hefesto

OTHER = "import pickle\n\n\ndef load(data):\n    return pickle.loads(data)\n"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tree: Path) -> Path:
    """The tree as a repository with one commit, tagged `first`."""
    git(tree, "init", "-q", "-b", "main")
    git(tree, "add", ".")
    git(tree, "commit", "-q", "-m", "first")
    git(tree, "tag", "first")
    return tree


def new(hefesto: Hefesto, *options: str, base: str = "first") -> list[tuple[str, str | None]]:
    """Return file and function of what is new."""
    done = hefesto("analyze", ".", "--format", "json", "--severity", "low", "--diff-base", base, *options)
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)
    assert found["summary"]["total_issues"] == len(found["findings"])
    return [(one["file"], one.get("function_name")) for one in found["findings"]]


def test_an_unchanged_tree_brings_nothing_new(hefesto: Hefesto, repository: Path) -> None:
    assert new(hefesto) == []
    assert new(hefesto, base="HEAD") == new(hefesto, base=git(repository, "rev-parse", "HEAD")[:10]) == []


def test_an_uncommitted_change_is_new_and_what_moved_is_not(hefesto: Hefesto, repository: Path) -> None:
    moved = "LIMIT = 3\n\n\ndef other(text):\n    return exec(text)\n\n\n" + EVAL
    (repository / "run.py").write_text(moved)
    assert new(hefesto) == [("run.py", "other")]


def test_a_committed_change_is_new_until_its_commit_is_the_base(hefesto: Hefesto, repository: Path) -> None:
    (repository / "run.py").write_text(EVAL + "\n\ndef other(text):\n    return exec(text)\n")
    git(repository, "commit", "-q", "-a", "-m", "second")
    assert new(hefesto) == [("run.py", "other")]
    assert new(hefesto, base="HEAD~1") == [("run.py", "other")]
    assert new(hefesto, base="main") == []


def test_a_second_equal_line_is_new(hefesto: Hefesto, repository: Path) -> None:
    (repository / "run.py").write_text(EVAL + "    return eval(text)\n")
    assert len(new(hefesto, "--analyzers", "security")) == 1


def test_a_new_file_is_new(hefesto: Hefesto, repository: Path) -> None:
    (repository / "load.py").write_text(OTHER)
    assert new(hefesto) == [("load.py", "load")]


def test_a_copy_is_new_and_a_renamed_file_is_not(hefesto: Hefesto, repository: Path) -> None:
    (repository / "copy.py").write_text(EVAL)
    (repository / "pay" / "shell.py").rename(repository / "pay" / "command.py")
    assert new(hefesto, "--analyzers", "security") == [("copy.py", "run")]


def test_a_renamed_file_is_compared_with_what_it_was(hefesto: Hefesto, repository: Path) -> None:
    former = SHELL + "".join(f"\n\ndef step_{at}(line):\n    return line + {at}\n" for at in range(4))
    (repository / "pay" / "shell.py").write_text(former)
    git(repository, "commit", "-q", "-a", "-m", "second")
    (repository / "pay" / "shell.py").unlink()
    (repository / "pay" / "command.py").write_text(former + "\n\ndef more(line):\n    return exec(line)\n")
    assert new(hefesto, base="main") == [("pay/command.py", "more")]


def test_a_deleted_file_brings_nothing_new(hefesto: Hefesto, repository: Path) -> None:
    (repository / "run.py").unlink()
    assert new(hefesto) == []


def test_only_the_places_that_were_named_are_compared(hefesto: Hefesto, repository: Path) -> None:
    (repository / "load.py").write_text(OTHER)
    (repository / "pay" / "load.py").write_text(OTHER)
    done = hefesto("analyze", "pay", "--format", "json", "--analyzers", "security", "--diff-base", "first")
    assert [one["file"] for one in json.loads(done.stdout)["findings"]] == ["pay/load.py"]


def test_the_gate_counts_what_is_new_alone(hefesto: Hefesto, repository: Path) -> None:
    options = ("analyze", ".", "--fail-on", "low", "--diff-base", "first")
    assert hefesto(*options).returncode == 0
    (repository / "load.py").write_text(OTHER)
    assert hefesto(*options).returncode == 1
    assert hefesto("analyze", ".", "--fail-on", "high").returncode == 1


def test_all_is_shown_again_without_it(hefesto: Hefesto, repository: Path) -> None:
    new(hefesto)
    done = hefesto("analyze", ".", "--format", "json")
    assert json.loads(done.stdout)["summary"]["high"] == 2


def test_an_unknown_revision_is_2_and_named(hefesto: Hefesto, repository: Path) -> None:
    done = hefesto("analyze", ".", "--diff-base", "nowhere\x1b[2J")
    assert done.returncode == 2
    assert "there is no commit, branch or tag of that name" in done.stderr
    assert "nowhere" in done.stderr
    assert "\x1b" not in done.stderr
