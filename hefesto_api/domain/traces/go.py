"""Go: a panic or fatal error, then goroutines of two lines a frame."""

import re
from typing import Final

from hefesto_api.domain.traces.lines import Lines
from hefesto_api.domain.traces.machine import Block, Language
from hefesto_api.domain.traces.model import Frame
from hefesto_api.domain.traces.runs import back, first_not, innermost_first

_GOROUTINE: Final = re.compile(r"goroutine \d{1,12}+(?: [^\[]{0,60}+)? ?\[[^\]]++\](?: \{[^}]*+\})?:$")
_FILE: Final = re.compile(
    r"(\S(?:[^:]|:(?!\d))*\.(?:go|s|c|cgo1\.go)):(\d{1,9}+)(?: \+0x[0-9a-f]++)?(?: .*+)?$"
)
_NAME: Final = re.compile(r"[\w./%*()\[\]{}·$@~,-]++(?:\[[\w.,*\[\]{} ]++\][\w.()*]*+)?$")
_PANIC: Final = re.compile(
    r"(?:(?:.{0,200}? )??(panic|fatal error|runtime error|unexpected fault address|"
    r"http: panic serving [^ ]+): (.*+)"
    r"|(SIG[A-Z]++): (.*+))$"
)
_RUNTIME: Final = re.compile(r"(?:runtime(?:/debug)?\.|panic$)")
_BARE: Final = re.compile(r"[\w./%*()\[\]{}·~-]++$")  # a call as %+v of pkg/errors prints it
_RECOVERED: Final = re.compile(r" \[recovered(?:, repanicked)?\]$")
_ELIDED: Final = re.compile(r"\.\.\.(?:(\d++) frames|additional frames) elided\.\.\.")


def read(lines: Lines, number: int, floor: int) -> Block | None:
    """The goroutine that begins here; one that follows another, with no panic of its own, is no exception."""
    title = lines[number].strip()
    start = number
    if _GOROUTINE.match(title):
        start = number + 1
    elif number > floor and _pair(lines, number - 1):
        start, title = number - 1, lines[number - 2].strip() if number - 1 > floor else ""
    else:
        return None
    frames, end, omitted = _frames(lines, start)
    if not frames:
        return None
    kind, message = _panic(lines, min(number, start), floor)
    if kind is None and floor and _GOROUTINE.match(title):
        return Block([], end, others=[innermost_first(None, None, frames, note=title.rstrip(":"))])
    others = []
    if title == "runtime stack:" and (stack := _running(lines, end)):
        others = [innermost_first(None, None, frames, note="runtime stack")]
        frames, end, omitted = stack
    return Block([innermost_first(kind, message, frames, _crash(frames), omitted)], end, others=others)


def _running(lines: Lines, at: int) -> tuple[list[Frame], int, int] | None:
    """The goroutine that the runtime's own stack stands above."""
    start = next((n for n in range(at, at + 3) if _GOROUTINE.match(lines[n].strip())), None)
    found = _frames(lines, start + 1) if start is not None else None
    return found if found and found[0] else None


def _pair(lines: Lines, at: int) -> Frame | None:
    place = lines.made(at + 1, _FILE.match)
    if place is None:
        return None
    call = lines[at].strip()
    name = call[: max(call.rfind("("), 0)]
    if call.endswith(")") and _NAME.match(name):
        return Frame(place[1], int(place[2]), name)
    bare = _BARE.match(call) and "." in call and lines[at + 1][:1] in " \t"
    return Frame(place[1], int(place[2]), call) if bare else None


def _frames(lines: Lines, at: int) -> tuple[list[Frame], int, int]:
    frames: list[Frame] = []
    omitted = 0
    while at < len(lines):
        text = lines[at].strip()
        if frame := _pair(lines, at):
            frames.append(frame)
            at += 2
        elif elided := _ELIDED.match(text):
            omitted += int(elided[1] or 0)
            at += 1
        elif text.startswith("created by ") and lines.made(at + 1, _FILE.match):
            return frames, at + 2, omitted
        elif (
            ahead := next((n for n in range(at + 1, at + 4) if text and _pair(lines, n)), None)
        ) is not None:
            if _GOROUTINE.match(text) or any(_GOROUTINE.match(lines[n].strip()) for n in range(at, ahead)):
                break
            for skipped in range(at, ahead):
                lines.skip(skipped, "between the frames of a goroutine")
            at = ahead
        else:
            break
    return frames, at, omitted


def _panic(lines: Lines, number: int, floor: int) -> tuple[str | None, str | None]:
    """The first panic of those above: what follows it was raised while it was being handled."""
    found = None
    while nearer := back(lines, number if found is None else found[1], floor, _PANIC, 8):
        found = nearer
    if found is None:
        return None, None
    kind, message = (found[0][1], found[0][2]) if found[0][1] else (found[0][3], found[0][4])
    return ("panic" if "panic" in kind else kind), _RECOVERED.sub("", message)


def _crash(frames: list[Frame]) -> int:
    """The frame that called panic, beyond what the runtime puts in between."""
    panics = [n for n, frame in enumerate(frames) if frame.function in ("panic", "runtime.gopanic")]
    start = panics[-1] + 1 if panics else 0
    return start + first_not(frames[start:], _RUNTIME)


GO: Final = Language("go", (("goroutine ", "[", "]:"), (".go:",)), read, newest_first=True)
