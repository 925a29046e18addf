"""Whose facts a correlation needs: the files of the trace, and what they draw in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hefesto_api.domain.correlation import lookup, message, modules
from hefesto_api.domain.correlation.groups import unwrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from hefesto_api.domain.code import FileFacts
    from hefesto_api.domain.correlation.model import Crash
    from hefesto_api.domain.mapping import PathIndex

MOST: Final = 30
OF_TRACE: Final = 18  # the rest is left to imports
NEAREST: Final = 6  # files of the trace whose imports are followed


def wanted_paths(
    crash: Crash,
    code: Mapping[str, FileFacts] | None = None,
    index: PathIndex | None = None,
    limit: int = MOST,
) -> tuple[str, ...]:
    """Return the project's files whose facts, findings and changes `rank` would use, nearest first.

    Without `code` those of the trace; with the facts of some of them, and the project's paths, also what
    the nearest of them import: what is called where the crash came by, bases, what the message names.
    """
    crash = unwrapped(crash)
    of_trace = list(dict.fromkeys(_of_trace(crash)))[:OF_TRACE]
    found = dict.fromkeys(of_trace)
    if code and index is not None:
        named = message.read(crash).words
        drawn: dict[str, float] = {}
        for place, path in enumerate(of_trace[:NEAREST]):
            if path in code:
                for other, weight in _imported(code[path], crash, named, index):
                    drawn[other] = drawn.get(other, 0.0) + weight / (1 + place)
        for path in [one for one in drawn if one.endswith(("/__init__.py", "/index.js", "/index.ts"))]:
            if path in code:  # a package hands on what others define
                for other, weight in _handed_on(code[path], named, index):
                    drawn[other] = drawn.get(other, 0.0) + weight
        found |= dict.fromkeys(sorted(drawn, key=lambda one: (-drawn[one], one)))
    return tuple(found)[:limit]


def gather(
    crash: Crash,
    facts_of: Callable[[str], FileFacts | None],
    index: PathIndex | None = None,
    limit: int = MOST,
    find: Callable[[str], Iterable[str]] | None = None,
) -> dict[str, FileFacts]:
    """Collect the facts that `rank` wants: of the trace's files first, then of what they draw in.

    `find` returns the project's files in which a name stands as a word; with it, a few files beyond `limit`
    come from what the message names.
    """
    code: dict[str, FileFacts] = {}
    asked: set[str] = set()
    for _ in range(3):
        for path in wanted_paths(crash, code, index, limit):
            if path not in asked:
                asked.add(path)
                if (facts := facts_of(path)) is not None:
                    code[path] = facts
    for path in lookup.files_naming(message.read(unwrapped(crash)), find) if find and code else ():
        if path not in asked:
            asked.add(path)
            if (facts := facts_of(path)) is not None:
                code[path] = facts
    return code


def _of_trace(crash: Crash) -> Iterator[str]:
    for one in (crash, *crash.causes):
        for frame in reversed(one.frames):
            if frame.project_path:
                yield frame.project_path
            yield from frame.candidates


def _imported(
    facts: FileFacts, crash: Crash, named: frozenset[str], index: PathIndex
) -> Iterator[tuple[str, float]]:
    """Yield the files that a file imports and that promise something: to read the others gains nothing."""
    bases = {base for one in facts.classes for base in one.bases}
    near: set[str] = set()
    for frame in crash.frames:
        if frame.project_path == facts.path and frame.line:
            holder = facts.enclosing(frame.line)
            if holder is not None:
                near.update(call.name for call in holder.calls)
                near.update((call.receiver or "").partition(".")[0] for call in holder.calls)
    for one in facts.imports:
        promise = _promise({*one.names, one.module.rpartition(".")[2]}, near, bases, named)
        if promise:
            for path in modules.files_of(one.module, facts.path, facts.language, index):
                yield path, promise
        if facts.language == "python":  # `from package import module`
            for name in one.names:
                dot = "" if one.module.endswith(".") else "."
                if promise := _promise({name}, near, bases, named):
                    for path in modules.files_of(f"{one.module}{dot}{name}", facts.path, "python", index):
                        yield path, promise


def _promise(names: set[str], near: set[str], bases: set[str], told: frozenset[str]) -> float:
    """Weigh what is imported: used where the crash came by, a base, named in the message; most is nothing."""
    return 1.0 * bool(names & near) + 0.8 * bool(names & bases) + 1.0 * bool(names & told)


def _handed_on(facts: FileFacts, named: frozenset[str], index: PathIndex) -> Iterator[tuple[str, float]]:
    """Yield the files from which a package takes what the message names."""
    for one in facts.imports:
        weight = 1.0 if named & {*one.names} else 0.5 if "*" in one.names else 0.0
        if weight:
            for path in modules.files_of(one.module, facts.path, facts.language, index):
                yield path, weight
