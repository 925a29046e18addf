"""Which commits changed some lines, and where a line of one commit stands in another.

Both follow recorded hunks and renames over the graph of commits; nothing is read or parsed. A merge is
compared with each of its parents, as `git log -L` does: where one of them had the lines just so, the others
are not looked at.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct

from hefesto_api.domain.hunks import FileChange, Hunks, Range, before, line_after, line_before

if TYPE_CHECKING:
    from array import array

    from hefesto_api.domain.ancestry import Ancestry

MOST_STEPS = 5_000
_DEPTH = 4
_Kept = TypeVar("_Kept")


class Touched(Struct, frozen=True):
    """A commit that changed lines: their path and ranges right after it.

    `kind` is added, modified, renamed, merged or unknown (what came before is not known).
    """

    number: int
    path: str
    ranges: tuple[Range, ...]
    kind: str


class Touches(Generic[_Kept]):
    """The commits that changed a path, and what each did to it: kept as it is, and read when asked for.

    All of them from `lowest` up are there; 0: all there are.
    """

    def __init__(
        self,
        graph: Ancestry,
        changes: Mapping[int, _Kept],
        read: Callable[[_Kept], FileChange],
        lowest: int = 0,
    ) -> None:
        self.lowest = lowest
        self._changes = changes
        self._read = read
        self.by_line: dict[int, array[int]] = graph.by_line(changes)

    def at(self, number: int) -> FileChange | None:
        """Return what a commit did to the path."""
        kept = self._changes.get(number)
        return None if kept is None else self._read(kept)


class Lineage:
    """Follows lines through one history; `read` gives the touches of a path, with True all of them."""

    def __init__(self, graph: Ancestry, read: Callable[[str, bool], Touches[Any]]) -> None:
        self._graph = graph
        self._read = read
        self._touches: dict[str, Touches[Any]] = {}

    def changes(self, path: str, ranges: Sequence[Range], at: int, limit: int) -> list[Touched]:
        """Return the commits that changed lines of a path as of a commit, the latest first."""
        pending: dict[int, dict[str, list[Range]]] = {}
        order: list[int] = []
        found: list[Touched] = []
        self._await(pending, order, at, path, ranges)
        for _ in range(MOST_STEPS):
            if not order or len(found) >= limit:
                break
            number = -heapq.heappop(order)
            for name, wanted in sorted(pending.pop(number).items()):
                change = self._at(name, number)
                assert change is not None  # noqa: S101 - only commits that touch the path are awaited
                kind, onward = _step(change, wanted, self._graph.parents(number))
                if kind:
                    found.append(Touched(number, name, tuple(wanted), kind))
                for parent, parent_path, parent_ranges in onward:
                    self._await(pending, order, parent, parent_path, parent_ranges)
        return found[:limit]

    def place(self, path: str, line: int, old: int, new: int) -> tuple[str, int] | None:
        """Return where a line of one commit stands in another; None where it does not."""
        return self._place((path, line), old, new, _DEPTH)

    def _await(
        self,
        pending: dict[int, dict[str, list[Range]]],
        order: list[int],
        start: int,
        path: str,
        ranges: Sequence[Range],
    ) -> None:
        """Wait at the next commit that touches a path, from a commit down its first parents."""
        number = self._below(start, path) if ranges else 0
        if not number:
            return
        if number not in pending:
            pending[number] = {}
            heapq.heappush(order, -number)
        pending[number][path] = _union(pending[number].get(path, []), ranges)

    def _of(self, path: str, lowest: int) -> Touches[Any]:
        """Return the touches of a path, with all from a commit up."""
        known = self._touches.get(path)
        if known is None:
            known = self._touches[path] = self._read(path, False)
        if known.lowest > lowest:
            known = self._touches[path] = self._read(path, True)
        return known

    def _at(self, path: str, number: int) -> FileChange | None:
        return self._of(path, number).at(number)

    def _below(self, start: int, path: str) -> int:
        """Return the next commit that touches a path, from one down its first parents; 0: none."""
        found = self._graph.below(start, self._of(path, start).by_line)
        return found or self._graph.below(start, self._of(path, 0).by_line)

    def _place(self, at: tuple[str, int] | None, old: int, new: int, depth: int) -> tuple[str, int] | None:
        if old == new or at is None:
            return at
        if not depth:
            return None
        graph = self._graph
        if graph.contains(new, old):
            return self._to_descendant(at, old, new, depth)
        if graph.contains(old, new):
            return self._to_ancestor(at, old, new, depth)
        common = graph.shared(new, old)
        if not common:
            return None
        return self._place(self._place(at, old, common, depth - 1), common, new, depth - 1)

    def _to_descendant(self, at: tuple[str, int], old: int, new: int, depth: int) -> tuple[str, int] | None:
        merge, parent = self._graph.entrance(new, old)
        found: tuple[str, int] | None = at
        if parent:  # it came in from the side
            found = self._place(at, old, parent, depth - 1)
            found = self._into_merge(found, parent, merge, depth) if found else None
        return self._up(found, merge, new) if found else None

    def _to_ancestor(self, at: tuple[str, int], old: int, new: int, depth: int) -> tuple[str, int] | None:
        merge, parent = self._graph.entrance(old, new)
        found = self._down(at, old, merge)
        if parent and found:
            found = self._out_of_merge(found, merge, parent, depth)
            return self._place(found, parent, new, depth - 1)
        return found

    def _into_merge(self, at: tuple[str, int], parent: int, merge: int, depth: int) -> tuple[str, int] | None:
        first, *others = self._graph.parents(merge)
        change = self._at(at[0], merge)
        if change is None or parent == first:  # as the first parent had it
            return self._up(self._place(at, parent, first, depth - 1), first, merge)
        hunks = _against(change, others.index(parent))
        line = None if hunks is None else line_after(hunks, at[1])
        return None if line is None else (at[0], line)

    def _out_of_merge(
        self, at: tuple[str, int], merge: int, parent: int, depth: int
    ) -> tuple[str, int] | None:
        first, *others = self._graph.parents(merge)
        change = self._at(at[0], merge)
        if change is None or parent == first:
            return self._place(self._down(at, merge, first), first, parent, depth - 1)
        hunks = _against(change, others.index(parent))
        line = None if hunks is None else line_before(hunks, at[1])
        path = change.parents[others.index(parent)].path if line is not None else None
        return None if line is None or path is None else (path, line)

    def _down(self, at: tuple[str, int], start: int, end: int) -> tuple[str, int] | None:
        """Follow a line back over first parents, as far as a commit on that line, which is left as it is."""
        path, line = at
        number = self._below(start, path)
        while number > end:
            change = self._at(path, number)
            if change is None or change.kind != "modified" or change.hunks is None:
                return None
            moved = line_before(change.hunks, line)
            if moved is None:
                return None
            path, line = change.other_path or path, moved
            number = self._below(self._graph.parents(number)[0], path)
        return path, line

    def _up(self, at: tuple[str, int] | None, start: int, end: int) -> tuple[str, int] | None:
        """Follow a line over the first parents' line from a commit on it to its later end."""
        if at is None:
            return None
        path, line = at
        reached = start
        while following := next(self._between(path, reached, end), 0):
            change = self._at(path, following)
            if change is not None and change.kind == "deleted" and change.other_path:
                path = change.other_path
                change = self._at(path, following)
            if change is None or change.kind != "modified" or change.hunks is None:
                return None
            moved = line_after(change.hunks, line)
            if moved is None:
                return None
            line, reached = moved, following
        return path, line

    def _between(self, path: str, low: int, high: int) -> Iterator[int]:
        """Yield the commits that touch a path on the line of first parents, above one up to another."""
        by_line = self._of(path, low).by_line
        parts = [part for part in self._graph.first_parents(high) if part[1] > low]
        for line, top in reversed(parts):
            yield from (number for number in by_line.get(line, ()) if low < number <= top)


def _step(
    change: FileChange, ranges: Sequence[Range], parents: tuple[int, ...]
) -> tuple[str, list[tuple[int, str, list[Range]]]]:
    """Return what a commit did to lines ("": nothing), and where they are to be followed."""
    if change.kind == "deleted":
        return "", []
    sides: list[tuple[str | None, Hunks | None]] = [_first_side(change)]
    sides += [(parent.path, parent.hunks) for parent in change.parents]
    onward = []
    for parent, (path, hunks) in zip(parents, sides, strict=False):
        if path is None or hunks is None:
            continue
        touched, came_from = before(hunks, ranges)
        if not touched:
            return "", [(parent, path, came_from)]
        onward.append((parent, path, came_from))
    if len(sides) > 1:
        return "merged", onward
    if change.kind == "modified" and change.hunks is None:
        return "unknown", []
    return "renamed" if change.kind == "modified" and change.other_path else change.kind, onward


def _first_side(change: FileChange) -> tuple[str | None, Hunks | None]:
    return (change.other_path or change.path if change.kind == "modified" else None), change.hunks


def _against(change: FileChange, number: int) -> Hunks | None:
    """Return how a merge's file differs from that of a further parent; None where that is not known."""
    if number >= len(change.parents) or change.parents[number].path is None:
        return None
    return change.parents[number].hunks


def _union(some: Sequence[Range], more: Sequence[Range]) -> list[Range]:
    united: list[Range] = []
    for start, end in sorted((*some, *more)):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united
