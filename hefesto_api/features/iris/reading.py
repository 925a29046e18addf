"""From what a sender told to a crash: its stack as text or as frames, each frame found in the project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from hefesto_api.domain import mapping, traces
from hefesto_api.domain.correlation import Crash, CrashFrame
from hefesto_api.domain.mapping import PathIndex, PathMapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hefesto_api.domain.alert import IncomingAlert, ReportedFrame
    from hefesto_api.domain.code import FileFacts


class Places(Struct, frozen=True):
    """Where frames are looked for: a project's paths, and what the project calls a machine's prefixes."""

    index: PathIndex
    mappings: tuple[PathMapping, ...] = ()

    def holds(self, frame: traces.Frame) -> bool:
        """Tell whether a frame is the project's, or may be."""
        found = self.index.find(frame.file, self.mappings, frame.module)
        return found.path is not None or bool(found.candidates)


def places(paths: Iterable[str], mappings: Iterable[Mapping[str, str]]) -> Places:
    """Make places of a project's paths and its mappings as they are kept."""
    return Places(PathIndex(paths), tuple(PathMapping(one["from"], one["to"]) for one in mappings))


def trace_of(incoming: IncomingAlert) -> traces.Trace | None:
    """Read the stack trace of an alert; None for one that came with frames, or without any stack."""
    if incoming.frames or any(cause.frames for cause in incoming.causes):
        return None
    for text in (incoming.stacktrace, incoming.description, incoming.error_message):
        if text and "\n" in text.strip():
            trace = traces.parse(text)
            if trace.primary is not None:
                return trace
    return traces.parse(incoming.stacktrace) if incoming.stacktrace else None


def crash_of(
    incoming: IncomingAlert,
    trace: traces.Trace | None,
    where: Places,
    code: Mapping[str, FileFacts] | None = None,
) -> Crash:
    """Return the crash that an alert tells of; with facts of code, files of one name are told apart."""
    if trace is None or trace.primary is None:
        return Crash(
            error_type=incoming.error_type,
            error_message=incoming.error_message,
            frames=_reported(incoming.frames, where, code),
            causes=tuple(
                Crash(
                    error_type=one.error_type,
                    error_message=one.error_message,
                    frames=_reported(one.frames, where, code),
                )
                for one in incoming.causes
            ),
        )
    crash = mapping.crash_of(trace, where.index, where.mappings, code)
    missing: dict[str, Any] = {}
    if not crash.error_type:
        missing["error_type"] = incoming.error_type
    if not crash.error_message:
        missing["error_message"] = incoming.error_message
    return replace(crash, **missing) if missing else crash


def _reported(
    frames: Sequence[ReportedFrame], where: Places, code: Mapping[str, FileFacts] | None
) -> tuple[CrashFrame, ...]:
    """Find frames that came structured: by the place on the machine, else by the name that was sent."""
    by_place = mapping.locate(
        [_frame(one, one.abs_path or one.file) for one in frames], where.index, where.mappings, code
    )
    by_name = mapping.locate(
        [_frame(one, one.file or one.abs_path) for one in frames], where.index, where.mappings, code
    )
    return tuple(
        replace(place if place.in_app or not name.in_app else name, file=one.file or one.abs_path)
        for one, place, name in zip(frames, by_place, by_name, strict=True)
    )


def _frame(one: ReportedFrame, file: str | None) -> traces.Frame:
    return traces.Frame(file, one.line, one.function, one.module, one.column, one.context_line, one.in_app)
