"""Pairs of findings that are two and must stay two, though much speaks for one."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from benchmarks import identity_moves as edits
from benchmarks.identity_world import Place, Row, World, by_file, by_place, standing

Pairs: TypeAlias = tuple[str, int, list[Row]]
Files: TypeAlias = Mapping[str, str]

COPIES: Final = "copies/"
MOST_ROUNDS: Final = 40
_RENAMED: Final = 0.5


class Spot(NamedTuple):
    """A finding on a statement that can be cut out; `shift` are the lines from the statement's first."""

    row: Row
    node: ast.stmt
    shift: int


def pairs(world: World, files: Files, wanted: int) -> Iterator[Pairs]:
    """Yield (what was tried, how many pairs, the findings that were merged) until enough pairs were tried."""
    world.restore("empty")
    world.become(files)
    rows = standing(world.scan())
    world.save("analysed")
    spots = _spots(files, rows)
    total = 0
    for name, count, wrong in (
        _copied(world, files, rows),
        _copied_and_fixed(world, files, rows, spots),
        _doubled(world, files, spots),
        _function_for_function(world, files, rows),
        _file_for_file(world, files, rows),
    ):
        total += count
        yield name, count, wrong
    for turn in range(1, MOST_ROUNDS):
        for elsewhere in (False, True):
            name, count, wrong = _other_code(world, files, spots, turn, elsewhere)
            total += count
            yield name, count, wrong
        if total >= wanted:
            return


def _copied(world: World, files: Files, rows: Sequence[Row]) -> Pairs:
    """The same text in another file, while the first still stands."""
    world.restore("analysed")
    known = {row.id for row in rows}
    holders = by_file(rows)
    world.become({**files, **{COPIES + path: files[path] for path in holders}})
    after = standing(world.scan())
    copies = [row for row in after if row.path.startswith(COPIES)]
    stayed = {row.id for row in after if not row.path.startswith(COPIES)}
    left = [row for row in rows if row.id not in stayed and row.rule != "HEF-SMELL-DUPLICATED-BLOCK"]
    return "a file is copied", len(copies), [row for row in copies if row.id in known] + left


def _copied_and_fixed(
    world: World, files: Files, rows: Sequence[Row], spots: Mapping[str, list[Spot]]
) -> Pairs:
    """The same text in another file, while it is fixed in the first."""
    world.restore("analysed")
    fixed = {path: _without(files[path], found) for path, found in spots.items()}
    world.become({**files, **{COPIES + path: files[path] for path in spots}, **fixed})
    known = {row.id for row in rows}
    cut = {row.id for found in spots.values() for row, _, _ in found}
    copies = [row for row in standing(world.scan()) if row.path.startswith(COPIES)]
    return "a file is copied, and fixed where it was", len(cut), [row for row in copies if row.id in known]


def _doubled(world: World, files: Files, spots: Mapping[str, list[Spot]]) -> Pairs:
    """Two equal statements in one file, which then move down together."""
    world.restore("analysed")
    changed = dict(files)
    places: dict[str, list[tuple[Row, int, int]]] = {}
    for path, found in spots.items():
        changed[path], places[path] = _with_doubles(files[path], found)
    world.become(changed)
    first = by_place(standing(world.scan()))
    top = "# Added above.\n" * 5
    world.become({path: top + text if path in spots else text for path, text in changed.items()})
    second = by_place(standing(world.scan()))
    count, wrong = 0, []
    for path, doubles in places.items():
        for row, one, other in doubles:
            ids = [[found.id for found in first.get(Place(path, row.rule, at), [])] for at in (one, other)]
            now = [
                [found.id for found in second.get(Place(path, row.rule, at + 5), [])] for at in (one, other)
            ]
            if not ids[0] or not ids[1]:
                continue  # the second is not reported for a reason of the rule's own
            count += 1
            if ids != now or set(ids[0]) & set(ids[1]):
                wrong.append(row)
    return "a statement stands twice, and both move", count, wrong


def _function_for_function(world: World, files: Files, rows: Sequence[Row]) -> Pairs:
    """One function goes while another of the same file, with a finding of the same rule, comes."""
    before, after = dict(files), dict(files)
    fresh: set[tuple[str, str]] = set()
    gone: dict[str, list[str]] = {}  # the texts of the functions that go, by file
    for path, found in by_file(rows).items():
        tree = edits.parse(files[path])
        if tree is None:
            continue
        spans = edits.functions(files[path], tree)
        named = sorted({row.symbol for row in found if row.symbol and len(spans.get(row.symbol, ())) == 1})
        flat = [name for name in named if not any(other.startswith(f"{name}.") for other in spans)]
        for one, other in zip(flat[::2], flat[1::2], strict=False):
            if not _like(spans[one][0][2], spans[other][0][2]):
                before[path] = _blank(before[path], *spans[other][0][:2])
                after[path] = _blank(after[path], *spans[one][0][:2])
                fresh.add((path, other))
                gone.setdefault(path, []).append(spans[one][0][2])
    world.restore("empty")
    world.become(before)
    known = {row.id: row for row in standing(world.scan())}
    world.become(after)
    came = [row for row in standing(world.scan()) if (row.path, row.symbol or "") in fresh]
    # with two equal lines on either side it looks just as if one that goes had been renamed
    apart = [
        row for row in came if not any(_around(after[row.path], row.line) in text for text in gone[row.path])
    ]
    return "one function goes, another comes", len(apart), [row for row in apart if row.id in known]


def _around(text: str, line: int) -> str:
    return "\n".join("".join(each.split()) for each in text.split("\n")[line - 3 : line + 2])


def _like(one: str, other: str) -> bool:
    """Tell whether two texts share half of their lines: that is how a renamed function looks."""
    return _alike(set(one.split("\n")[1:]), set(other.split("\n")[1:])) >= _RENAMED


def _file_for_file(world: World, files: Files, rows: Sequence[Row]) -> Pairs:
    """One file goes while another that defines much the same names comes."""
    names: dict[str, set[str]] = {}
    for path in by_file(rows):
        tree = edits.parse(files[path])
        names[path] = set(edits.functions(files[path], tree)) if tree else set()
    gone, came = _look_alikes(names, files)
    world.restore("empty")
    world.become({path: text for path, text in files.items() if path not in came})
    known = {row.id: row for row in standing(world.scan())}
    world.become({path: text for path, text in files.items() if path not in gone})
    found = [row for row in standing(world.scan()) if row.path in came]
    wrong = [row for row in found if row.id in known and known[row.id].path != row.path]
    return "one file goes, another with like names comes", len(found), wrong


def _look_alikes(names: Mapping[str, set[str]], files: Files) -> tuple[set[str], set[str]]:
    """Split files into pairs that share as many names as can be, and no equal content."""
    gone: set[str] = set()
    came: set[str] = set()
    holders: dict[str, list[str]] = defaultdict(list)
    for path, own in names.items():
        for name in own:
            holders[name].append(path)
    for path in sorted(names):
        if path in gone or path in came:
            continue
        near = {other for name in names[path] for other in holders[name][:50]} - gone - came - {path}
        near = {other for other in near if files[other] != files[path]}
        best = max(near, key=lambda other: _alike(names[path], names[other]), default=None)
        if best is not None:
            gone.add(path)
            came.add(best)
    return gone, came


def _alike(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(len(one | other), 1)


def _other_code(
    world: World, files: Files, spots: Mapping[str, list[Spot]], turn: int, elsewhere: bool
) -> Pairs:
    """A finding is fixed while other code of the same rule comes: in its place, or elsewhere nearby."""
    donors: dict[str, dict[str, str]] = defaultdict(dict)
    for path, found in spots.items():
        for row, node, _ in found:
            segment = ast.get_source_segment(files[path], node) or ""
            if "\n" not in segment:
                donors[row.rule].setdefault("".join(segment.split()), segment)
    changed = dict(files)
    at: dict[tuple[str, int], Row] = {}
    for path, found in spots.items():
        lines = files[path].split("\n")
        present = {"".join((ast.get_source_segment(files[path], node) or "").split()) for _, node, _ in found}
        for index, (row, node, _) in enumerate(found):
            offered = [text for key, text in donors[row.rule].items() if key not in present]
            if offered:
                text = offered[(turn * 7 + index * 3 + row.line) % len(offered)]
                put = f"{text}" if not elsewhere else f"if ready: {text}"
                edits.replace(lines, node, "pass" if elsewhere else put)
                if elsewhere:
                    lines[node.lineno - 1] += (
                        f"\n{' ' * node.col_offset}later = {turn}\n{' ' * node.col_offset}{put}"
                    )
                at[path, node.lineno] = row
        changed[path] = "\n".join(lines)
    world.restore("analysed")
    world.become(changed)
    cut = {row.id: row for row in at.values()}
    after = standing(world.scan())
    rules = {(path, row.rule) for (path, _), row in at.items()}
    wrong = [row for row in after if row.id in cut]
    count = len([row for row in after if (row.path, row.rule) in rules])
    name = "in other lines of the function" if elsewhere else "in its place"
    return f"fixed, other code of the rule comes {name} ({turn})", count, wrong


def _spots(files: Files, rows: Sequence[Row]) -> dict[str, list[Spot]]:
    """Return the findings that stand on a statement of their own, one for each statement, by file."""
    spots: dict[str, list[Spot]] = {}
    for path, found in by_file(rows).items():
        tree = edits.parse(files[path])
        if tree is None:
            continue
        statements = edits.simple_statements(tree)
        within = {
            line: node
            for node in statements.values()
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        }
        taken: dict[int, Spot] = {}
        for row in found:
            node = within.get(row.line)
            if (
                node is not None
                and row.end_line <= (node.end_lineno or 0)
                and row.rule != "HEF-SMELL-DUPLICATED-BLOCK"
            ):
                taken.setdefault(node.lineno, Spot(row, node, row.line - node.lineno))
        if taken:
            spots[path] = [taken[line] for line in sorted(taken)]
    return spots


def _without(text: str, found: Sequence[Spot]) -> str:
    lines = text.split("\n")
    for _, node, _ in found:
        edits.replace(lines, node, "pass")
    return "\n".join(lines)


def _with_doubles(text: str, found: Sequence[Spot]) -> tuple[str, list[tuple[Row, int, int]]]:
    """Write each statement twice; return the text and (finding, its line, its double's line)."""
    lines = text.split("\n")
    doubles: list[tuple[Row, int, int]] = []
    for row, node, shift in reversed(found):
        last = node.end_lineno or node.lineno
        size = last - node.lineno + 1
        doubles = [(old, one + size, other + size) for old, one, other in doubles]
        doubles.append((row, node.lineno + shift, last + 1 + shift))
        lines[last:last] = lines[node.lineno - 1 : last]
    return "\n".join(lines), doubles


def _blank(text: str, first: int, last: int) -> str:
    """Put one assignment in the place of some lines."""
    lines = text.split("\n")
    line = lines[first - 1]
    indentation = line[: len(line) - len(line.lstrip())]
    lines[first - 1 : last] = [f"{indentation}nothing = None", *[""] * (last - first)]
    return "\n".join(lines)
