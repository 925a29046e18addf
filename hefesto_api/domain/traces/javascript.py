"""JavaScript and TypeScript: V8's `at f (file:1:2)`, and `f@file:1:2` of Firefox, Safari and React Native."""

import re
from typing import Final

from hefesto_api.domain.traces import headers, jvm
from hefesto_api.domain.traces.lines import Lines
from hefesto_api.domain.traces.machine import Block, Language
from hefesto_api.domain.traces.model import Frame, Raised, Relation

_NOWHERE: Final = re.compile(
    r"(?:native|<anonymous>|anonymous|index \d{1,9}+|unknown location|unknown|native code)$"
)
_SCRIPT: Final = re.compile(
    r"[a-z][a-z0-9+.-]{1,20}+:/|debugger eval code|\d++$|"
    r".*\.(?:[cm]?[jt]sx?|bundle|jsbundle|html?|vue|svelte)(?:$|[?#])"
)
_PHRASE: Final = re.compile(r"(?:global|eval|module) code$|[\w ./<$]++\*[\w./<$*]*+$")
_FUNCTION: Final = re.compile(r"[\w$.<>#\[\]/*|{}: ,~^@\-]++$")
_LEAD: Final = re.compile(
    r"(?:\(node:\d++\) |Uncaught |\(in promise\) |UnhandledPromiseRejectionWarning: |"
    r"Unhandled Promise Rejection: |"
    r"Unhandled rejection |\[Unhandled Rejection\] |Caused by: |\[cause\]: |Exception: |"
    r"ERROR  ?|error: (?=Uncaught )|● |\[(?=\w+Error))++"
)
_CAUSE: Final = re.compile(r"(?:\[cause\]: |Caused by: |caused by: )")
_CLOSING: Final = " \t]}),"
_MEMBER: Final = re.compile(r"(?:\[errors\]: \[|Errors: \[)")
_NO_PLACE: Final = re.compile(r"@?(?:unknown)?(?::0){1,2}$|\[native code\]$")
_CONSOLE: Final = re.compile(r"(\S++) ((?:https?|file|resource|moz-extension)://\S+?):(\d{1,9}+)$")
_NOISE = 4


def frame(line: str) -> Frame | None:
    """A line as V8 prints a frame, or None."""
    text = line.strip()
    if text[:3] != "at ":
        return None
    text = text[3:].removesuffix(" {").rstrip(",").removeprefix("async ")
    if text[-1:] != ")":
        return _at(None, text) if _path_like(text) else None
    opened = text.find(" (")
    name, place = (text[:opened], text[opened + 2 : -1]) if opened > 0 else _glued(text)
    name, _, _ = name.partition(" [as ")
    if not name or not _FUNCTION.match(name):
        return None
    if place.startswith("eval at "):
        place = place[place.rfind("(") + 1 :].partition(")")[0]
    return _at(name, place)


def _glued(text: str) -> tuple[str, str]:
    opened = text.find("(")
    return (text[:opened], text[opened + 1 : -1]) if opened > 0 and "/" in text[opened:] else ("", "")


def _path_like(text: str) -> bool:
    return (
        "/" in text
        or "\\" in text
        or text.startswith(("<anonymous>", "node:", "[eval]", "index."))
        or (_SCRIPT.match(text.rstrip("0123456789:")) is not None)
    )


def _at(name: str | None, place: str) -> Frame | None:
    name = None if name in ("<anonymous>", "Anonymous function", "anonymous") else name
    head, _, column = place.removeprefix("address at ").rpartition(":")
    file, _, line = head.rpartition(":")
    if column.isdecimal() and len(column) < 10:
        if line.isdecimal() and len(line) < 10 and file:
            return _real(name, file, int(line), int(column))
        if head and not _clock(head):
            return _real(name, head, int(column), None)
    if name and _NOWHERE.match(place):
        return Frame(None, None, name)
    return None


def _clock(head: str) -> bool:
    return head.replace(":", "").isdecimal() or head == "line" or " " in head


def _real(name: str | None, file: str, line: int, column: int | None) -> Frame | None:
    if _clock(file) and not ("/" in file or "\\" in file):
        return None
    if file.startswith("<anonymous>"):
        return Frame(None, None, name) if name else None
    return Frame(file, line, name, column=column)


def gecko(line: str) -> Frame | None:
    """A line as Firefox and Safari print a frame, or None."""
    text = line.strip()
    if len(text) > 2_000:
        return None
    name, sign, place = text.partition("@")
    if not sign:
        return _bare(text)
    if " " in name and _PHRASE.match(name) and "://" in place:
        return _gecko(name, place)
    if " " in name or ("@" in place and "://" not in name + place):
        return _scoped(text)
    return _gecko(name, place)


def _scoped(text: str) -> Frame | None:
    name, _, place = text.rpartition("@")
    return None if " " in name else _gecko(name, place)


def _gecko(name: str, place: str) -> Frame | None:
    name = name.removeprefix("async*")
    if place == "[native code]":
        return Frame(None, None, name) if name else None
    start, evaluated, _ = place.partition(" > ")
    if evaluated and " line " in start:
        file, _, line = start.rpartition(" line ")
        return (
            Frame(file, int(line), name or None)
            if line.isdecimal() and len(line) < 10 and _is_script(name, file)
            else None
        )
    head, _, column = place.rpartition(":")
    if not (head and column.isdecimal() and len(column) < 10):
        return None
    file, _, line = head.rpartition(":")
    if line.isdecimal() and len(line) < 10 and _is_script(name, file):
        return Frame(file, int(line), name or None, column=int(column))
    return Frame(head, int(column), name or None) if _is_script(name, head) else None


def _is_script(name: str, file: str) -> bool:
    if " " in file and "://" not in file:
        return file == "debugger eval code"
    return "://" in file or ("/" not in name and _SCRIPT.match(file) is not None and not file.isdecimal())


def _bare(text: str) -> Frame | None:
    if "://" not in text[:24] or " " in text:
        return None
    found = _gecko("", text)
    return found if found and found.column is not None else None


def _console(text: str) -> Frame | None:
    found = _CONSOLE.match(text)
    if found is None:
        return None
    return Frame(found[2], int(found[3]), None if found[1] == "<anonymous>" else found[1])


def _read_console(lines: Lines, number: int, floor: int) -> Block | int:
    """The error that stands on the line above, as Firefox's console copies it."""
    frames, at = [], number
    while found := lines.made(at, _console):
        frames.append(found)
        at += 1
    header = headers.above(lines, number, max(floor, number - 1), _LEAD, _console)
    return at if header is None else Block([_raised(header, frames, None, None)], at)


def read(lines: Lines, number: int, floor: int) -> Block | int | None:
    """The error whose first frame stands here, with its causes."""
    if "://" in lines.raw[number] and lines.made(number, _console):
        return _read_console(lines, number, floor)
    if "@" in lines.raw[number] and lines[number].strip()[:3] != "at ":
        return _read_gecko(lines, number, floor)
    if not _v8(lines, number):
        return None
    header = headers.above(lines, number, floor, _LEAD, frame)
    exceptions: list[Raised] = []
    groups: list[tuple[int, int]] = []  # the index of each open one, and how far in its members stand
    at, relation, of = number, None, None
    while True:
        frames, at = _frames(lines, at)
        exceptions.append(_raised(header, frames, relation, of))
        following, of = _nested(lines, at), len(exceptions) - 1
        if following is not None and following[1] == "member":
            groups.append((of, _indent(lines[following[0].line])))
        while following is None and groups:
            of, inner = groups[-1]
            if (following := _sibling(lines, at, inner)) is None:
                groups.pop()
        if following is None:
            break
        header, relation, at = following
    only = exceptions[0]
    return Block(exceptions, at) if header or len(only.frames) > 1 or _certain(only) else None


def _certain(raised: Raised) -> bool:
    return raised.frames[0].column is not None and raised.frames[0].function is not None


def _v8(lines: Lines, number: int) -> bool:
    if lines.made(number, frame) and not lines.made(number, jvm.frame):
        return True
    raw = lines.raw[number]
    at = raw.find("    at ")
    if at <= 0 or not raw[:at].strip() or not frame(raw[at:]):
        return False
    lines.learn(raw[:at])
    return lines.made(number, frame) is not None


def _frames(lines: Lines, at: int) -> tuple[list[Frame], int]:
    frames: list[Frame] = []
    while at < len(lines):
        if found := lines.made(at, frame):
            frames.append(found)
        elif (ahead := _beyond(lines, at)) is None:
            break
        else:
            at = ahead
            continue
        at += 1
    return frames, at


def _beyond(lines: Lines, at: int) -> int | None:
    """The next frame behind lines of another stream, or None."""
    for ahead in range(at, min(at + _NOISE, len(lines))):
        if lines.made(ahead, frame):
            for skipped in range(at, ahead):
                lines.skip(skipped, "between the frames of an error")
            return ahead
        text = lines[ahead].strip()[:4_000]
        if _CAUSE.match(text) or _MEMBER.match(text) or headers.named(_unled(text)):
            return None
    return None


def _unled(text: str) -> str:
    found = _LEAD.match(text)
    return text[found.end() :] if found else text


def _nested(lines: Lines, at: int) -> tuple[headers.Header, Relation, int] | None:
    """A cause or a member below an error's frames: its header, and where its frames begin."""
    for number in range(at, min(at + _NOISE, len(lines))):
        text = lines[number].strip()
        member = _MEMBER.match(text) is not None
        if not (member or _CAUSE.match(text)):
            continue
        named = number + 1 if member else number
        found = headers.named(_unled(lines[named].strip()))
        start = next((n for n in range(named + 1, named + _NOISE) if lines.made(n, frame)), None)
        if found and start:
            return headers.Header(found[1], found[2] or "", named), "member" if member else "cause", start
    return None


def _sibling(lines: Lines, at: int, indent: int) -> tuple[headers.Header, Relation, int] | None:
    """The next member of a group: its header stands as far in as the first one's."""
    for number in range(at, min(at + _NOISE, len(lines))):
        text = lines[number]
        if not text.strip(_CLOSING):
            continue
        found = headers.named(_unled(text.strip())) if _indent(text) == indent else None
        start = next((n for n in range(number + 1, number + _NOISE) if lines.made(n, frame)), None)
        if found and start:
            return headers.Header(found[1], found[2] or "", number), "member", start
        return None
    return None


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _raised(
    header: headers.Header | None, frames: list[Frame], relation: Relation | None, of: int | None
) -> Raised:
    kind, message = (header.type, (header.message or "").removesuffix("]")) if header else (None, None)
    if header and header.message and not header.message.startswith("[") and "[" in header.message:
        message = header.message
    ordered = tuple(reversed(frames))
    return Raised(kind, message, ordered, _crash(ordered), relation, of)


def _crash(frames: tuple[Frame, ...]) -> int | None:
    """The innermost frame that is not the error's own constructor."""
    for index in range(len(frames) - 1, -1, -1):
        frame = frames[index]
        if frame.file is not None or not (frame.function or "").endswith("Error"):
            return index
    return len(frames) - 1 if frames else None


def _read_gecko(lines: Lines, number: int, floor: int) -> Block | int | None:
    if lines.made(number, gecko) is None:
        return None
    start = number
    while start > floor and lines.made(start - 1, gecko):  # what stands there was not read for another trace
        start -= 1
    at = start
    frames: list[Frame] = []
    while at < len(lines):
        if found := lines.made(at, gecko):
            frames.append(found)
        elif not (_NO_PLACE.match(lines[at].strip()) and lines.made(at + 1, gecko)):
            break
        at += 1
    header = headers.above(lines, start, floor, _LEAD, gecko)
    if not any(found.line for found in frames) or (len(frames) < 2 and header is None):
        return at
    return Block([_raised(header, frames, None, None)], at)


JAVASCRIPT: Final = Language(
    "javascript",
    (("at ", ":"), ("at ", " (", ")"), ("@", ":"), ("@[native",), (" ", "://", ":")),
    read,
    newest_first=True,
)
