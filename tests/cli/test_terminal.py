"""What a person sees: frames, colours where they are wanted, the worst first, and nothing hostile."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path
from typing import Any

import pytest
from hefesto_api.cli import frames
from hefesto_api.domain.finding import Group, Severity
from rich.cells import cell_len
from rich.console import Console
from tests.cli.conftest import EVAL, Hefesto, argv
from tests.reports import make_finding

STYLE = re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(environ: dict[str, str], tree: Path, *arguments: str, columns: int = 80, **more: str) -> str:
    """Return what a command writes to a terminal."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        argv(*arguments),
        cwd=tree,
        env=environ | {"TERM": "xterm-256color"} | more,
        stdin=follower,
        stdout=follower,
        stderr=subprocess.PIPE,
    ):
        os.close(follower)
        written = b""
        try:
            while piece := os.read(leader, 65536):
                written += piece
        except OSError:  # the other side was closed
            pass
        os.close(leader)
    return written.decode().replace("\r\n", "\n")


def drawn(*findings: Any, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, highlight=False)
    for renderable in frames.drawn(list(findings), console):
        console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_gets_colours_and_a_summary(environ: dict[str, str], tree: Path) -> None:
    seen = on_terminal(environ, tree, "analyze", ".", "--fail-on", "high")
    assert STYLE.search(seen)
    plain = STYLE.sub("", seen)
    assert "     2 │     return eval(text)\n       │            ^^^^" in plain
    assert re.search(r"^all +- +2 +- +- +2$", plain, re.MULTILINE)
    assert "--fail-on high: failed, by 2 findings." in plain
    assert re.search(r"^2 files, \d lines of code, 2 functions in \d", plain, re.MULTILINE)
    assert "hefesto explain HEF-SEC-" in plain
    assert max(cell_len(line) for line in plain.splitlines()) <= 80


def test_no_color_is_honoured_in_both_ways(environ: dict[str, str], tree: Path) -> None:
    for seen in (
        on_terminal(environ, tree, "analyze", ".", NO_COLOR="1"),
        on_terminal(environ, tree, "analyze", ".", "--no-color"),
    ):
        assert "│" in seen
        assert not re.search(r"\x1b\[[0-9;]*3[0-7]", seen)


def test_colours_can_be_had_in_a_pipe(hefesto: Hefesto) -> None:
    assert "\x1b[" in hefesto("analyze", ".", "--color").stdout
    assert "\x1b[" in hefesto("analyze", ".", FORCE_COLOR="1").stdout
    assert "\x1b" not in hefesto("analyze", ".").stdout


def test_of_very_many_the_worst_are_shown(environ: dict[str, str], tree: Path) -> None:
    (tree / "many.py").write_text(
        "".join(
            f"def f{at}(data):\n    import pickle\n    return pickle.loads(data + {at})\n\n\n"
            for at in range(60)
        )
    )
    seen = on_terminal(environ, tree, "analyze", ".", "--analyzers", "security", NO_COLOR="1")
    assert seen.count("HEF-SEC-UNSAFE-DESERIALIZATION") == 48
    assert seen.index("eval(text)") < seen.index("pickle.loads")
    assert "These are the worst 50 of 62" in STYLE.sub("", seen)
    everything = on_terminal(environ, tree, "analyze", ".", "--analyzers", "security", "--all", NO_COLOR="1")
    assert everything.count("HEF-SEC-UNSAFE-DESERIALIZATION") == 60


def test_what_is_hidden_and_left_out_is_told(environ: dict[str, str], tree: Path) -> None:
    (tree / "quiet.py").write_text(EVAL.replace("eval(text)", "eval(text)  # nosec"))
    (tree / "broken.py").write_text("def broken(:\n")
    (tree / "low.py").write_text("def low():\n    unused = 1\n")
    seen = STYLE.sub("", on_terminal(environ, tree, "analyze", "."))
    assert "1 finding suppressed by comments in the source." in seen
    assert "broken.py: syntax error at line 1" in seen
    assert re.search(r"--severity low +shows \d more", seen)
    again = STYLE.sub("", on_terminal(environ, tree, "analyze", "."))
    assert "5 of them known already" in again
    assert on_terminal(environ, tree, "analyze", ".", "--quiet").count("suppressed") == 0


def test_names_and_code_of_others_drive_no_terminal(environ: dict[str, str], tree: Path) -> None:
    hostile = "\x1b[31m\x1b]0;title\x07\u202e"
    (tree / f"a{hostile}.py").write_text(f"def f(x):\n    return eval(x)  # {hostile} [bold]\n")
    seen = on_terminal(environ, tree, "analyze", ".", "--severity", "low", NO_COLOR="1")
    assert "\x1b]" not in seen
    assert "\x1b[31m" not in seen
    assert "\u202e" not in seen
    assert "\x07" not in seen
    assert "[bold]" in seen


@pytest.mark.parametrize("width", [40, 80, 140])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    long = "value = " + " + ".join(f"name_{at}" for at in range(60))
    finding = make_finding(
        file="a/" * 60 + "b.py",
        line=3,
        column=300,
        end_column=306,
        line_text=long,
        code_snippet=f"\t\n日本語 = '日本語'\n{long}",
        description="word " * 60,
        recommendation="advice " * 60,
        symbol="Class." * 30 + "method",
    )
    lines = drawn(finding, width=width).splitlines()
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize(
    ("code", "column", "end_column", "under"),
    [
        ("    return eval(text)", 12, 22, "eval(text)"),
        ("\treturn eval(text)", 9, 19, "eval(text)"),
        ("x = '日本語'; eval(text)", 12, 22, "eval(text)"),
        ("    def f(self):", 1, 0, "def f(self):"),
        ("    return 1", 99, 120, "return 1"),
        ("x = 1", 5, 1, "x = 1"),
    ],
)
def test_the_caret_is_under_what_is_meant(code: str, column: int, end_column: int, under: str) -> None:
    finding = make_finding(
        line=1, end_line=1, column=column, end_column=end_column, line_text=code, code_snippet=f"{code}\npass"
    )
    lines = drawn(finding).splitlines()
    at = next(number for number, line in enumerate(lines) if "^" in line)
    start = cell_len(lines[at][: lines[at].index("^")])
    shown, cells = lines[at - 1], 0
    letters = []
    for letter in shown:
        if start <= cells < start + lines[at].count("^"):
            letters.append(letter)
        cells += cell_len(letter)
    assert "".join(letters) == under


def test_a_long_line_is_cut_so_that_what_is_meant_is_seen() -> None:
    code = "[" + "1111111111, " * 14 + "eval(input())]"
    finding = make_finding(line=1, end_line=1, column=170, end_column=183, line_text=code, code_snippet=code)
    text = drawn(finding)
    assert "eval(input())" in text
    assert "…" in text


def test_the_worst_file_comes_first_and_its_worst_finding_in_it() -> None:
    found = [
        make_finding(file="a.py", line=1, severity=Severity.LOW),
        make_finding(file="b.py", line=9, severity=Severity.CRITICAL),
        make_finding(file="b.py", line=1, severity=Severity.MEDIUM),
        make_finding(file="c.py", line=1, severity=Severity.HIGH, analyzer=Group.COMPLEXITY),
        make_finding(file="d.py", line=1, severity=Severity.HIGH, analyzer=Group.SECURITY, confidence=0.1),
    ]
    order = [(one.file, one.line) for one in frames.worst(found, None)]
    assert order == [("b.py", 9), ("b.py", 1), ("c.py", 1), ("d.py", 1), ("a.py", 1)]
    assert [one.file for one in frames.worst(found, 2)] == ["b.py", "d.py"]
