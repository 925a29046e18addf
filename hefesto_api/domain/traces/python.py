"""Python: tracebacks with chains, exception groups, syntax errors and lost indentation; faulthandler."""

import re
from typing import Final

from msgspec import Struct

from hefesto_api.domain.traces import ipython, python_tools
from hefesto_api.domain.traces.lines import Lines, indent
from hefesto_api.domain.traces.machine import OF_ITS_GROUP, Block, Language
from hefesto_api.domain.traces.model import Frame, Raised, Relation

_HEADER: Final = "(most recent call last)"
_FAULT: Final = "(most recent call first)"
_FRAME: Final = re.compile(r'File "([^"]++)", line (\d{1,9}+)(?:,? in (\S.*+))?')
_MARGIN: Final = re.compile(r"( *+)[|+](?: |$)")
_MEMBER: Final = re.compile(r" *+\+(?:-\+)?-{3,}+ [\d.]{1,9}+ -{3,}+$")
_REPEATED: Final = re.compile(r"\[Previous line repeated (\d{1,9}+) more times?\]$")
_WORD: Final = r"(?:[^\W\d]\w*+|<locals>)"
_ERROR: Final = re.compile(rf"((?:{_WORD}\.)*+{_WORD})(?::(?:[ \t]++(.*+))?|(?=\s*+$))")
_NAMED: Final = re.compile(
    r"(?:Error|Exception|Warning|Exit|Interrupt|Group|Iteration|DoesNotExist|Failed?)$"
)
# How Django's page of an error ends, in the place of the traceback's last line.
_PAGE_TYPE: Final = re.compile(r"Exception Type: ((?:[^\W\d]\w*+\.)*+[^\W\d]\w*+)(?: at /.*+)?$")
_PAGE_VALUE: Final = "Exception Value:"
_CARETS: Final = re.compile(r"\s*+[\^~][\s^~]*+$")
_LINKS: Final[dict[str, Relation]] = {
    "During handling of the above exception": "context",
    "The above exception was the direct cause": "cause",
}
_BACK = 4
_NOISE = 6


class _Reading(Struct):
    """Frames so far, with the indentation of the last of them, and where to go on."""

    frames: list[Frame]
    at: int
    depth: int = 0
    omitted: int = 0


def read(lines: Lines, number: int, floor: int) -> Block | int | None:
    """A traceback that begins here, with or without its header; None when it has no frame."""
    if ipython.begins(lines, number):
        return ipython.read(lines, number, floor)
    if python_tools.begins(lines, number):
        return python_tools.read(lines, number, floor)
    raw = lines.raw[number]
    fault = _FAULT in raw
    header = raw.find("Traceback " + _HEADER)
    if header < 0 and not fault:
        return _headless(lines, number, floor)
    if header > 0:
        lines.learn(_before(raw, header))
    reading = _Reading([], number + 1, indent(_plain(lines, number)))
    _frames(lines, reading)
    if fault:
        return _fault(lines, number, floor, reading)
    return _block(lines, number, floor, reading)


def _before(raw: str, header: int) -> str:
    start = raw[:header].removesuffix("Exception Group ")
    found = _MARGIN.match(start)
    if found and found.end() == len(start):
        return ""
    return start if start.strip() else ""


def _headless(lines: Lines, number: int, floor: int) -> Block | None:
    raw = lines.raw[number]
    at = raw.find('File "')
    found = _FRAME.match(raw, at) if at >= 0 else None
    if found is None or not (found[3] or _syntax_error(lines, number)):
        return None
    start = raw[:at].rstrip()
    if start and at == len(start):
        return None
    lines.learn(raw[:at][: len(start) + 1] if start else "")
    if _plain(lines, number).lstrip()[:6] != 'File "':
        return None
    reading = _Reading([], number)
    _frames(lines, reading)
    if start and len(reading.frames) < 2 and _error(_plain(lines, reading.at).strip(), strict=True) is None:
        return None
    return _block(lines, number, floor, reading)


def _syntax_error(lines: Lines, number: int) -> bool:
    following = (_plain(lines, n).strip() for n in range(number + 1, number + 5))
    return any(line.startswith(("SyntaxError", "IndentationError", "TabError")) for line in following)


def _plain(lines: Lines, number: int) -> str:
    """A line without the margin that exception groups draw, as wide as before."""
    line = lines[number]
    found = _MARGIN.match(line)
    return " " * found.end() + line[found.end() :] if found else line


def _frames(lines: Lines, reading: _Reading) -> None:
    noise = 0
    while reading.at < len(lines) and noise <= _NOISE:
        line = _plain(lines, reading.at)
        stripped = line.strip()
        found = _FRAME.match(stripped)
        if found:
            _frame(reading, found, indent(line))
            noise = 0
        elif repeated := _REPEATED.match(stripped):
            reading.omitted += int(repeated[1])
        elif _HEADER in stripped:
            break
        elif not _source(lines, reading, line, stripped):
            if _ends(lines, reading, line, stripped):
                break
            noise += 1
            lines.skip(reading.at, "between the frames of a traceback")
        reading.at += 1


def _frame(reading: _Reading, found: re.Match[str], depth: int) -> None:
    reading.frames.append(Frame(found[1], int(found[2]), found[3]))
    reading.depth = depth


def _source(lines: Lines, reading: _Reading, line: str, stripped: str) -> bool:
    """Whether a line belongs to the frame before it: its source, carets, or nothing at all."""
    if not stripped or _CARETS.match(stripped):
        return True
    if not reading.frames:
        return False
    last = reading.frames[-1]
    deeper = indent(line) > reading.depth
    follows = _FRAME.match(_plain(lines, reading.at - 1).strip()) is not None
    flat = follows and indent(line) == reading.depth and not _error(stripped, strict=True)
    if (deeper or flat) and not stripped.startswith(tuple(_LINKS)):
        if last.code is None:
            reading.frames[-1] = Frame(last.file, last.line, last.function, code=stripped)
        return True
    return False


def _ends(lines: Lines, reading: _Reading, line: str, stripped: str) -> bool:
    """Whether the frames end here: at the exception, or where no other frame follows soon."""
    if reading.frames and _error(stripped, strict=indent(line) > reading.depth):
        return True
    if _MEMBER.match(lines[reading.at]) or stripped.startswith(tuple(_LINKS)):
        return True
    ahead = (_plain(lines, n).lstrip() for n in range(reading.at + 1, reading.at + _NOISE))
    return not any(
        _FRAME.match(text) or (reading.frames and _error(text.strip(), strict=True)) for text in ahead
    )


def _error(line: str, *, strict: bool) -> re.Match[str] | None:
    """The line as `type: message`; strictly, only a type that is named as exceptions are."""
    found = _ERROR.match(line)
    if found is None:
        return None
    last = found[1].rpartition(".")[2]
    if strict or not (last[:1].isupper() or "." in found[1]):
        return found if _NAMED.search(last) else None
    return found


def _block(lines: Lines, number: int, floor: int, reading: _Reading) -> Block | None:
    if not reading.frames:
        return None
    kind, message, end = _raised(lines, reading)
    if kind is None:
        kind, message = _above(lines, number, floor)
    frames = tuple(reading.frames)
    raised = Raised(kind, message, frames, len(frames) - 1, omitted=reading.omitted)
    depth = _depth(lines, number)
    members: list[Raised] = []
    while (found := _bare_member(lines, end)) is not None:
        of = 0 if _depth(lines, end + 1) > depth else OF_ITS_GROUP
        members.append(Raised(found[1], found[2] or "", (), relation="member", of=of))
        end += 2
    link = _link(lines, number, floor)
    member = link == "member"
    return Block([raised, *members], end, 0, None if member else link, member=member, depth=depth)


def _depth(lines: Lines, number: int) -> int:
    found = _MARGIN.match(lines[number])
    return found.end() if found else 0


def _bare_member(lines: Lines, number: int) -> re.Match[str] | None:
    """A member of a group that was never raised itself: a separator, then no more than its name."""
    if not _MEMBER.match(lines[number]) or "Traceback " in lines[number + 1]:
        return None
    return _error(_plain(lines, number + 1).strip(), strict=False)


def _raised(lines: Lines, reading: _Reading) -> tuple[str | None, str | None, int]:
    at = reading.at
    found = _error(_plain(lines, at).strip(), strict=False) if at < len(lines) else None
    if found is None:
        return _of_page(lines, at)
    parts = [found[2] or ""]
    at += 1
    while at < len(lines) and len(parts) < 20 and _continues(lines, at, parts[-1]):
        parts.append(_plain(lines, at).strip())
        at += 1
    return found[1], "\n".join(parts), at


def _of_page(lines: Lines, at: int) -> tuple[str | None, str | None, int]:
    """The type and the message below a traceback on Django's page of an error."""
    found = _PAGE_TYPE.match(lines[at].strip())
    if found is None:
        return None, None, at
    value = lines[at + 1].strip()
    if not value.startswith(_PAGE_VALUE):
        return found[1], "", at + 1
    return found[1], value.removeprefix(_PAGE_VALUE).strip(), at + 2


def _continues(lines: Lines, at: int, before: str) -> bool:
    line = _plain(lines, at)
    stripped = line.strip()
    if not stripped or _HEADER in line or _FRAME.match(stripped) or _MARGIN.match(lines[at]):
        return False
    if stripped.startswith(("+-", *_LINKS)):
        return False
    return line[:1] in " \t" or before.endswith((":", ",", "(", "["))


def _above(lines: Lines, number: int, floor: int) -> tuple[str | None, str | None]:
    """The exception where it is printed before its traceback."""
    line = lines[number - 1].strip() if number > floor else ""
    found = _error(line, strict=True)
    return (found[1], found[2] or "") if found else (None, None)


def _link(lines: Lines, number: int, floor: int) -> Relation | None:
    for back in range(number - 1, max(floor, number - 1 - _BACK) - 1, -1):
        line = _plain(lines, back).strip()
        for text, relation in _LINKS.items():
            if line.startswith(text):
                return relation
        if line:
            return "member" if _MEMBER.match(lines[back]) else None
    return None


def _fault(lines: Lines, number: int, floor: int, reading: _Reading) -> Block | None:
    if not reading.frames:
        return None
    message = None
    for back in range(number - 1, max(floor, number - 3) - 1, -1):
        start, _, rest = lines[back].strip().partition("Fatal Python error: ")
        if rest and not start:
            message = rest.strip()
    frames = tuple(reversed(reading.frames))
    raised = Raised("Fatal Python error" if message else None, message, frames, len(frames) - 1)
    if message is None and floor:
        return Block([], reading.at, others=[raised])
    return Block([raised], reading.at)


PYTHON: Final = Language(
    "python",
    (('File "', '", line '), ("Traceback " + _HEADER,), (_FAULT,), *ipython.HINTS, *python_tools.HINTS),
    read,
    last=True,
)
