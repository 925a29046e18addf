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
    r"|()(SIG[A-Z]++: .*+))$"
)
_RUNTIME: Final = re.compile(r"(?:runtime(?:/debug)?\.|panic$)")
_ELIDED: Final = re.compile(r"\.\.\.(?:(\d++) frames|additional frames) elided\.\.\.")


def read(lines: Lines, number: int, floor: int) -> Block | None:
    """The goroutine that begins here; one that follows another, with no panic of its own, is no exception."""
    text = lines[number].strip()
    start = number
    if _GOROUTINE.match(text):
        start = number + 1
    elif number > floor and _pair(lines, number - 1):
        start, text = number - 1, ""
    else:
        return None
    frames, end, omitted = _frames(lines, start)
    if not frames:
        return None
    kind, message = _panic(lines, min(number, start), floor)
    if kind is None and floor and text:
        return Block([], end, others=[innermost_first(None, None, frames, note=text.rstrip(":"))])
    return Block([innermost_first(kind, message, frames, _crash(frames), omitted)], end)


def _pair(lines: Lines, at: int) -> Frame | None:
    call = lines[at].strip()
    if not call.endswith(")") or not _NAME.match(call[: max(call.rfind("("), 0)]):
        return None
    found = _FILE.match(lines[at + 1].strip())
    return found and Frame(found[1], int(found[2]), call[: call.rfind("(")])


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
        elif text.startswith("created by ") and _FILE.match(lines[at + 1].strip()):
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
    kind, message = found[0][1] or "panic", found[0][2] or found[0][4]
    return ("panic" if "panic" in kind else kind), message.removesuffix(" [recovered]").removesuffix(
        ", repanicked]"
    )


def _crash(frames: list[Frame]) -> int:
    """The frame that called panic, beyond what the runtime puts in between."""
    panics = [n for n, frame in enumerate(frames) if frame.function in ("panic", "runtime.gopanic")]
    start = panics[-1] + 1 if panics else 0
    return start + first_not(frames[start:], _RUNTIME)


GO: Final = Language("go", (("goroutine ", "[", "]:"), (".go:",)), read, newest_first=True)
