"""Ruby: the error on the first line and callers below, or the reverse of Ruby 2.5 to 2.7; both quotes."""

import re
from typing import Final

from hefesto_api.domain.traces import headers
from hefesto_api.domain.traces.lines import Lines
from hefesto_api.domain.traces.machine import Block, Language
from hefesto_api.domain.traces.model import Frame, Raised
from hefesto_api.domain.traces.runs import innermost_first, run

_FRAME: Final = re.compile(
    r"(?:(\d{1,6}+): )?(from |# )?((?:[A-Za-z]:)?(?:<internal:[^>]++>|\(\w++\)|"
    r"[^\s:`'\"(][^:`'\"]*+)):(\d{1,9}+)"
    r"(?::in [`']([^`'\n]++)')?(: |$)"
)
_TYPE: Final = re.compile(r"\(((?:\w++::)*+[A-Z]\w*+)\)$")
_HEADED: Final = re.compile(r"((?:\w++::)*+[A-Z]\w*+) \((.*+)$")
_LEAD: Final = re.compile(r"(?!)")
_SILENT: Final = re.compile(r"\.\.\. \d++ levels\.\.\.$")
_SOURCE: Final = re.compile(
    r"\.rb$|\.erb$|\.rake$|\.ru$|\.haml$|\.slim$|\.gemspec$|^\(|^<internal:|^-e$|/bin/|/exe/|file$"
)
_MESSAGE = 8


def frame(text: str) -> Frame | None:
    """A line as one caller, or None; a line that goes on with a message is none."""
    found = _match(text)
    return None if found is None or found[6] else _frame(found)


def _match(text: str) -> re.Match[str] | None:
    found = _FRAME.match(text[:8_000])
    if found is None or not _SOURCE.search(found[3]):
        return None
    return found if found[5] or found[2] or found[1] else None


def _frame(found: re.Match[str]) -> Frame:
    return Frame(found[3], int(found[4]), found[5])


def read(lines: Lines, number: int, floor: int) -> Block | None:
    """The error whose first line, or first caller, stands here."""
    text = lines[number].strip()
    if "Traceback (most recent call last)" in text:
        return _reversed(lines, number)
    found = lines.made(number, _match)
    if found is None:
        return None
    if found[6]:
        return _headed(lines, number, found)
    frames, end = run(lines, number, frame, _SILENT)
    header = headers.above(lines, number, floor, _LEAD, frame) or _rails(lines, number, floor)
    if header is None and len(frames) < 2:
        return None
    kind, message = (header.type, header.message) if header else (None, None)
    return Block([innermost_first(kind, message, frames)], end)


def _headed(lines: Lines, number: int, found: re.Match[str]) -> Block | None:
    exceptions: list[Raised] = []
    at = number
    while (first := lines.made(at, _match)) is not None and first[6]:
        kind, message, end = _error(lines, at, first)
        callers, end = run(lines, end, frame, _SILENT, ends=_headed_line)
        if kind is None and not callers:
            break
        raised = innermost_first(kind, message, [_frame(first), *callers])
        exceptions.append(raised if not exceptions else _cause(raised, len(exceptions) - 1))
        at = end
    return Block(exceptions, at) if exceptions else None


def _headed_line(text: str) -> bool:
    found = _match(text)
    return found is not None and bool(found[6]) and _TYPE.search(text[-300:]) is not None


def _cause(raised: Raised, of: int) -> Raised:
    return Raised(raised.type, raised.message, raised.frames, raised.crash, "cause", of)


def _error(lines: Lines, number: int, found: re.Match[str]) -> tuple[str | None, str, int]:
    """The type and message of a first line; the type stands at the end of the message's first line."""
    parts = [lines[number].strip()[found.end() :]]
    for at in range(number, min(len(lines), number + _MESSAGE)):
        if at > number:
            if lines.made(at, _match):
                break
            parts.append(lines[at].strip())
        if kind := _TYPE.search(parts[-1][-300:]):
            parts[-1] = parts[-1][: -len(kind[0])].rstrip()
            rest = next((n for n in range(at + 1, at + _MESSAGE) if lines.made(n, frame)), at + 1)
            return kind[1], "\n".join(parts), rest
    return None, parts[0], number + 1


def _rails(lines: Lines, number: int, floor: int) -> headers.Header | None:
    for above in range(number - 1, max(floor, number - 5) - 1, -1):
        if found := _HEADED.match(lines[above].strip()[:4_000]):
            return headers.Header(found[1], found[2].rstrip(":").removesuffix(")"), above)
    return None


def _reversed(lines: Lines, number: int) -> Block | None:
    callers, end = run(lines, number + 1, frame, _SILENT)
    found = lines.made(end, _match)
    if found is None or not found[6]:
        return Block([innermost_first(None, None, callers[::-1])], end) if callers else None
    kind, message, end = _error(lines, end, found)
    return Block([innermost_first(kind, message, [_frame(found), *reversed(callers)])], end)


RUBY: Final = Language(
    "ruby",
    (
        *((start,) for start in (".rb:", ".erb:", "(irb):", ".rake:", ".ru:", ":in `", ":in '")),
        ("Traceback (most recent call last)",),
    ),
    read,
    True,
)
