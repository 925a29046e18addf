"""Erlang: the shell's `in call from m:f/1 (file, line 12)`, and stacks as the terms that reports print."""

import re
from typing import Final

from hefesto_api.domain.traces.lines import Lines
from hefesto_api.domain.traces.machine import Block, Language
from hefesto_api.domain.traces.model import Frame
from hefesto_api.domain.traces.runs import innermost_first, run

_SHELL: Final = re.compile(
    r"in (?:function|call from)\s++(\S++)(?:\s++\(([^(),\n]++), line (\d{1,9}+)\))?(?:\s*+$|\s++\()"
)
_SILENT: Final = re.compile(r"called as |\*\*\* argument ")
_EXCEPTION: Final = re.compile(r"(?:\d++> )?\*\* exception (error|exit|throw): (.*+)$")
_TERM: Final = re.compile(
    r"\{([a-z]\w*+|'[^'\n]++'),([a-z]\w*+|'[^'\n]++'),(?:(\d{1,3}+)|\[[^\[\]]{0,500}+\]),\s*+"
    r"\[(?:\{file,\s*+\"([^\"\n]++)\"\},\s*+\{line,\s*+(\d{1,9}+)\})?[^\[\]]{0,200}\]\}"
)
_REASON: Final = re.compile(r"\{(?:'?EXIT'?,\{)?([a-z]\w*+)[,}]")
_BACK = 6


def read(lines: Lines, number: int, floor: int) -> Block | int | None:
    """The exception whose line, or the stack whose first term, stands here."""
    if found := lines.made(number, _EXCEPTION.match):
        frames, end = run(lines, number + 1, _called, _SILENT, noise=3)
        return Block([innermost_first(found[1], found[2], frames)], end) if frames else None
    terms = lines.made(number, _terms)
    if not terms:
        return None
    frames, at = list(terms), number + 1
    while more := lines.made(at, _terms):
        frames += more
        at += 1
    kind, message = _reason(lines, number, floor)
    known = kind is not None or sum(frame.line is not None for frame in frames) > 1
    return Block([innermost_first(kind, message, frames)], at) if known else at


def _called(text: str) -> Frame | None:
    found = _SHELL.match(text)
    return found and Frame(found[2], int(found[3]) if found[3] else None, found[1])


def _terms(text: str) -> list[Frame]:
    return [
        Frame(
            found[4],
            int(found[5]) if found[5] else None,
            f"{found[1]}:{found[2]}" + f"/{found[3]}" * bool(found[3]),
        )
        for found in _TERM.finditer(text)
    ]


def _reason(lines: Lines, number: int, floor: int) -> tuple[str | None, str | None]:
    """The error's name and what it tells, on the stack's own line or the nearest above that holds one."""
    for above in range(number, max(floor, number - _BACK) - 1, -1):
        text = lines[above].strip()[:2_000]
        head = text.partition("[{")[0] if above == number else text
        if found := _REASON.search(head):
            return found[1], _closed(head[found.end() :] if head[found.end() - 1] == "," else "")
    return None, None


def _closed(term: str) -> str:
    """The text up to the brace that closes what was opened before it."""
    depth = 0
    for at, character in enumerate(term):
        depth += (character in "{[") - (character in "}]")
        if depth < 0:
            return term[:at].strip()
    return term.strip(" ,")


ERLANG: Final = Language(
    "erlang", (("** exception ",), ("[{file", '"', "{line"), ("in call from ",)), read, newest_first=True
)
