"""What most languages share: frames line upon line, and a search for the line that names what happened."""

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from hefesto_api.domain.traces.lines import Lines
from hefesto_api.domain.traces.model import Frame, Raised

FrameOf: TypeAlias = Callable[[str], Frame | None]


def run(
    lines: Lines,
    at: int,
    frame: FrameOf,
    silent: re.Pattern[str],
    noise: int = 3,
    ends: Callable[[str], object] | None = None,
) -> tuple[list[Frame], int]:
    """The frames from line `at` on, in the printed order, and the line behind the last.

    Lines that match `silent` belong to the trace without being frames; up to `noise` others are skipped
    where a frame follows them, and none where a line `ends` the trace.
    """
    frames: list[Frame] = []
    end = at
    while at < len(lines) and at - end <= noise:
        if found := lines.made(at, frame):
            for skipped in range(end, at):
                lines.skip(skipped, "between the frames")
            frames.append(found)
            end = at + 1
        elif ends and lines.made(at, ends):
            break
        elif silent.match(lines[at].strip()):
            end = at + 1 if end == at else end
        at += 1
    return frames, end


def back(
    lines: Lines, number: int, floor: int, pattern: re.Pattern[str], reach: int = 12
) -> tuple[re.Match[str], int] | None:
    """The nearest line above that the pattern matches, no further than `reach` lines off."""
    for above in range(number - 1, max(floor, number - reach) - 1, -1):
        if found := lines.made(above, pattern.match):
            return found, above
    return None


def innermost_first(
    kind: str | None,
    message: str | None,
    frames: Sequence[Frame],
    crash: int = 0,
    omitted: int = 0,
    note: str | None = None,
) -> Raised:
    """What was raised, of frames as printed, innermost first; `crash` counts in that order."""
    last = len(frames) - 1
    at = last - min(crash, last) if frames else None
    return Raised(kind, message, tuple(reversed(frames)), at, omitted=omitted, note=note)


def first_not(frames: Sequence[Frame], machinery: re.Pattern[str]) -> int:
    """The index of the first frame whose function is not of the machinery; 0 if all are."""
    return next((n for n, frame in enumerate(frames) if not machinery.match(frame.function or "")), 0)
