"""Dart and Flutter: numbered frames, and the terse lines of the stack_trace package."""

import re
from typing import Final

from hefesto_api.domain.traces.lines import Lines
from hefesto_api.domain.traces.machine import Block, Language
from hefesto_api.domain.traces.model import Frame
from hefesto_api.domain.traces.runs import innermost_first, run

_FRAME: Final = re.compile(
    r"#\d{1,6}+ {2,}+(\S.*?) \(((?:package|dart|file|http|https|"
    r"org-dartlang-\w++):[^()\s]*?)(?::(\d{1,9}+))?(?::(\d{1,9}+))?\)$"
)
_TERSE: Final = re.compile(
    r"((?:package|dart|file):[^\s:]\S*+|[\w./-]+\.dart) (?:(\d{1,9}+):(\d{1,9}+) {1,}+| {2,}+)(\S.*+)$"
)
_SILENT: Final = re.compile(r"<asynchronous suspension>|===== asynchronous gap|\(elided |\.\.\. ")
_FLUTTER: Final = re.compile(r"The following (?:(\w++) was thrown|message was thrown)")
_NAMED: Final = re.compile(
    r"(?:Unhandled exception: ?|.{0,120}?Unhandled Exception: )?_?(\w*(?:Exception|"
    r"Error)\w*)(?: \([^)]*\))?(?:: (.*+)|$)"
)
_KNOWN: Final = {
    "Bad state": "StateError",
    "Invalid argument(s)": "ArgumentError",
    "Invalid argument": "ArgumentError",
    "Unsupported operation": "UnsupportedError",
    "UnimplementedError": "UnimplementedError",
}
_STARTS: Final = ("Unhandled exception:", "Unhandled Exception:")
_BACK = 12
_FAR = 40


def frame(text: str) -> Frame | None:
    """A line as a frame, or None."""
    if found := _FRAME.match(text[:4_000]):
        line, column = (int(n) if n else None for n in found.group(3, 4))
        return Frame(found[2], line, found[1], column=column)
    if found := _TERSE.match(text[:4_000]):
        line, column = (int(n) if n else None for n in found.group(2, 3))
        return Frame(found[1], line, found[4], column=column)
    return None


def read(lines: Lines, number: int, floor: int) -> Block | None:
    """The error whose first frame stands here."""
    if lines.made(number, frame) is None:
        return None
    frames, end = run(lines, number, frame, _SILENT)
    kind, message = _above(lines, number, floor)
    numbered = lines[number].strip().startswith("#")
    if kind is None and message is None and len(frames) < 2 and not numbered:
        return None
    return Block([innermost_first(kind, message, frames)], end)


def _above(lines: Lines, number: int, floor: int) -> tuple[str | None, str | None]:
    texts = [lines[n].strip()[:2_000] for n in range(max(floor, number - _FAR), number)]
    for at in range(len(texts) - 1, -1, -1):
        near = len(texts) - at <= _BACK
        if found := _FLUTTER.match(texts[at]):
            return found[1], next((text for text in texts[at + 1 :] if text), None)
        _, sign, rest = texts[at].partition("nhandled ")
        if sign and rest[:10].lower() == "exception:":
            body = [text for text in [rest[10:].strip(), *texts[at + 1 :]] if text]
            return _named(body)
        if near and (found := _NAMED.match(texts[at])) and found[1] != "Error":
            return found[1], "\n".join([found[2] or "", *(text for text in texts[at + 1 :] if text)]).strip()
        if near and lines.made(number - len(texts) + at, frame):
            break
    return None, None


def _named(body: list[str]) -> tuple[str | None, str | None]:
    if not body:
        return None, None
    if found := _NAMED.match(body[0]):
        return found[1], "\n".join([found[2] or "", *body[1:]]).strip()
    head, _, rest = body[0].partition(": ")
    kind = _KNOWN.get(head)
    return kind, "\n".join([rest if kind else body[0], *body[1:]]).strip()


DART: Final = Language(
    "dart", (("#0 ", "(", ":"), ("package:", " "), ("dart:", " "), (".dart ",)), read, newest_first=True
)
