"""Rust: a panic's line, before and since 1.73, with or without a backtrace."""

import re
from typing import Final

import msgspec

from hefesto_api.domain.traces.lines import Lines
from hefesto_api.domain.traces.machine import Block, Language
from hefesto_api.domain.traces.model import Frame
from hefesto_api.domain.traces.runs import back, innermost_first

_PANIC: Final = re.compile(
    r"(?:.{0,200}?)thread '[^']*+'(?: \(\d++\))? panicked at (.*+)$|()The application panicked"
)
_PLACE: Final = re.compile(r"(\S[^:\n]*+(?::[\\/][^:\n]++)?):(\d{1,9}+)(?::(\d{1,9}+))?:?$")
_OLD: Final = re.compile(r"', ((?:[A-Za-z]:)?[^:']++):(\d{1,9}+)(?::(\d{1,9}+))?:?$")
_FRAME: Final = re.compile(r"(\d{1,6}+): (?: *+0x[0-9a-f]++ - )?(.++)$")
_AT: Final = re.compile(r"at ((?:[A-Za-z]:)?[^:]++):(\d{1,9}+)(?::(\d{1,9}+))?$")
_HASH: Final = re.compile(r"::h[0-9a-f]{16}$")
_OMITTED: Final = re.compile(r"\[\.\.\. omitted (\d{1,9}+) frames? \.\.\.\]")
_ERROR: Final = re.compile(r"Error: (.++)$")
_MACHINERY: Final = re.compile(
    r"<?(?:&?mut )?(?:std|core|alloc|backtrace|panic_unwind|color_backtrace|color_eyre|anyhow|"
    r"eyre)::|_?rust_(?:begin_unwind|panic)|"
    r"__rust|_?_*begin_unwind|<(?:std|core|alloc|T|U|F|Box)\b|panic_bounds_check|rust_oom|abort$|"
    r"raise$|gsignal$|<unknown>"
)
_MESSAGE = 12


def read(lines: Lines, number: int, floor: int) -> Block | int | None:
    """The panic or error that begins here, with its backtrace."""
    text = lines[number].strip()
    found = _PANIC.match(text[:8_000])
    if found is None:
        return _backtrace_only(lines, number, floor) if text.lower() == "stack backtrace:" else None
    message, site, at = _panic(lines, number, found[1] or "")
    start = next((n for n in range(at, at + 6) if lines[n].strip().lower() == "stack backtrace:"), None)
    if start is None:
        return Block([innermost_first("panic", message, [site])], at) if site else None
    frames, end, omitted = _frames(lines, start + 1)
    if site and not frames:
        frames = [site]
    if not frames:
        return end
    frames, crash = _crash(frames, site)
    return Block([innermost_first("panic", message, frames, crash, omitted)], end)


def _panic(lines: Lines, number: int, rest: str) -> tuple[str, Frame | None, int]:
    """The message, where it happened, and the line behind."""
    if rest[:1] == "'":
        return _old(lines, number, rest)
    place = _PLACE.match(rest)
    site = Frame(place[1], int(place[2]), None, column=int(place[3]) if place[3] else None) if place else None
    if site is None:
        return rest, None, number + 1
    parts: list[str] = []
    at = number + 1
    while at < min(len(lines), number + _MESSAGE):
        text = lines[at].strip()
        if text.startswith(("note: ", "stack backtrace:", "thread '")) or (not text and parts):
            break
        parts.append(text)
        at += 1
    return "\n".join(parts).strip(), site, at


def _old(lines: Lines, number: int, rest: str) -> tuple[str, Frame | None, int]:
    parts = [rest[1:]]
    for at in range(number, min(len(lines), number + _MESSAGE)):
        if at > number:
            parts.append(lines[at].strip())
        if found := _OLD.search(parts[-1][-1_000:]):
            parts[-1] = parts[-1][: -len(found[0])]
            site = Frame(found[1], int(found[2]), None, column=int(found[3]) if found[3] else None)
            return "\n".join(parts), site, at + 1
    return parts[0], None, number + 1


def _frames(lines: Lines, at: int) -> tuple[list[Frame], int, int]:
    frames: list[Frame] = []
    omitted = 0
    while at < len(lines):
        text = lines[at].strip()
        place = _AT.match(text)
        if found := _FRAME.match(text):
            frames.append(Frame(None, None, _HASH.sub("", found[2])))
        elif place and frames and frames[-1].file is None:
            column = int(place[3]) if place[3] else None
            frames[-1] = msgspec.structs.replace(frames[-1], file=place[1], line=int(place[2]), column=column)
        elif place and frames:
            frames.append(Frame(place[1], int(place[2]), None))
        elif left_out := _OMITTED.match(text):
            omitted += int(left_out[1])
        elif not any(_FRAME.match(lines[n].strip()) or _AT.match(lines[n].strip()) for n in (at + 1, at + 2)):
            break
        else:
            lines.skip(at, "between the frames of a backtrace")
        at += 1
    return [frame for frame in frames if frame.function != "<unknown>" or frame.file], at, omitted


def _crash(frames: list[Frame], site: Frame | None) -> tuple[list[Frame], int]:
    """The frame of the panic's place; where no frame has one, it goes to the first beyond the machinery."""
    if site and site.file:
        name = site.file.replace("\\", "/").rpartition("/")[2]
        for index, frame in enumerate(frames):
            if frame.line == site.line and (frame.file or "").replace("\\", "/").rpartition("/")[2] == name:
                return frames, index
    index = next((n for n, frame in enumerate(frames) if not _MACHINERY.match(frame.function or "")), 0)
    if site and all(frame.file is None for frame in frames):
        place = {"file": site.file, "line": site.line, "column": site.column}
        frames = [*frames[:index], msgspec.structs.replace(frames[index], **place), *frames[index + 1 :]]
    return frames, index


def _backtrace_only(lines: Lines, number: int, floor: int) -> Block | int:
    frames, end, omitted = _frames(lines, number + 1)
    if not frames:
        return end
    found = back(lines, number, floor, _ERROR, 20)
    kind, message = ("Error", found[0][1]) if found else (None, None)
    frames, crash = _crash(frames, None)
    return Block([innermost_first(kind, message, frames, crash, omitted)], end)


RUST: Final = Language("rust", (("panicked at ",), ("tack backtrace:",)), read, newest_first=True)
