"""Elixir and Erlang under it: `** (Type) message`, then `(app version) file:line: Module.function/arity`."""

import re
from typing import Final

from hefesto_api.domain.traces.lines import Lines
from hefesto_api.domain.traces.machine import Block, Language
from hefesto_api.domain.traces.model import Frame
from hefesto_api.domain.traces.runs import innermost_first, run

_APP: Final = re.compile(r"\(([a-z]\w*+)(?: [\w.+-]++)?\) (.++)$")
_PLACE: Final = re.compile(
    r"([^\s:()]+\.(?:ex|exs|eex|leex|heex|erl|hrl|yrl|xrl)|iex|nofile|elixir_eval):(\d{1,9}+): (\S.*+)$"
)
_CALL: Final = re.compile(r":?[\w.\"@?!-]+\.\S|anonymous fn/")
_ERROR: Final = re.compile(
    r"(?:.{0,200}?)\*\* \((?:EXIT from [^)]*+\) )?\(?([A-Za-z]\w*+(?:\.\w++)*+)\) (.*+)$"
)
_FUNCTION: Final = re.compile(r"(?::[a-z]\w*+|(?:[A-Z]\w*+\.)*[A-Z]\w*+)\.\"?[\w!?@<>/ -]+\"?/\d{1,3}$")
_AFTER: Final = ("code: ", "stacktrace:")  # what a failing test prints below the message
_SILENT: Final = re.compile(r"(?!)")
_BACK = 15


def frame(text: str) -> Frame | None:
    """A line as a frame, or None."""
    text = text[:4_000]
    app = _APP.match(text)
    rest = app[2] if app else text
    if found := _PLACE.match(rest):
        return Frame(found[1], int(found[2]), found[3], module=app[1] if app else None)
    if app and _CALL.match(rest):
        return Frame(None, None, rest, module=app[1])
    return Frame(None, None, text) if _FUNCTION.match(text) else None


def read(lines: Lines, number: int, floor: int) -> Block | int | None:
    """The error whose line, or whose first frame, stands here."""
    if error := lines.made(number, _ERROR.match):
        return _headed(lines, number, error)
    if lines.made(number, frame) is None:
        return None
    frames, end = run(lines, number, frame, _SILENT, noise=1)
    sure = len(frames) > 1 and any(one.module for one in frames)  # a compiler's warnings name places too
    return Block([innermost_first(None, None, frames)], end) if sure else end


def _headed(lines: Lines, number: int, error: re.Match[str]) -> Block | int:
    start = number + 1
    while lines.made(start, frame) is None:
        if start >= min(number + _BACK, len(lines)) or lines.made(start, _ERROR.match):
            return start
        start += 1
    rest = [lines[n].strip() for n in range(number + 1, start)]
    rest = rest[: next((n for n, text in enumerate(rest) if text.startswith(_AFTER)), len(rest))]
    frames, end = run(lines, start, frame, _SILENT, noise=1)
    message = "\n".join([error[2], *rest]).strip()
    return Block([innermost_first(error[1], message, frames)], end)


ELIXIR: Final = Language(
    "elixir", (("** (", ") "), (".ex:", ": "), (".exs:", ": "), (".erl:", ": ")), read, newest_first=True
)
