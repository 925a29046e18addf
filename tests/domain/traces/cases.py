"""How the cases of all languages are written down and checked."""

from hefesto_api.domain.traces import Frame, Trace, crash_frame, in_app_frame, parse
from msgspec import Struct

Place = tuple[str | None, int | None, str | None]


class Case(Struct, frozen=True):
    """A text and what it says: frames outermost first, by file, line and function."""

    name: str
    text: str
    type: str | None
    message: str | None
    frames: list[Place]
    crash: int = -1
    in_app: int | None = -1


def place(frame: Frame | None) -> Place | None:
    return None if frame is None else (frame.file, frame.line, frame.function)


def places(trace: Trace) -> list[Place]:
    return [(frame.file, frame.line, frame.function) for frame in trace.frames()]


def check(case: Case, language: str) -> None:
    trace = parse(case.text)
    assert places(trace) == case.frames
    assert trace.language == language
    assert trace.raised is not None
    assert (trace.raised.type, trace.raised.message) == (case.type, case.message)
    assert place(crash_frame(trace)) == case.frames[case.crash]
    assert place(in_app_frame(trace)) == (None if case.in_app is None else case.frames[case.in_app])
