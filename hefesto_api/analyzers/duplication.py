"""Blocks of code that stand in more than one place, within a file and across a project.

Two steps: `shingles` reduces one file to what comparing needs, and is kept with the file's report;
`duplicates` compares a whole project. Runs that share an anchor are compared line by line in both
directions, so an anchor's hash decides only what is compared, never what is said.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from hefesto_api.analyzers.catalogue import detection, is_test_path, is_vendored_path
from hefesto_api.analyzers.shingles import MIN_LINES, WORD, Anchors, Shingles, anchors_of, lines_of, pack
from hefesto_api.domain.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hefesto_api.analyzers.base import ParsedFile
    from hefesto_api.domain.finding import Detection
    from hefesto_api.domain.structure import FileStructure

RULE: Final = "HEF-SMELL-DUPLICATED-BLOCK"
NAME: Final = "duplication"
MIN_CHARACTERS: Final = 240  # without white space: about 50 tokens
MAX_OTHERS: Final = 5
MAX_DETECTIONS: Final = 50  # in one file
NEIGHBOURS: Final = 3  # places of one anchor that each place is compared with: keeps a project linear

_LEFT_OUT: Final = re.compile(r"(?:^|/)(?:migrations|vendor|dist)/|\.min\.js$|_pb2(?:_grpc)?\.pyi?$")


class _Run(NamedTuple):
    """Significant lines [start, end) of one file, which stand from `other_start` on in `other` as well."""

    start: int
    end: int
    other: int
    other_start: int


def shingles(file: ParsedFile) -> bytes:
    """Return what `duplicates` needs of one file: its content, and whether it is a test, decide it."""
    return pack(file)


def duplicates(files: Mapping[str, tuple[bytes, FileStructure]]) -> dict[str, list[Detection]]:
    """Return for each path the blocks in it that stand elsewhere too.

    A block has at least 10 significant lines and 240 characters. One detection for each maximal block at
    each of its places; `metadata` has `lines` (significant ones) and `other`, at most 5 places as `path` and
    `line`. Of an anchor with many places each is compared with the next three only, so that time is linear
    in the size of the project: `other` then names some of the places. Test code, migrations and vendored
    code are left out: repetition there is deliberate more often than not.
    """
    paths = [path for path in sorted(files) if files[path][0] and _is_compared(path)]
    packed = [files[path][0] for path in paths]
    runs = _Comparison(packed).runs(_places([anchors_of(each) for each in packed]))
    found: dict[str, list[Detection]] = {}
    lines: dict[int, Shingles] = {}
    for index in sorted(runs):
        for block in _maximal(runs[index])[:MAX_DETECTIONS]:
            one = _detection(index, block, paths, packed, lines, files[paths[index]][1])
            found.setdefault(paths[index], []).append(one)
    return found


def _is_compared(path: str) -> bool:
    return not (is_test_path(path) or is_vendored_path(path) or _LEFT_OUT.search(path))


def _places(anchors: Sequence[Anchors]) -> Iterable[list[tuple[int, int]]]:
    """Return, for each anchor hash that occurs more than once, its places (file, position) in order."""
    seen: set[int] = set()
    repeated: set[int] = set()
    for each in anchors:
        keys = set(each.keys)
        if len(keys) < len(each.keys):
            repeated.update(key for key, count in Counter(each.keys).items() if count > 1)
        repeated |= seen & keys
        seen |= keys
    places: dict[int, list[tuple[int, int]]] = {}
    for file, each in enumerate(anchors):
        if not repeated.isdisjoint(each.keys):
            for position, key in zip(each.positions, each.keys, strict=True):
                if key in repeated:
                    places.setdefault(key, []).append((file, position))
    return places.values()


class _Comparison:
    """The comparing of one project: what is unpacked, and which diagonals are known how far."""

    def __init__(self, packed: Sequence[bytes]) -> None:
        self._packed = packed
        self._lines: dict[int, Shingles] = {}
        self._known: dict[tuple[int, int, int], int] = {}
        self._runs: dict[int, list[_Run]] = {}

    def runs(self, groups: Iterable[list[tuple[int, int]]]) -> dict[int, list[_Run]]:
        """Return each file's runs, both sides of every pair."""
        for places in groups:
            for index, (file, position) in enumerate(places):
                for other, other_position in places[index + 1 : index + 1 + NEIGHBOURS]:
                    self._compare(file, position, other, other_position)
        return self._runs

    def _compare(self, file: int, position: int, other: int, other_position: int) -> None:
        shift = other_position - position
        if file == other and shift < MIN_LINES:
            return  # a table of like lines, not a copied block
        diagonal = (file, other, shift)
        if position < self._known.get(diagonal, 0):
            return
        a, b = self._of(file), self._of(other)
        before = _common_before(a.hashes, position * WORD, b.hashes, other_position * WORD) // WORD
        after = _common_after(a.hashes, position * WORD, b.hashes, other_position * WORD) // WORD
        start, end = position - before, position + after
        self._known[diagonal] = end
        if file == other and end > start + shift:  # the block repeats itself: its first turn, and the rest
            self._record(_Run(start, start + shift, other, start + shift), file, a)
            self._record(_Run(start + shift, end + shift, file, start), other, b)
            return
        self._record(_Run(start, end, other, start + shift), file, a)
        self._record(_Run(start + shift, end + shift, file, start), other, b)

    def _record(self, run: _Run, file: int, lines: Shingles) -> None:
        if run.end - run.start >= MIN_LINES and sum(lines.lengths[run.start : run.end]) >= MIN_CHARACTERS:
            self._runs.setdefault(file, []).append(run)

    def _of(self, file: int) -> Shingles:
        lines = self._lines.get(file)
        if lines is None:
            lines = self._lines[file] = lines_of(self._packed[file])
        return lines


def _common_after(a: bytes, i: int, b: bytes, j: int) -> int:
    """Return how many bytes from `i` and `j` on are equal, in whole words; galloping, so mostly memcmp."""
    most = min(len(a) - i, len(b) - j)
    length, step, growing = 0, 16 * WORD, True
    while step >= WORD:
        if length + step <= most and a[i + length : i + length + step] == b[j + length : j + length + step]:
            length += step
            step = step * 2 if growing else step // 2
        else:
            growing = False
            step //= 2
    return length


def _common_before(a: bytes, i: int, b: bytes, j: int) -> int:
    """Return how many bytes before `i` and `j` are equal, in whole words."""
    most = min(i, j)
    length, step, growing = 0, 16 * WORD, True
    while step >= WORD:
        if length + step <= most and a[i - length - step : i - length] == b[j - length - step : j - length]:
            length += step
            step = step * 2 if growing else step // 2
        else:
            growing = False
            step //= 2
    return length


def _maximal(runs: list[_Run]) -> list[tuple[_Run, list[_Run]]]:
    """Return the runs that no other run of the file holds, each with the runs that nearly fill it."""
    kept: list[tuple[_Run, list[_Run]]] = []
    for run in sorted(runs, key=lambda r: (r.start, -r.end, r.other, r.other_start)):
        holder = kept[-1][0] if kept else None
        if holder is None or run.end >= holder.end + MIN_LINES:
            kept.append((run, [run]))
        elif (run.end - run.start) * 5 >= (holder.end - holder.start) * 4:
            kept[-1][1].append(run)
    return kept


def _detection(
    index: int,
    block: tuple[_Run, list[_Run]],
    paths: Sequence[str],
    packed: Sequence[bytes],
    lines: dict[int, Shingles],
    shape: FileStructure,
) -> Detection:
    run, alike = block
    for file in (index, *(each.other for each in alike[: MAX_OTHERS * 2])):
        if file not in lines:
            lines[file] = lines_of(packed[file])
    numbers = lines[index].numbers
    first, last = numbers[run.start], numbers[run.end - 1]
    owner = shape.enclosing(first)
    return detection(
        RULE,
        tool=NAME,
        line=first,
        end_line=last,
        message=_message(run, index, paths),
        severity=_severity(run.end - run.start),
        symbol=owner.qualified_name if owner else None,
        class_name=owner.class_name if owner else None,
        metadata={"lines": run.end - run.start, "other": list(_others(alike, paths, lines))},
    )


def _others(
    alike: Sequence[_Run], paths: Sequence[str], lines: Mapping[int, Shingles]
) -> Iterator[dict[str, str | int]]:
    places = dict.fromkeys((run.other, run.other_start) for run in alike[: MAX_OTHERS * 2])
    for other, start in list(places)[:MAX_OTHERS]:
        yield {"path": paths[other], "line": lines[other].numbers[start]}


def _message(run: _Run, index: int, paths: Sequence[str]) -> str:
    if run.other == index:
        return "This block of code is repeated in the same file."
    return f"This block of code is repeated in {paths[run.other]}."


def _severity(lines: int) -> Severity:
    if lines >= 100:
        return Severity.HIGH
    return Severity.MEDIUM if lines >= 30 else Severity.LOW
