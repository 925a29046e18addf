"""From the files that a stack trace prints to the files of a project.

What a machine prints is a path of that machine, a module, or an address; the project knows its own paths.
The longest end that both share decides, if it decides: where several files fit, none is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import Struct

from hefesto_api.domain.correlation.model import Crash, CrashFrame
from hefesto_api.domain.printed_paths import normalized, plausible, shared_end
from hefesto_api.domain.traces import Frame, Trace

if TYPE_CHECKING:
    from hefesto_api.domain.code import FileFacts

MOST_CANDIDATES: Final = 20
JVM: Final = frozenset({"java", "kt", "kts", "scala", "groovy"})


class PathMapping(Struct, frozen=True):
    """A prefix of a stack frame's path, and what the project calls that place."""

    source: str
    target: str


class Located(Struct, frozen=True):
    """Where a file was found. `path` is None for no file and for several: `candidates` names those.

    `how` is mapping, exact, suffix, module, function (the candidates were told apart by the function's
    name or line), ambiguous or missing.
    """

    path: str | None
    how: str
    candidates: tuple[str, ...] = ()


class HasFile(Protocol):
    """Anything with the names of a frame: a trace's, an alert's or a crash's."""

    @property
    def file(self) -> str | None:
        """The path as printed."""

    @property
    def line(self) -> int | None:
        """The line, from 1."""

    @property
    def function(self) -> str | None:
        """The function's name."""

    @property
    def module(self) -> str | None:
        """The module's or package's name."""


MISSING: Final = Located(None, "missing")


class PathIndex:
    """A project's paths, found by how they end. Made once for a revision, it answers in microseconds."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = frozenset(paths)
        self._by_name: dict[str, list[str]] = {}
        for path in sorted(self.paths):
            self._by_name.setdefault(path.rpartition("/")[2], []).append(path)

    def __len__(self) -> int:
        return len(self.paths)

    def __contains__(self, path: object) -> bool:
        return path in self.paths

    def named(self, name: str) -> Sequence[str]:
        """Return the paths whose last part is this name, sorted."""
        return self._by_name.get(name, ())

    @cached_property
    def _folders(self) -> dict[str, dict[str, list[str]]]:
        """The files of each folder, by the folder's last name and its path."""
        found: dict[str, dict[str, list[str]]] = {}
        for path in sorted(self.paths):
            folder = path.rpartition("/")[0]
            found.setdefault(folder.rpartition("/")[2], {}).setdefault(folder, []).append(path)
        return found

    def inside(self, folder: str) -> Sequence[str]:
        """Return the files that lie right in the one folder whose path ends so."""
        named = self._folders.get(folder.rpartition("/")[2], {})
        if folder in named:
            return named[folder]
        found = [one for one in named if one.endswith(f"/{folder}")]
        return named[found[0]] if len(found) == 1 else ()

    def find(
        self, file: str | None, mappings: Iterable[PathMapping] = (), module: str | None = None
    ) -> Located:
        """Find the project's file for a path as a trace printed it."""
        if not file:
            return MISSING
        path = normalized(file)
        for mapping in mappings:
            if (mapped := _mapped(path, mapping)) is not None and mapped in self.paths:
                return Located(mapped, "mapping")
        if path in self.paths:
            return Located(path, "exact")
        if found := self._by_module(path, module):
            return found
        return self._by_suffix(path)

    def _by_suffix(self, path: str) -> Located:
        """Take the one path that shares the most last parts with this one."""
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        if not parts:
            return MISSING
        best, shared = [], 0
        for candidate in self.named(parts[-1]):
            length = shared_end(candidate.split("/"), parts)
            if length > shared:
                best, shared = [candidate], length
            elif length == shared:
                best.append(candidate)
        best = plausible(best, shared, parts, path)
        if len(best) == 1:
            return Located(best[0], "suffix")
        return Located(None, "ambiguous", tuple(best[:MOST_CANDIDATES])) if best else MISSING

    def _by_module(self, path: str, module: str | None) -> Located | None:
        """Find a JVM's file: it prints no folder, but the class and its package."""
        name = path.rpartition("/")[2]
        if not module or "/" in path or name.rpartition(".")[2] not in JVM:
            return None
        parts = [*module.rpartition("/")[2].split(".")[:-1], name]
        for package in (parts, [*parts[:-2], name]):  # a nested class names one part more
            tail = "/".join(package)
            fitting = [one for one in self.named(name) if f"/{one}".endswith(f"/{tail}")]
            if len(fitting) == 1:
                return Located(fitting[0], "module")
            if fitting:
                return Located(None, "ambiguous", tuple(fitting[:MOST_CANDIDATES]))
        # Kotlin may leave the common first packages out of the folders
        fitting = [
            one
            for one in self.named(name)
            if shared_end(one.split("/"), parts) > 1 or len(self.named(name)) == 1
        ]
        return Located(fitting[0], "module") if len(fitting) == 1 else None


def _mapped(path: str, mapping: PathMapping) -> str | None:
    source = normalized(mapping.source).rstrip("/")
    if source and path != source and not path.startswith(f"{source}/"):
        return None
    rest = path[len(source) :].lstrip("/")
    target = mapping.target.strip("/")
    return f"{target}/{rest}" if target and target != "." else rest


def locate(
    trace: Trace | Sequence[HasFile],
    index: PathIndex,
    mappings: Iterable[PathMapping] = (),
    facts: Mapping[str, FileFacts] | None = None,
) -> tuple[CrashFrame, ...]:
    """Find the project's file for each frame of a trace's primary exception, or of the frames given.

    With `facts` of candidate files, those are told apart by the function's name and the line.
    """
    if isinstance(trace, Trace):
        frames: Sequence[HasFile] = () if trace.raised is None else trace.raised.frames
    else:
        frames = trace
    mappings = tuple(mappings)
    known: dict[tuple[str | None, str | None], Located] = {}
    located = []
    for frame in frames:
        key = (frame.file, frame.module)
        if key not in known:
            known[key] = index.find(frame.file, mappings, frame.module)
        located.append(_frame(frame, known[key], facts or {}))
    return tuple(located)


def _frame(frame: HasFile, place: Located, facts: Mapping[str, FileFacts]) -> CrashFrame:
    path = place.path or told_apart(frame, place.candidates, facts)
    return CrashFrame(
        file=frame.file,
        line=frame.line,
        function=frame.function,
        in_app=path is not None,
        project_path=path,
        code=getattr(frame, "code", None) or getattr(frame, "context_line", None),
        module=frame.module,
        candidates=() if path else place.candidates,
    )


def told_apart(frame: HasFile, candidates: Sequence[str], facts: Mapping[str, FileFacts]) -> str | None:
    """Return the one candidate that has the frame's function at the frame's line; None if unsure."""
    name = (frame.function or "").rpartition(".")[2]
    having = [
        (path, any(one.holds(frame.line) for one in facts[path].functions if one.name == name))
        for path in candidates
        if path in facts and any(one.name == name for one in facts[path].functions)
    ]
    exact = [path for path, holds in having if holds]
    fitting = exact or [path for path, _ in having]
    return fitting[0] if len(fitting) == 1 and all(path in facts for path in candidates) else None


def crash_of(
    trace: Trace,
    index: PathIndex,
    mappings: Iterable[PathMapping] = (),
    facts: Mapping[str, FileFacts] | None = None,
) -> Crash:
    """Return a trace's primary exception with its causes (nearest first), frames found in the project."""
    mappings = tuple(mappings)
    if trace.raised is None or trace.primary is None:
        return Crash()
    raised = trace.raised
    causes = [one for at, one in enumerate(trace.exceptions) if at != trace.primary and one.relation]
    return Crash(
        error_type=raised.type,
        error_message=raised.message,
        frames=locate(raised.frames, index, mappings, facts),
        causes=tuple(
            Crash(
                error_type=one.type,
                error_message=one.message,
                frames=locate(one.frames, index, mappings, facts),
                relation=one.relation,
            )
            for one in reversed(causes)
        ),
    )


__all__ = ["Frame", "Located", "PathIndex", "PathMapping", "crash_of", "locate", "normalized"]
