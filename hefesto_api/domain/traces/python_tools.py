"""Python's tracebacks as pytest and rich draw them: `file.py:12: in f`, and boxes of `file.py:12 in f`."""

import re
from typing import Final

from hefesto_api.domain.traces.lines import Lines
from hefesto_api.domain.traces.machine import Block
from hefesto_api.domain.traces.model import Frame, Raised

HINTS: Final = (
    (".py:", ": in "),
    (".py:", "Error"),
    (".py:", "Exception"),
    ("─ Traceback (most recent call last) ─",),
)
_PYTEST: Final = re.compile(
    r"(\S[^:\n]*\.py):(\d{1,9}+): (?:in (\S.*+)|((?:[^\W\d]\w*+\.)*+\w*(?:Error|Exception))$)"
)
_BARE: Final = re.compile(r"(\S[^:\n]*\.py):(\d{1,9}+): ?$")
_SAID: Final = re.compile(r"E {1,8}((?:[^\W\d]\w*+\.)*+[^\W\d]\w*+)(?::[ \t]++(.*+)|$)")
_BOX: Final = re.compile(r"[│|] (\S.*?):(\d{1,9}+) in (\S.*?) *+[│|]$")
_ENDED: Final = re.compile(r"((?:[^\W\d]\w*+\.)*+[A-Z]\w*+)(?::[ \t]++(.*+)|$)")
_SPAN: Final = 60  # lines that may stand between two frames: the source of a whole function


def begins(lines: Lines, number: int) -> bool:
    """Whether pytest or rich printed what begins here."""
    raw = lines.raw[number]
    return "─ Traceback (most recent call last) ─" in raw or lines.made(number, _PYTEST.match) is not None


def read(lines: Lines, number: int, floor: int) -> Block | int:
    """The traceback that begins here; the line behind what was read when it shows no frame."""
    if "─ Traceback (" in lines.raw[number]:
        return _rich(lines, number)
    return _pytest(lines, number, floor)


def _pytest(lines: Lines, number: int, floor: int) -> Block | int:
    frames: list[Frame] = []
    kind: str | None = None
    message: str | None = None
    start = next(
        (n for n in range(number - 1, max(floor, number - _SPAN) - 1, -1) if lines.made(n, _BARE.match)),
        number,
    )
    at = end = start
    while at < len(lines) and at - end < _SPAN and "Traceback (most" not in lines.raw[at]:
        if said := lines.made(at, _SAID.match):
            kind, message = (kind, message) if kind else (said[1], said[2] or "")
        elif found := lines.made(at, _PYTEST.match) or lines.made(at, _BARE.match):
            frames.append(Frame(found[1], int(found[2]), found[3] if found.re is _PYTEST else None))
            end = at + 1
            if found.re is _PYTEST and found[4]:
                kind = kind or found[4]
                break
        at += 1
    sure = kind is not None and frames
    while sure and message is None and (said := lines.made(end, _SAID.match)):
        kind, message, end = said[1], said[2] or "", end + 1
    return (
        Block([Raised(kind, message, tuple(frames), len(frames) - 1)], end) if sure else max(end, number + 1)
    )


def _rich(lines: Lines, number: int) -> Block | int:
    frames: list[Frame] = []
    at = number + 1
    while at < len(lines) and lines[at].strip()[:1] in ("│", "|"):
        if found := lines.made(at, _BOX.match):
            frames.append(Frame(found[1], int(found[2]), found[3]))
        at += 1
    if not frames:
        return at
    ended = next((found for n in range(at, at + 3) if (found := lines.made(n, _ENDED.match))), None)
    kind, message = (ended[1], ended[2] or "") if ended else (None, None)
    return Block([Raised(kind, message, tuple(frames), len(frames) - 1)], at + 2 if ended else at)
