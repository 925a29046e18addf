"""Whose facts a correlation needs: the files of the trace, and what they draw in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hefesto_api.domain.code import FileFacts
    from hefesto_api.domain.correlation.model import Crash
    from hefesto_api.domain.mapping import PathIndex

MOST: Final = 30


def wanted_paths(
    crash: Crash,
    code: Mapping[str, FileFacts] | None = None,
    index: PathIndex | None = None,
    limit: int = MOST,
) -> tuple[str, ...]:
    """Return the project's files whose facts, findings and changes `rank` would use, nearest first.

    Without `code` those of the trace; with the facts of some of them, and the project's paths, also the
    files that they import.
    """
    found = dict.fromkeys(_of_trace(crash))
    return tuple(found)[:limit]


def gather(
    crash: Crash,
    facts_of: Callable[[str], FileFacts | None],
    index: PathIndex | None = None,
    limit: int = MOST,
) -> dict[str, FileFacts]:
    """Collect the facts that `rank` wants: of the trace's files first, then of what they draw in."""
    code: dict[str, FileFacts] = {}
    asked: set[str] = set()
    for _ in range(3):
        wanted = [path for path in wanted_paths(crash, code, index, limit) if path not in asked]
        if not wanted:
            break
        for path in wanted:
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
