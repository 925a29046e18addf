"""Hunks, the graph of commits, and lines followed through them: what needs no git to tell what is right."""

from __future__ import annotations

import random

import pytest
from hefesto_api.domain.ancestry import Ancestry
from hefesto_api.domain.hunks import (
    FileChange,
    Hunk,
    ParentDiff,
    before,
    decode,
    encode,
    line_after,
    line_before,
    pack,
    unpack,
)
from hefesto_api.domain.lineage import Lineage, Touches
from hypothesis import given
from hypothesis import strategies as st

_GAPS = st.lists(
    st.tuples(st.integers(1, 300), st.integers(0, 200), st.integers(0, 200)).filter(lambda one: any(one[1:])),
    max_size=8,
)


def hunks_of(parts: list[tuple[int, int, int]]) -> tuple[Hunk, ...]:
    """Lay hunks one behind the other: so many equal lines, then old lines that became new ones."""
    made, old, new = [], 0, 0
    for gap, old_lines, new_lines in parts:
        old, new = old + gap, new + gap
        made.append(Hunk(old + bool(old_lines), old_lines, new + bool(new_lines), new_lines))
        old, new = old + old_lines, new + new_lines
    return tuple(made)


@given(_GAPS, _GAPS, st.sampled_from(["added", "modified", "deleted"]), st.booleans())
def test_changes_are_read_as_they_were_written(
    some: list[tuple[int, int, int]], others: list[tuple[int, int, int]], kind: str, moved: bool
) -> None:
    hunks = hunks_of(some)
    assert unpack(pack(hunks))[0] == hunks
    other = "old.py" if moved else None
    parents = [ParentDiff("a.py", hunks_of(others)), ParentDiff(None), ParentDiff("a.py", None)]
    if other:
        parents.append(ParentDiff(other, hunks))
    change = FileChange("a.py", kind, other, hunks if kind == "modified" else (), tuple(parents))
    assert decode(encode(change), "a.py", other) == change
    unknown = FileChange("a.py", "modified", other, None)
    assert decode(encode(unknown), "a.py", other) == unknown


@given(_GAPS, st.integers(1, 5000))
def test_a_line_that_stays_comes_from_where_it_goes_to(parts: list[tuple[int, int, int]], line: int) -> None:
    hunks = hunks_of(parts)
    after = line_after(hunks, line)
    if after is None:
        assert any(one.old_start <= line < one.old_start + one.old_lines for one in hunks)
    else:
        assert line_before(hunks, after) == line
        assert before(hunks, [(after - 1, after)]) == (False, [(line - 1, line)])


def test_lines_that_replaced_others_come_from_all_of_those() -> None:
    hunks = (Hunk(3, 2, 3, 1), Hunk(9, 0, 9, 2))
    assert before(hunks, [(0, 2)]) == (False, [(0, 2)])
    assert before(hunks, [(2, 3)]) == (True, [(2, 4)])
    assert before(hunks, [(1, 4)]) == (True, [(1, 5)])
    assert before(hunks, [(8, 10)]) == (True, [])
    assert before(hunks, [(10, 11)]) == (False, [(9, 10)])


def wild(seed: int, count: int = 60) -> tuple[dict[int, tuple[int, ...]], dict[int, FileChange]]:
    """Return a graph that chance made, with a change of one file in most of its commits."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    parents: dict[int, tuple[int, ...]] = {1: ()}
    changes = {1: FileChange("a.py", "added")}
    for number in range(2, count + 1):
        first = max(number - chance.choice([1, 1, 1, 2, 4]), 1)
        second = max(number - chance.randint(2, 9), 1)
        parents[number] = (first, second) if chance.random() < 0.25 and second != first else (first,)
        if chance.random() < 0.7:
            at = chance.randint(1, 40)
            hunk = Hunk(at, chance.randint(1, 2), at, chance.randint(1, 3))
            others = tuple(ParentDiff("a.py", (hunk,)) for _ in parents[number][1:])
            changes[number] = FileChange("a.py", "modified", None, (hunk,), others)
    return parents, changes


def graph_of(parents: dict[int, tuple[int, ...]]) -> Ancestry:
    graph = Ancestry()
    graph.add(edges(parents))
    return graph


def edges(parents: dict[int, tuple[int, ...]]) -> list[tuple[int, int, tuple[int, ...]]]:
    return [
        (number, above[0] if above else 0, above[1:])
        for number, above in sorted(parents.items(), reverse=True)
    ]


def reachable(parents: dict[int, tuple[int, ...]], number: int) -> set[int]:
    found: set[int] = set()
    waiting = [number]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting.extend(parents[one])
    return found


@pytest.mark.parametrize("seed", range(10))
def test_what_is_contained_does_not_depend_on_when_it_became_known(seed: int) -> None:
    parents, _ = wild(seed)
    chance = random.Random(seed)  # noqa: S311 - no secret
    rest = edges(parents)
    graph = Ancestry()
    graph.add([one for one in rest if one[0] > 45])  # an interrupted run has the newest
    graph = graph.extended([one for one in rest if 20 < one[0] <= 45])
    graph = graph.extended([one for one in rest if one[0] <= 20])
    for _ in range(60):
        one, other = chance.randint(1, 60), chance.randint(1, 60)
        mine, theirs = reachable(parents, one), reachable(parents, other)
        assert graph.contains(one, other) is (other in mine)
        assert graph.only_in(one, other, 1000) == sorted(mine - theirs, reverse=True)
        assert graph.only_in(one, other, 2) == sorted(mine - theirs, reverse=True)[:2]
    assert len(graph) == 60


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("page", [1, 5, 20])
def test_reading_a_part_at_first_changes_no_answer(seed: int, page: int) -> None:
    parents, changes = wild(seed)
    graph = graph_of(parents)

    def touches(path: str, whole: bool) -> Touches[FileChange]:
        assert path == "a.py"
        held = changes if whole else dict(sorted(changes.items(), reverse=True)[:page])
        return Touches(graph, held, lambda change: change, 0 if whole else min(held))

    chance = random.Random(seed)  # noqa: S311 - no secret
    all_at_once = Lineage(graph, lambda path, _whole: touches(path, True))
    for _ in range(20):
        at, other, line = chance.randint(1, 60), chance.randint(1, 60), chance.randint(1, 45)
        in_parts = Lineage(graph, touches)
        asked = ("a.py", [(line, line + 5)], at, chance.choice([1, 3, 100]))
        assert in_parts.changes(*asked) == all_at_once.changes(*asked)
        assert in_parts.place("a.py", line, at, other) == all_at_once.place("a.py", line, at, other)
