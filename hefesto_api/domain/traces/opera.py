"""Opera's own engine, before it took V8: `called from line 27, column 8 in run(options) in http://…:`."""

import re
from typing import Final

from hefesto_api.domain.traces.lines import Lines
from hefesto_api.domain.traces.machine import Block, Language
from hefesto_api.domain.traces.model import Frame
from hefesto_api.domain.traces.runs import innermost_first

_AT: Final = re.compile(
    r"(?:Error thrown at|called from|called via \S{1,40} from) line (\d{1,9}+), column (\d{1,9}+)"
    r"(?: in (?:(.{1,400}?) in )?(\S+):)?$"
)
_IN: Final = re.compile(r"in (?:(.{1,400}?) in )?(\S+):$")
_LINE: Final = re.compile(
    r"Line (\d{1,9}+) of (?:linked |inline#\d++ |function )?script(?: in)? (\S+?)(?:: In function (\S++))?$"
)
_NAMED: Final = re.compile(r"<anonymous function: ([^<>]++)>")
_BETWEEN: Final = 2  # the source line, and an empty one


def read(lines: Lines, number: int, floor: int) -> Block | None:
    """The error whose place stands here, with its callers."""
    frames: list[Frame] = []
    at = end = number
    while at < len(lines) and at - end <= _BETWEEN:
        found = _frame(lines, at)
        at += 1
        if found:
            frames.append(found)
            end = at
    return Block([innermost_first(None, None, frames)], end) if len(frames) > 1 else None


def _frame(lines: Lines, at: int) -> Frame | None:
    if found := lines.made(at, _LINE.match):
        return Frame(found[2], int(found[1]), found[3])
    found = lines.made(at, _AT.match)
    if found is None:
        return None
    name, file = found[3], found[4]
    if file is None and (place := lines.made(at + 1, _IN.match)):
        name, file = place[1], place[2]
    return Frame(file, int(found[1]), _plain(name), column=int(found[2])) if file else None


def _plain(name: str | None) -> str | None:
    if name is None or name.startswith("<anonymous function>"):
        return None
    found = _NAMED.match(name)
    return found[1] if found else name.partition("(")[0] or None


OPERA: Final = Language(
    "javascript",
    (("Error thrown at line ",), ("called from line ",), ("Line ", " script ")),
    read,
    newest_first=True,
)
