"""Java, Kotlin, Scala, Groovy and Clojure: `at package.Class.method(File.java:12)`, causes nested below."""

import re
from typing import Final

import msgspec
from msgspec import Struct

from hefesto_api.domain.traces import headers
from hefesto_api.domain.traces.lines import Lines, indent
from hefesto_api.domain.traces.machine import Block, Language, turned
from hefesto_api.domain.traces.model import Frame, Raised, Relation

_PLACE: Final = re.compile(
    r"(?:Native Method|Unknown Source(?::\d{1,9}+)?|<generated>|<unknown>|Unknown)$"
    r"|([^/\\:()\s]++):(\d{1,9}+)$"
    r"|([^/\\:()\s]+\.(?:java|kt|kts|scala|sc|groovy|clj|cljc|gradle|aj|jsp|xtend)|SourceFile)$"
)
_NAME: Final = re.compile(r"[\w$<>@/+%,'`\[\]=!?*&|~^-]++(?:\.[\w$<>@/+%,'`\[\]=!?*&|~^ -]++)++$")
_LEAD: Final = re.compile(
    r'(?:\[error\] |== Java Exception: |Exception in thread "[^"]*+" |Uncaught exception[^:]{0,60}+: |'
    r"Caused by: |Suppressed: |Wrapped by: |Exception: |Process: [\w.]++, PID: \d++ )++"
)
_OMITTED: Final = re.compile(
    r"\.\.\. (\d{1,9}+) (?:more|common frames omitted|frames? (?:omitted|truncated))"
)
_LINKS: Final[dict[str, Relation]] = {
    "Caused by: ": "cause",
    "Suppressed: ": "suppressed",
    "Wrapped by: ": "context",
}
_NOISE = 6
_MESSAGE = 15


class _Open(Struct):
    """An exception whose frames are being read."""

    type: str | None
    message: str | None
    depth: int
    frames: list[Frame]
    relation: Relation | None = None
    of: int | None = None
    omitted: int = 0

    def closed(self) -> Raised:
        frames = tuple(reversed(self.frames))
        crash = len(frames) - 1 if frames else None
        return Raised(self.type, self.message, frames, crash, self.relation, self.of, self.omitted)


def frame(line: str) -> Frame | None:
    """A line as a frame, or None."""
    start, _, rest = line.strip().partition("at ")
    if start or not rest:
        return None
    opened = rest.find("(")
    closed = rest.find(")", opened)
    if opened < 1 or closed < 0:
        return None
    place = _PLACE.match(rest[opened + 1 : closed])
    name = rest[:opened]
    if place is None or not _NAME.match(name):
        return None
    module, name = _module(name)
    at = place[1] or place[3]
    return Frame(at, int(place[2]) if place[2] else None, name, module=module)


def _module(name: str) -> tuple[str | None, str]:
    """The loader and module before a method's name; the slash of a hidden class is part of the name."""
    head, slash, tail = name.partition("/")
    while slash and "$$Lambda" not in head and not tail[:1].isdigit():
        again, slash, rest = tail.partition("/")
        if not slash or "$$Lambda" in again:
            return head or None, tail
        head, tail = f"{head}/{again}", rest
    return None, name


def read(lines: Lines, number: int, floor: int) -> Block | None:
    """The exception whose first frame stands here, with its causes."""
    if lines.made(number, frame) is None and not _prefixed(lines, number):
        return None
    header = headers.above(lines, number, floor, _LEAD, frame)
    head = _header_of(header)
    stack = [head]
    at = number
    while at < len(lines):
        line = lines[at]
        if found := lines.made(at, frame):
            stack[-1].frames.append(found)
        elif (step := _step(lines, at, line, stack)) is None:
            break
        else:
            at = step
        at += 1
    primary = next((i for i in range(len(stack) - 1, -1, -1) if stack[i].relation is None), 0)
    exceptions = [opened.closed() for opened in stack]
    if primary and not any(raised.of is not None and raised.of < n for n, raised in enumerate(exceptions)):
        exceptions, primary = turned(exceptions), len(exceptions) - 1 - primary  # "Wrapped by": causes first
    return Block(exceptions, at, primary)


def _header_of(header: headers.Header | None) -> _Open:
    return _Open(header.type, header.message, 0, []) if header else _Open(None, None, 0, [])


def _prefixed(lines: Lines, number: int) -> bool:
    """Whether the line is a frame behind an unknown prefix, which is then taken off."""
    raw = lines.raw[number]
    for mark in ("\tat ", "    at ", " at "):
        at = raw.find(mark)
        if at > 0 and raw[:at].strip() and frame(raw[at:]):
            lines.learn(raw[:at].rstrip() + (" " if raw[:at].endswith(" ") else ""))
            return lines.made(number, frame) is not None
    return False


def _step(lines: Lines, at: int, line: str, stack: list[_Open]) -> int | None:
    """Read a line that is no frame: the last line it took, or None where the exception ends."""
    text = line.strip()
    if omitted := _OMITTED.match(text):
        stack[-1].omitted += int(omitted[1])
        return at
    for lead, relation in _LINKS.items():
        if text.startswith(lead):
            return _nested(lines, at, text[len(lead) :], stack, relation)
    if text.startswith(("[CIRCULAR REFERENCE", "... suppressed", "|")) and len(text) < 300:
        return at
    return _noise(lines, at)


def _nested(lines: Lines, at: int, text: str, stack: list[_Open], relation: Relation) -> int:
    found = headers.named(text)
    kind, message = (found[1], found[2] or "") if found else _split(text)
    depth = indent(lines[at])
    opened = _Open(kind, message, depth, [], relation, _parent(stack, depth, relation))
    if relation == "context" and opened.of is not None:  # Logback's "Wrapped by": the former is the cause
        stack[opened.of] = msgspec.structs.replace(stack[opened.of], relation="cause", of=len(stack))
        opened.relation, opened.of = None, None
    stack.append(opened)
    end = next((n for n in range(at + 1, at + _MESSAGE) if lines.made(n, frame)), at + 1)
    rest = [lines[n].strip() for n in range(at + 1, end)]
    if rest and not any(line.startswith(tuple(_LINKS)) or _OMITTED.match(line) for line in rest):
        opened.message = "\n".join([message, *rest]).strip()
        return end - 1
    return at


def _split(text: str) -> tuple[str, str]:
    kind, _, message = text.partition(": ")
    return kind, message


def _parent(stack: list[_Open], depth: int, relation: Relation) -> int:
    for index in range(len(stack) - 1, -1, -1):
        if stack[index].depth < depth or (stack[index].depth == depth and relation != "suppressed"):
            return index
    return len(stack) - 1


def _noise(lines: Lines, at: int) -> int | None:
    """Lines of another stream between two frames are skipped; None where no frame of this one follows."""
    for ahead in range(at + 1, min(at + _NOISE, len(lines))):
        text = lines[ahead].strip()
        if lines.made(ahead, frame) or text.startswith(tuple(_LINKS)) or _OMITTED.match(text):
            if headers.named(_unled(lines[ahead - 1].strip())) is not None:
                return None
            for skipped in range(at, ahead):
                lines.skip(skipped, "between the frames of an exception")
            return ahead - 1
    return None


def _unled(text: str) -> str:
    found = _LEAD.match(text)
    return text[found.end() :] if found else text


JVM: Final = Language("java", (("at ", ".", "(", ")"),), read, newest_first=True)
