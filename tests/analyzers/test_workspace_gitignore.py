"""Ignore patterns: what git ignores is what a walk leaves out, and no pattern can hold a walk up."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from hefesto_api.analyzers.workspace import gitignore, open_root, resolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PATHS = (
    *(
        "a",
        "b",
        "ab",
        "a.py",
        "b.py",
        "a.pyc",
        ".a",
        "a b",
        "a ",
        "#a",
        "!a",
        "a\\",
        "[a]",
        "a*",
        "é.py",
        "-",
        "]",
    ),
    *(
        "x/a",
        "x/b",
        "x/a.py",
        "x/ab",
        "x/y/a",
        "x/y/b.py",
        "x/y/z/a",
        "x/y/z/b",
        "y/x/a",
        "y/a/x/b",
        "a.d/a",
        "a.d/b",
    ),
    *("foo/bar/a", "foo/x/bar/a", "foo/x/y/bar/b", "build/a", "x/build/a", "buildx/a", "x/foo/b"),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("tree")
    for path in PATHS:
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text("")
    subprocess.run(["git", "init", "-q", str(top)], check=True, env=_environment())
    return top


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def git_keeps(top: Path) -> list[str]:
    done = subprocess.run(
        ["git", "-C", str(top), "ls-files", "-z", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        env=_environment(),
    )
    return sorted(os.fsdecode(name) for name in done.stdout.split(b"\0") if name)


def we_keep(top: Path, *exclude: str) -> list[str]:
    with open_root(resolve(top, [top])) as tree:
        return [entry.path for entry in tree.discover(wanted=lambda path: True, exclude=exclude).entries]


def write(top: Path, files: dict[str, bytes]) -> None:
    for name in (".gitignore", "x/.gitignore", "x/y/.gitignore", ".git/info/exclude"):
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_bytes(files.get(name, b""))


TABLE = [
    *(
        "a",
        "/a",
        "a/",
        "x/a",
        "/x/a",
        "x/",
        "*.py",
        "*.py[co]",
        "*",
        "/*",
        "**",
        "/**",
        "**/",
        "x/*",
        "x/**",
        "x/**/",
    ),
    *(
        "**/a",
        "**/x/a",
        "**/y/**",
        "foo/**/bar",
        "foo/**/a",
        "**/bar/**/a",
        "a**",
        "**a",
        "a**b",
        "x**a",
        "x/**a",
    ),
    *(
        "?",
        "??",
        "x/?",
        "[ab]",
        "[!a]",
        "[^a]",
        "[a-b]",
        "[b-a]",
        "[]]",
        "[]-a]",
        "[a",
        "a]",
        r"[\]]",
        "[!]a-]*",
    ),
    *(
        "[[:alpha:]]",
        "[[:alpha:][:digit:]]",
        "[[:nonsense:]]",
        "[[:punct:]]*",
        "[[:upper:]]",
        "[a-]",
        "[-a]",
        "[--0]",
    ),
    *(
        r"\a",
        "\\",
        r"a\\",
        r"\#a",
        "#a",
        r"\!a",
        r"\[a\]",
        r"a\*",
        r"a\ ",
        "a ",
        "a  ",
        r"a\  ",
        "a b",
        "a\t",
    ),
    *(
        "*\n!a",
        "*\n!*/\n!a",
        "/*\n!/x\n/x/*\n!/x/y",
        "x\n!x/a",
        "*.py\n!a.py",
        "!a\na",
        "a\n!a\na",
        "a/\n!a.d",
        "//a",
    ),
    *(
        "x//a",
        "/",
        "!",
        "!/",
        "./a",
        "x/../a",
        "\ufeffa",
        "a\r",
        "a\r\nb\r",
        "é.py",
        "build",
        "build/",
    ),
    *(
        ".*",
        "a.d",
        "a.d/*\n!a.d/b",
        "x/y",
        "/y",
        "*/a",
        "*/*/a",
        "*/",
        "x/*/",
        "**/**/a",
        "a/**",
        "**/*",
        "*/**",
        "***",
    ),
    *(
        "a**/b",
        "x**/a",
        "x/a**",
        "/a**/a",
        "foo**/**/a",
        "foo**//bar/a",
        "fo**/o**/a",
        "foo/b**/a",
        "foo**\\/a",
        "x/***/a",
        "x\\/a",
        "**\\/a",
        "x[/]a",
        "x[/y]*/a",
        "x/[a/y",
        "x\n!/x**",
        "a\n!/x/y**",
    ),
]


@pytest.mark.parametrize("patterns", TABLE)
def test_a_walk_leaves_out_what_git_ignores(tree: Path, patterns: str) -> None:
    write(tree, {".gitignore": patterns.encode()})
    assert we_keep(tree) == git_keeps(tree)


@pytest.mark.parametrize("patterns", [pattern for pattern in TABLE if "\n" not in pattern])
def test_exclusions_have_the_same_syntax(tree: Path, patterns: str) -> None:
    write(tree, {".gitignore": patterns.encode().removeprefix(b"\xef\xbb\xbf").removesuffix(b"\r")})
    expected = git_keeps(tree)
    write(tree, {})
    assert we_keep(tree, patterns.removeprefix("\ufeff")) == expected


LINES = st.lists(
    st.lists(
        st.sampled_from(
            ["a", "b", "x", "y", "*", "**", "?", "/", "!", "[ab]", "[/x]", ".py", "foo", "x**/", "\\", " "]
        ),
        max_size=7,
    ).map("".join),
    max_size=6,
).map(lambda lines: "\n".join(lines).encode())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries({".gitignore": LINES, "x/.gitignore": LINES, ".git/info/exclude": LINES}))
def test_any_patterns_mean_what_git_makes_of_them(tree: Path, files: dict[str, bytes]) -> None:
    write(tree, files)
    # A wildcard stands for a character with us and for a byte with git: names of ASCII cannot tell.
    ours, gits = ([name for name in kept if name.isascii()] for kept in (we_keep(tree), git_keeps(tree)))
    assert ours == gits


def test_the_last_word_is_with_the_exclusions(tree: Path) -> None:
    write(tree, {".gitignore": b"*.py\n", "x/.gitignore": b"!a.py\n"})
    assert "x/a.py" in we_keep(tree)
    assert "x/a.py" not in we_keep(tree, "x/a.py")
    assert "a.py" in we_keep(tree, "!a.py")


def test_patterns_above_the_analysed_folder_hold_beneath_it(tree: Path) -> None:
    write(tree, {".gitignore": b"/x/y/z\nb\n", "x/.gitignore": b"y/*.py\n"})
    with open_root(resolve("x/y", [tree])) as opened:
        found = opened.discover(wanted=lambda path: True, exclude=["/.gitignore"])
    assert [entry.path for entry in found.entries] == ["x/y/a"]


def test_an_ignored_folder_can_be_asked_for(tree: Path) -> None:
    write(tree, {".gitignore": b"build/\n"})
    with open_root(resolve("build", [tree])) as opened:
        assert [entry.path for entry in opened.discover(wanted=lambda path: True).entries] == ["build/a"]


def test_an_ignore_file_that_is_a_link_or_a_fifo_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("*.py\n")
    for name, make in (("one", Path.symlink_to), ("two", lambda path, _target: os.mkfifo(path))):
        folder = tmp_path / "tree" / name
        folder.mkdir(parents=True)
        (folder / "a.py").write_text("")
        make(folder / ".gitignore", tmp_path / "secret")
    assert [path for path in we_keep(tmp_path / "tree") if path.endswith("py")] == ["one/a.py", "two/a.py"]


def test_a_question_mark_stands_for_a_character_not_a_byte(tree: Path) -> None:
    write(tree, {".gitignore": "/?.py\n/x/[é].py".encode()})
    assert "é.py" not in we_keep(tree)


@pytest.mark.parametrize(
    "pattern", ["*a" * 60 + "*b", "**/" * 100 + "b", "?*" * 60 + "b", "[a-z]*" * 60 + "b", "*" * 4000 + "b"]
)
def test_no_pattern_takes_long(pattern: str) -> None:
    patterns = gitignore.parse([pattern])
    assert patterns is not None
    levels: gitignore.Levels = (gitignore.starting(patterns),)
    started = time.process_time()
    assert not gitignore.ignored(levels, "a" * 255, is_dir=False)
    for _ in range(100):
        levels = gitignore.entering(levels, "a" * 255)
        assert not gitignore.ignored(levels, "a" * 255, is_dir=False)
    assert time.process_time() - started < 10
