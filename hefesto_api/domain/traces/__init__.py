"""Stack traces: raw text in, exceptions and frames out, whatever language printed it.

`parse` reads; `crash_frame` and `in_app_frame` answer the two questions that are asked of a trace. A
language is one file: the texts by which its lines are known, and a reader; `registry` lists them. All of
it is pure, does not raise, and takes time in proportion to the text, whoever wrote it.
"""

import msgspec

from hefesto_api.domain.traces.guess import IsInApp, guess
from hefesto_api.domain.traces.machine import read
from hefesto_api.domain.traces.model import Frame, Raised, Relation, Trace, Unread
from hefesto_api.domain.traces.registry import LANGUAGES

__all__ = [
    "Frame",
    "IsInApp",
    "Raised",
    "Relation",
    "Trace",
    "Unread",
    "crash_frame",
    "in_app_frame",
    "parse",
]


def parse(text: str, is_in_app: IsInApp | None = None) -> Trace:
    """Read the stack trace in a text; a text without one gives a Trace without exceptions.

    `is_in_app` decides each frame's `in_app`; without it a guess by path and name does. Line numbers in
    `unread` count the text's lines after escaped line ends ("\\n" in a JSON string) were undone.
    """
    trace = read(text, LANGUAGES)
    if trace.language is None:
        return trace
    decide = is_in_app or guess(trace.language, trace.frames())
    return msgspec.structs.replace(
        trace,
        exceptions=tuple(_decided(raised, decide) for raised in trace.exceptions),
        others=tuple(_decided(raised, decide) for raised in trace.others),
    )


def _decided(raised: Raised, decide: IsInApp) -> Raised:
    frames = tuple(msgspec.structs.replace(frame, in_app=decide(frame)) for frame in raised.frames)
    return msgspec.structs.replace(raised, frames=frames)


def crash_frame(trace: Trace) -> Frame | None:
    """The frame where the primary exception was raised; None without frames."""
    raised = trace.raised
    return None if raised is None or raised.crash is None else raised.frames[raised.crash]


def in_app_frame(trace: Trace, is_in_app: IsInApp | None = None) -> Frame | None:
    """The application's innermost frame: of the primary exception, else of its causes, the nearest first.

    `is_in_app` decides; without it the frames' own `in_app` does. None where no frame is the application's.
    """
    if trace.primary is None:
        return None
    decide = is_in_app or (lambda frame: bool(frame.in_app))
    for raised in _chain(trace, trace.primary):
        end = len(raised.frames) if raised.crash is None else raised.crash + 1
        for frame in reversed(raised.frames[:end]):
            if decide(frame):
                return frame
    return None


def _chain(trace: Trace, primary: int) -> list[Raised]:
    """The primary exception and all that hangs on it, breadth first."""
    children: dict[int, list[int]] = {}
    for index, raised in enumerate(trace.exceptions):
        if raised.of is not None:
            children.setdefault(raised.of, []).append(index)
    order, seen = [primary], {primary}
    for index in order:
        for child in children.get(index, []):
            if child not in seen:
                seen.add(child)
                order.append(child)
    return [trace.exceptions[index] for index in order]
