"""Which lines a change replaced, and where lines were before it and are after it: arithmetic alone.

Lines count from 1. Ranges are half open and count from 0: `(4, 7)` is the lines 5, 6 and 7. Following
ranges back is what `git log -L` does, so that its answers are ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

Range = tuple[int, int]
_KINDS = ("modified", "added", "deleted")
_UNKNOWN = 16


class Hunk(NamedTuple):
    """Old lines that became new lines, in the numbers of a unified diff without context.

    With no lines on a side, its start is the line that they would follow.
    """

    old_start: int
    old_lines: int
    new_start: int
    new_lines: int


Hunks = tuple[Hunk, ...]


class ParentDiff(Struct, frozen=True):
    """What a merge made of a file as a further parent had it.

    `path` is its name there, None when it had none; `hunks` is None when they are not known.
    """

    path: str | None
    hunks: Hunks | None = ()


class FileChange(Struct, frozen=True):
    """What a commit did to a file, compared with its first parent.

    `kind` is added, modified or deleted. `other_path` is the former name of a file that was renamed, or
    where a deleted one went. `hunks` is None when the change was too large (or no text) to look into.
    `parents` are the other parents of a merge, in order.
    """

    path: str
    kind: str
    other_path: str | None = None
    hunks: Hunks | None = ()
    parents: tuple[ParentDiff, ...] = ()


def before(hunks: Iterable[Hunk], ranges: Sequence[Range]) -> tuple[bool, list[Range]]:
    """Tell whether a change touched some lines as they are after it, and where they came from.

    What replaced lines came from all of those; what was only added came from nowhere. Both ranges are
    sorted and apart.
    """
    touched: list[tuple[Range, Range]] = []
    shifts: list[tuple[int, int]] = []
    for hunk in hunks:
        old, new = _sides(hunk)
        shifts.append((new[0], (old[1] - old[0]) - (new[1] - new[0])))
        if any(new[1] > start and end > new[0] for start, end in ranges):
            touched.append((old, new))
    kept = _without(ranges, [new for _, new in touched])
    return bool(touched), _united([*_shifted(kept, shifts), *(old for old, _ in touched)])


def line_before(hunks: Iterable[Hunk], line: int) -> int | None:
    """Return the line that a line was before a change; None when the change wrote it."""
    return _moved(((new, old) for old, new in map(_sides, hunks)), line)


def line_after(hunks: Iterable[Hunk], line: int) -> int | None:
    """Return the line that a line is after a change; None when the change took it away."""
    return _moved(map(_sides, hunks), line)


def pack(hunks: Sequence[Hunk]) -> bytes:
    """Write hunks in about four bytes each: their number, then gap, old and new lines of each."""
    packed = bytearray(_varint(len(hunks)))
    reached = 0
    for hunk in hunks:
        (start, end), (new_start, new_end) = _sides(hunk)
        packed += _varint(start - reached) + _varint(end - start) + _varint(new_end - new_start)
        reached = end
    return bytes(packed)


def unpack(packed: bytes, at: int = 0) -> tuple[Hunks, int]:
    """Read hunks that `pack` wrote, and return where they ended."""
    count, at = read_number(packed, at)
    hunks, reached, shift = [], 0, 0
    for _ in range(count):
        gap, at = read_number(packed, at)
        old_lines, at = read_number(packed, at)
        new_lines, at = read_number(packed, at)
        start = reached + gap
        hunks.append(Hunk(start + bool(old_lines), old_lines, start + shift + bool(new_lines), new_lines))
        reached = start + old_lines
        shift += new_lines - old_lines
    return tuple(hunks), at


def encode(change: FileChange) -> bytes:
    """Write what a change is, its paths aside: a path of a further parent is the file's or its other one."""
    packed = bytearray((_KINDS.index(change.kind) | (_UNKNOWN if change.hunks is None else 0),))
    if change.kind == "modified" and change.hunks is not None:
        packed += pack(change.hunks)
    for parent in change.parents:
        where = 0 if parent.path is None else 1 if parent.path == change.path else 2
        packed.append(where | (_UNKNOWN if parent.hunks is None else 0))
        if where and parent.hunks is not None:
            packed += pack(parent.hunks)
    return bytes(packed)


def decode(packed: bytes, path: str, other_path: str | None) -> FileChange:
    """Read what `encode` wrote."""
    kind = _KINDS[packed[0] & ~_UNKNOWN]
    hunks: Hunks | None = None if packed[0] & _UNKNOWN else ()
    at = 1
    if kind == "modified" and hunks is not None:
        hunks, at = unpack(packed, at)
    parents = []
    while at < len(packed):
        where, known = packed[at] & ~_UNKNOWN, not packed[at] & _UNKNOWN
        at += 1
        read: Hunks | None = () if known else None
        if where and known:
            read, at = unpack(packed, at)
        parents.append(ParentDiff((None, path, other_path)[where], read))
    return FileChange(path, kind, other_path, hunks, tuple(parents))


def is_deletion(packed: bytes) -> bool:
    """Tell whether what `encode` wrote (its first byte is enough) is that a file was deleted."""
    return _KINDS[packed[0] & ~_UNKNOWN] == "deleted"


def pack_numbers(numbers: Iterable[int]) -> bytes:
    """Write numbers of seven bits a byte, as `read_number` reads them."""
    return b"".join(map(_varint, numbers))


def read_number(packed: bytes, at: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, the lowest first, and return where it ended."""
    value = shift = 0
    while True:
        byte = packed[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _varint(value: int) -> bytes:
    if value < 128:
        return bytes((value,))
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    written.append(value)
    return bytes(written)


def _sides(hunk: Hunk) -> tuple[Range, Range]:
    old = hunk.old_start - bool(hunk.old_lines)
    new = hunk.new_start - bool(hunk.new_lines)
    return (old, old + hunk.old_lines), (new, new + hunk.new_lines)


def _moved(sides: Iterable[tuple[Range, Range]], line: int) -> int | None:
    place, shift = line - 1, 0
    for (start, end), (other_start, other_end) in sides:
        if place < start:
            break
        if place < end:
            return None
        shift += (other_end - other_start) - (end - start)
    return place + shift + 1


def _without(ranges: Sequence[Range], gone: Sequence[Range]) -> list[Range]:
    """Return ranges less others; both are sorted."""
    left = []
    for start, end in ranges:
        for gone_start, gone_end in gone:
            if gone_end <= start or gone_start >= end:
                continue
            if gone_start > start:
                left.append((start, gone_start))
            start = max(start, gone_end)
        if start < end:
            left.append((start, end))
    return left


def _shifted(ranges: Sequence[Range], shifts: Sequence[tuple[int, int]]) -> Iterator[Range]:
    at = offset = 0
    for start, end in ranges:
        while at < len(shifts) and start >= shifts[at][0]:
            offset += shifts[at][1]
            at += 1
        yield start + offset, end + offset


def _united(ranges: Iterable[Range]) -> list[Range]:
    united: list[Range] = []
    for start, end in sorted(ranges):
        if start == end:
            continue
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united
