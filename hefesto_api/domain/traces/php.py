"""PHP: uncaught exceptions and fatal errors, with PHP's own stack trace or Xdebug's."""

import re
from typing import Final

from hefesto_api.domain.traces.lines import Lines
from hefesto_api.domain.traces.machine import Block, Language
from hefesto_api.domain.traces.model import Frame, Raised
from hefesto_api.domain.traces.runs import innermost_first, run

_FRAME: Final = re.compile(
    r"#\d{1,6}+ (?:(\S[^(]*+)\((\d{1,9}+)\)|(\[internal function\])|(\S[^:(]*+)): (.*+)$"
)
_MAIN: Final = re.compile(r"#\d{1,6}+ \{main\}|thrown in ")
_BARE: Final = re.compile(r"((?:/|[A-Za-z]:\\)[^:\n]+\.(?:php|phtml|inc)):(\d{1,9}+)$")  # PHPUnit's
_CONSOLE: Final = re.compile(  # Symfony's
    r"(?:(\S[^()]*+)\([^)]*+\) )?at (\S[^:\n]*+(?::[\\/][^:\n]++)?):(\d{1,9}+)$"
)
_NAMED: Final = re.compile(r"((?:\w++\\)*+\w*(?:Exception|Error)): (.++)$")
_BOXED: Final = re.compile(r"\[((?:\w++\\)*+[A-Z]\w*+)(?: \([^)]*+\))?\]$")
_XDEBUG: Final = re.compile(r"(?:PHP )?\s*+\d{1,6}+\. (\S[^(]*+\()(.*+)$")
_THROWN: Final = re.compile(
    r"(?:(?:PHP )?(?:Fatal error|Recoverable fatal error|Warning|Catchable fatal error): {1,2})?"
    r"(?:(?:PHP )?(?:Uncaught |Next ))?(?:exception )?'?((?:\w++\\)*+[A-Z]\w*+)'?(?::| with message) (.*+)$"
)
_FATAL: Final = re.compile(
    r"(?:PHP )?((?:Fatal|Parse|Recoverable fatal|Catchable fatal) error): {1,2}(\S.*+)$"
)
_OBJECT: Final = re.compile(r".*?\[object\] \(([\w\\]++)\(code: [^)]*+\): (.*+)$")
_PLACE: Final = re.compile(r"(.*) (?:in|at) ((?:[A-Za-z]:)?[^\s:][^:]*+)(?::| on line )(\d{1,9}+)\)?$")
_NOTHING: Final = re.compile(r"(?!)")
_STARTS: Final = ("Stack trace:", "PHP Stack trace:", "[stacktrace]", "Call Stack:")
_CONSOLE_START: Final = "Exception trace:"
_PHP: Final = re.compile(r"PHP (?:Fatal|Parse|Recoverable fatal) error")
_BACK = 10


def frame(text: str) -> Frame | None:
    """A numbered line as a frame, or None."""
    found = _FRAME.match(text[:8_000])
    if found is None:
        return None
    function = found[5].partition("(")[0].strip().replace("\\\\", "\\")
    if (
        not function
        or (found[1] or "").endswith(" ")
        or (found[4] and "->" not in function and "::" not in function)
    ):
        return None
    return Frame(found[1] or found[4], int(found[2]) if found[2] else None, function)


def read(lines: Lines, number: int, floor: int) -> Block | int | None:
    """The exception whose stack or whose fatal error stands here, with those it was chained to."""
    text = lines[number].strip()
    if text.endswith(_STARTS) and "#" not in text:
        return _traced(lines, number, floor)
    if lines.made(number, frame):
        return _untitled(lines, number, floor)
    if lines.made(number, _bare):
        return _listed(lines, number, floor)
    if text.startswith(_CONSOLE_START):
        return _boxed(lines, number, floor)
    found = _fatal(text[:8_000])
    if found is None or any(lines[n].strip().endswith(_STARTS) for n in (number + 1, number + 2)):
        return None
    kind, message, site = found
    thrown = _THROWN.match(message)
    if thrown and "Uncaught" in message:
        kind, message = thrown[1], thrown[2]
    return Block([innermost_first(kind, message, [site])], number + 1)


def _bare(text: str) -> Frame | None:
    found = _BARE.match(text)
    return found and Frame(found[1], int(found[2]), None)


def _listed(lines: Lines, number: int, floor: int) -> Block | int:
    """PHPUnit's: the error, an empty line, and places without functions."""
    frames, end = run(lines, number, _bare, _NOTHING, noise=0)
    for above in range(number - 1, max(floor, number - _BACK) - 1, -1):
        if found := lines.made(above, _NAMED.match):
            rest = (lines[n].strip() for n in range(above + 1, number))
            return Block([innermost_first(found[1], "\n".join([found[2], *rest]).strip(), frames)], end)
    return end


def _console(text: str) -> Frame | None:
    found = _CONSOLE.match(text)
    return found and Frame(found[2], int(found[3]), (found[1] or "").strip() or None)


def _boxed(lines: Lines, number: int, floor: int) -> Block | None:
    """Symfony's console: the type in brackets, the message below it, and where each function was called."""
    frames, end = run(lines, number + 1, _console, _NOTHING, noise=1)
    if not frames:
        return None
    kind = message = None
    for above in range(number - 1, max(floor, number - _BACK) - 1, -1):
        if found := lines.made(above, _BOXED.match):
            rest = (lines[n].strip() for n in range(above + 1, number))
            kind, message = found[1], "\n".join(rest).strip()
            break
    return Block([innermost_first(kind, message, frames)], end)


def _fatal(text: str) -> tuple[str, str, Frame] | None:
    """A fatal error of one line: its kind, its message and its place."""
    found = _PHP.search(text)
    found = _FATAL.match(text, found.start() if found else 0)
    if found is None:
        return None
    head, on, line = found[2].rpartition(" on line ")
    message, inside, file = head.rpartition(" in ")
    if not (on and inside and line.isdecimal() and len(line) < 10):
        return None
    return found[1], message, Frame(file, int(line), None)


def _untitled(lines: Lines, number: int, floor: int) -> Block | None:
    frames, end = run(lines, number, frame, _MAIN)
    main = any(_MAIN.match(lines[n].strip()) for n in range(end - 1, end + 2))
    if not main and len(frames) < 2:
        return None
    kind, message, site = _above(lines, number, floor)
    return Block([innermost_first(kind, message, [site, *frames] if site else frames)], end)


def _traced(lines: Lines, number: int, floor: int) -> Block | None:
    exceptions: list[Raised] = []
    start, at = floor, number
    while True:
        kind, message, site = _above(lines, at, start)
        frames, end = _frames(lines, at + 1)
        if not frames and site is None:
            break
        if exceptions:
            exceptions[-1] = _causing(exceptions[-1], len(exceptions))
        exceptions.append(innermost_first(kind, message, [site, *frames] if site else frames))
        start = end
        following = next((n for n in range(end, end + _BACK) if lines[n].strip().endswith(_STARTS)), None)
        if following is None or not any(lines[n].strip().startswith("Next ") for n in range(end, following)):
            break
        at = following
    return Block(exceptions, end, len(exceptions) - 1) if exceptions else None


def _causing(raised: Raised, of: int) -> Raised:
    return Raised(raised.type, raised.message, raised.frames, raised.crash, "cause", of)


def _frames(lines: Lines, at: int) -> tuple[list[Frame], int]:
    frames, end = run(lines, at, frame, _MAIN, noise=0)
    if frames:
        return frames, end
    outermost, last = run(lines, at, _xdebug, _MAIN, noise=0)
    return (outermost[::-1], last) if outermost else (frames, end)


def _xdebug(text: str) -> Frame | None:
    found = _XDEBUG.match(text[:8_000])
    if found is None:
        return None
    _, _, place = text.rpartition(") ")
    file, _, line = place.rpartition(":")
    if not file or not line.isdecimal() or len(line) > 9:
        return None
    return Frame(file, int(line), found[1][:-1])


def _above(lines: Lines, number: int, floor: int) -> tuple[str | None, str | None, Frame | None]:
    """The type, the message and the place of the throw, above a stack."""
    below: list[str] = []
    for above in range(number - 1, max(floor, number - _BACK) - 1, -1):
        fatal, thrown = lines.made(above, _header)
        if fatal:
            return fatal
        if thrown:
            message, site = _split("\n".join([thrown[2], *reversed(below)]))
            return thrown[1], message, site
        text = lines[above].strip()[:4_000]
        below.append(text)
        if lines.made(above, frame) or text.endswith(_STARTS):
            break
    return None, None, None


def _header(text: str) -> tuple[tuple[str, str, Frame] | None, re.Match[str] | None]:
    """The line as a fatal error that is no exception, or as an exception's."""
    if started := _PHP.search(text):
        text = text[started.start() :]
    if " error" in text and (fatal := _fatal(text)) and _THROWN.match(fatal[1]) is None:
        return fatal, None
    return None, ("[object] (" in text and _OBJECT.match(text)) or _THROWN.match(text)


def _split(message: str) -> tuple[str, Frame | None]:
    rest, newline, last = message.rpartition("\n")
    found = _PLACE.match(last)
    if found is None:
        return message, None
    return (rest + newline + found[1]).strip().strip("'"), Frame(found[2], int(found[3]), None)


PHP: Final = Language(
    "php",
    (
        ("#0 ", ": "),
        *((start,) for start in ("Stack trace:", "[stacktrace]", "Call Stack:")),
        (_CONSOLE_START,),
        (".php:",),
        *((start,) for start in ("Fatal error: ", "Parse error: ", "fatal error: ")),
    ),
    read,
)
