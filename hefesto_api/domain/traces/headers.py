"""The line that names an exception, above its frames: for languages that print `type: message` first."""

import re
from collections.abc import Callable
from functools import cache
from typing import Final

from msgspec import Struct

from hefesto_api.domain.traces.lines import Lines

_BACK = 15
_LONG: Final = 4_000  # characters of one line that are searched for a name
_DOTTED: Final = r"(?:[^\W\d][\w$]*+(?:\.|::|\\))*+[^\W\d][\w$]*+"
_NAME_END: Final = r"(?<=Error)|(?<=Exception)|(?<=Throwable)|(?<=Failure)|(?<=Warning)|(?<=Fault)|(?<=Death)"
_NAMED: Final = re.compile(
    rf"(?<![\w.$\\:])({_DOTTED})(?:{_NAME_END})(?: \[[\w-]++\])?(?::(?:[ \t]++|$)(.*+)|(?=\s*+$))"
)
_WEAK: Final = re.compile(rf"({_DOTTED})(?::(?:[ \t]++(.*+)|$)|(?=\s*+$))")


_CARET: Final = re.compile(r"[\^~]++$")
_SOURCE: Final = re.compile(r"(?:> )?\d{1,6}+ \||[\^~]++$")


class Header(Struct, frozen=True):
    """What is raised, and the number of the line that says so."""

    type: str | None
    message: str | None
    line: int


def named(text: str) -> re.Match[str] | None:
    """The text as `type: message`, from its start, where the type is named as exceptions are."""
    return _NAMED.match(text)


def above(
    lines: Lines, number: int, floor: int, lead: re.Pattern[str], frame: Callable[[str], object]
) -> Header | None:
    """The header of the frames that begin at `number`, its message's other lines with it.

    `lead` is what the language may print before the type; looking back ends at a line that is a frame.
    """
    before = number - 1
    if before < floor:
        return None
    if found := lines.made(before, _named_behind(lead)):
        return Header(found[1], found[2] or "", before)
    if header := _further(lines, before, floor, lead, frame):
        return header
    text = _without(lines[before].strip()[:_LONG], lead)
    if found := _WEAK.match(text):
        kind = found[1]
        if found[2] is not None or "." in kind or "\\" in kind:
            return Header(kind, found[2] or "", before)
    found = _NAMED.search(text)
    return Header(found[1], found[2] or "", before) if found else None


def _further(
    lines: Lines, before: int, floor: int, lead: re.Pattern[str], frame: Callable[[str], object]
) -> Header | None:
    for back in range(before - 1, max(floor, before - _BACK) - 1, -1):
        if lines.made(back, frame):
            return None
        if found := lines.made(back, _named_behind(lead)):
            rest = [lines[n].strip() for n in range(back + 1, before + 1)]
            return Header(found[1], "\n".join([found[2] or "", *_spoken(rest)]).strip(), back)
    return None


def _spoken(rest: list[str]) -> list[str]:
    """A message's further lines, without the source code that some runtimes show below it."""
    shown = next((n for n, text in enumerate(rest) if _SOURCE.match(text)), len(rest))
    if shown < len(rest) and _CARET.match(rest[shown]):
        shown = max(shown - 1, 0)
    return rest[:shown]


@cache
def _named_behind(lead: re.Pattern[str]) -> Callable[[str], re.Match[str] | None]:
    return lambda text: _NAMED.match(_without(text, lead))


def _without(text: str, lead: re.Pattern[str]) -> str:
    found = lead.match(text)
    return text[found.end() :] if found else text
