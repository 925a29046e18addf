"""The commits of a history by number: who is contained in whom, and the lines of first parents.

Every commit has a higher number than its parents; 0 is none. The graph is cut into *lines*: a commit, its
first parent, that one's first parent, and so on, until a commit that lies on another line. What a commit
contains of a line is always that line's lower part, so one number a line says it all.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

Edges = Iterable[tuple[int, int, tuple[int, ...]]]
MOST_REMEMBERED = 64


class Ancestry:
    """The graph of one history; what a commit contains is remembered.

    `add` is for whom it is made by: others, who may be reading it, get an `extended` one.
    """

    def __init__(self) -> None:
        self._first = array("i", [0])
        self._line = array("i", [-1])  # -1: not on record
        self._others: dict[int, tuple[int, ...]] = {}
        self._members: list[array[int]] = []
        self._joins: list[int] = []
        self._merges: list[list[int]] = []
        self._reach: dict[int, dict[int, int]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._members))

    def add(self, edges: Edges) -> None:
        """Add commits as (number, first parent, other parents), the highest number first."""
        added = array("i")
        for number, first, others in edges:
            self._make_room(number)
            self._first[number] = first
            self._line[number] = -2
            if others:
                self._others[number] = others
            added.append(number)
        for number in added:
            if self._line[number] == -2:
                self._lay(number)
        for merges in self._merges:
            merges.sort()
        self._reach.clear()

    def extended(self, edges: Edges) -> Ancestry:
        """Return a graph with more commits; this one stays as it is."""
        copy = Ancestry()
        copy._first, copy._line = self._first[:], self._line[:]
        copy._others, copy._joins = dict(self._others), list(self._joins)
        copy._members = [members[:] for members in self._members]
        copy._merges = [merges[:] for merges in self._merges]
        copy.add(edges)
        return copy

    def knows(self, number: int) -> bool:
        """Tell whether a commit is on record."""
        return 0 < number < len(self._line) and self._line[number] >= 0

    def parents(self, number: int) -> tuple[int, ...]:
        """Return a commit's parents, the first one first; 0 stands for one that is not on record."""
        return (self._first[number], *self._others.get(number, ()))

    def contains(self, number: int, other: int) -> bool:
        """Tell whether `number` is, or has among its ancestors, `other`; both are on record."""
        return self._tops(number).get(self._line[other], 0) >= other

    def only_in(self, number: int, other: int, limit: int) -> list[int]:
        """Return what a commit contains and another does not, the highest first, at most `limit`."""
        theirs = self._tops(other)
        mine = self._tops(number).items()
        parts = (self._part(line, theirs.get(line, 0), top) for line, top in mine)
        return sorted(chain.from_iterable(parts), reverse=True)[:limit]

    def first_parents(self, number: int) -> Iterator[tuple[int, int]]:
        """Yield the line of first parents from a commit down, as parts of lines: (line, its highest)."""
        while self.knows(number):
            line = self._line[number]
            yield line, number
            number = self._joins[line]

    def below(self, number: int, candidates: Mapping[int, array[int]]) -> int:
        """Return the first of some commits on the line of first parents from a commit down; 0: none.

        The candidates are given as `by_line` sorts them; the commit itself may be one.
        """
        for line, top in self.first_parents(number):
            held = candidates.get(line)
            if held and held[0] <= top:
                return held[bisect_right(held, top) - 1]
        return 0

    def by_line(self, numbers: Iterable[int]) -> dict[int, array[int]]:
        """Sort commits by their line; those that are not on record are left out."""
        sorted_in: dict[int, array[int]] = {}
        lines, size = self._line, len(self._line)
        for number in sorted(numbers):
            line = lines[number] if number < size else -1
            if line >= 0:
                held = sorted_in.get(line)
                if held is None:
                    sorted_in[line] = array("i", (number,))
                else:
                    held.append(number)
        return sorted_in

    def shared(self, number: int, other: int) -> int:
        """Return the first commit on the line of first parents of `number` that `other` contains; 0: none."""
        tops = self._tops(other)
        for line, top in self.first_parents(number):
            members = self._members[line]
            at = bisect_right(members, min(top, tops.get(line, 0)))
            if at:
                return members[at - 1]
        return 0

    def entrance(self, number: int, other: int) -> tuple[int, int]:
        """Return where `other` comes into the line of first parents of `number`: (merge, its parent).

        The lowest commit of that line that contains it, and which of its parents does. (0, 0) when it is
        not contained; (other, 0) when it lies on that line itself.
        """
        if any(line == self._line[other] and other <= top for line, top in self.first_parents(number)):
            return other, 0
        holding = self._descendants(other, number)
        lowest = 0
        for line, top in self.first_parents(number):
            held = [one for one in self._part(line, other, top) if one in holding]
            if not held:
                break
            lowest = held[0]
        parents = self.parents(lowest) if lowest else ()
        return next(((lowest, one) for one in parents if one in holding), (0, 0))

    def _descendants(self, number: int, until: int) -> set[int]:
        """Return a commit with its descendants up to another number."""
        found = {number}
        for one in range(number + 1, until + 1):
            if self.knows(one) and (
                self._first[one] in found or any(p in found for p in self._others.get(one, ()))
            ):
                found.add(one)
        return found

    def _make_room(self, number: int) -> None:
        missing = number + 1 - len(self._line)
        if missing > 0:
            self._first.extend([0] * missing)
            self._line.extend([-1] * missing)

    def _lay(self, number: int) -> None:
        """Follow first parents down to what lies on a line already, or to the end."""
        laid = []
        while 0 < number < len(self._line) and self._line[number] == -2:
            laid.append(number)
            self._line[number] = -3
            number = self._first[number]
        line = self._line[number] if self.knows(number) else -1
        if line < 0 or self._members[line][-1] != number:
            line = len(self._members)
            self._members.append(array("i"))
            self._joins.append(number)
            self._merges.append([])
        self._members[line].extend(reversed(laid))
        for one in laid:
            self._line[one] = line
        self._merges[line] += [one for one in laid if one in self._others]

    def _part(self, line: int, above: int, top: int) -> array[int]:
        members = self._members[line]
        return members[bisect_right(members, above) : bisect_right(members, top)]

    def _tops(self, number: int) -> dict[int, int]:
        """Return the highest commit of each line that a commit contains."""
        known = self._reach.get(number)
        if known is None:
            if len(self._reach) >= MOST_REMEMBERED:
                self._reach.clear()
            known = self._reach[number] = self._reached(number)
        return known

    def _reached(self, number: int) -> dict[int, int]:
        tops: dict[int, int] = {}
        waiting = [number]
        while waiting:
            one = waiting.pop()
            if not self.knows(one):
                continue
            line = self._line[one]
            before = tops.get(line, 0)
            if one <= before:
                continue
            tops[line] = one
            if not before:
                waiting.append(self._joins[line])
            merges = self._merges[line]
            for merge in merges[bisect_right(merges, before) : bisect_right(merges, one)]:
                waiting.extend(self._others[merge])
        return tops
