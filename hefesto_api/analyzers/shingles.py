"""What comparing one file with others needs: its significant lines as hashes, and anchors to find them by.

A line is compared by its text without white space; blank lines, comments, imports, lone brackets and what
stands between triple quotes do not count. Anchors are chosen by winnowing (Schleimer, Wilkerson, Aiken:
Winnowing, SIGMOD 2003): of every five windows of six lines the one with the least hash, so that each common
run of ten lines has an anchor in both places.
"""

from __future__ import annotations

import re
import struct
import sys
import zlib
from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

from hefesto_api.analyzers.catalogue import is_test_path

if TYPE_CHECKING:
    from hefesto_api.analyzers.base import ParsedFile

MIN_LINES: Final = 10
WORD: Final = 4

_WINDOW: Final = 6
_WINNOW: Final = MIN_LINES - _WINDOW + 1
_HEADER: Final = struct.Struct("<II")
_GENERATED: Final = re.compile(
    rb"@generated|do not edit|^\W{0,8}(?:this file (?:is|was) |code )?(?:auto-?|automatically )?generated\b",
    re.MULTILINE,
)
_IMPORTS: Final = (b"import", b"from")
_MARKS: Final = (b'"""', b"'''", b"=require(", b"\nimport", b"\nfrom")


class Shingles(NamedTuple):
    """One file's significant lines: hashes (4 bytes each, so that runs compare in C), numbers, lengths."""

    hashes: bytes
    numbers: array[int]
    lengths: array[int]


class Anchors(NamedTuple):
    """Where windows were chosen (index of the window's first significant line), and their hashes."""

    positions: array[int]
    keys: array[int]


def pack(file: ParsedFile) -> bytes:
    """Return a file's shingles and anchors, or nothing for text, tests, generated code and short files.

    Little-endian 32-bit words: the number of significant lines n and of anchors m, then n line hashes, n
    line numbers, n lengths, m anchor positions and m anchor hashes.
    """
    if file.language == "text" or is_test_path(file.path) or is_generated(file.content):
        return b""
    numbers, kept = _significant(file)
    if len(kept) < MIN_LINES:
        return b""
    hashes, lengths = array("I", map(zlib.crc32, kept)), array("I", map(len, kept))
    anchors = _winnowed(hashes)
    head = _HEADER.pack(len(hashes), len(anchors.positions))
    return head + b"".join(_words(part).tobytes() for part in (hashes, numbers, lengths, *anchors))


def lines_of(packed: bytes) -> Shingles:
    """Unpack the significant lines."""
    count, _ = _HEADER.unpack_from(packed)
    size = count * WORD
    ends = [_HEADER.size + size * step for step in range(4)]
    return Shingles(
        packed[ends[0] : ends[1]], _array(packed[ends[1] : ends[2]]), _array(packed[ends[2] : ends[3]])
    )


def anchors_of(packed: bytes) -> Anchors:
    """Unpack the anchors."""
    count, anchors = _HEADER.unpack_from(packed)
    start, size = _HEADER.size + 3 * count * WORD, anchors * WORD
    return Anchors(_array(packed[start : start + size]), _array(packed[start + size : start + 2 * size]))


def is_generated(content: bytes) -> bool:
    """Tell whether the head of a file says that a program wrote it."""
    head = content[:600].lower()
    return (b"generated" in head or b"do not edit" in head) and _GENERATED.search(head) is not None


def _significant(file: ParsedFile) -> tuple[array[int], list[bytes]]:
    """Return the numbers of the lines that count, and their texts without white space."""
    numbers, kept = array("I"), []
    comments: tuple[bytes, ...] = (b"#",) if file.language == "python" else (b"//", b"/*", b"*")
    marked = _marked(file.squeezed)
    until = b""
    for number, line in enumerate(file.squeezed_lines, start=1):
        if until:
            until = b"" if until in line else until
        elif len(line) < 3 and line != b"/*":
            continue
        elif line.startswith(comments):
            until = b"*/" if line.startswith(b"/*") and b"*/" not in line else b""
        elif number in marked and (skipped := _skipped(line)) is not None:
            until = skipped
        elif line.strip(b"(){}[];,"):
            numbers.append(number)
            kept.append(line)
    return numbers, kept


def _marked(content: bytes) -> set[int]:
    """Return the numbers of the lines that may open an import or a text.

    Looked for in the whole file: asking each line for each mark took half of the time of the loop.
    """
    marked: set[int] = set()
    for mark in _MARKS:
        number, counted = 1, 0
        at = content.find(mark)
        while at >= 0:
            number += content.count(b"\n", counted, at + 1)  # a mark that begins with one is of the next line
            marked.add(number)
            counted = at + 1
            end = content.find(b"\n", counted)
            at = content.find(mark, end) if end >= 0 else -1
    if content.startswith(_IMPORTS):
        marked.add(1)
    return marked


def _skipped(line: bytes) -> bytes | None:
    """Return what ends the import or text that this line opens (empty: its own end); None for code."""
    for quotes in (b'"""', b"'''"):
        if quotes in line and (line.count(quotes) % 2 or line.startswith(quotes)):
            return quotes if line.count(quotes) % 2 else b""
    if line.startswith(b"import") or (line.startswith(b"from") and b"import" in line) or b"=require(" in line:
        return b")" if line.endswith(b"(") else b"}" if line.endswith(b"{") else b""
    return None


def _winnowed(hashes: array[int]) -> Anchors:
    raw = hashes.tobytes()
    crc32, width = zlib.crc32, WORD * _WINDOW
    windows = [crc32(raw[at : at + width]) for at in range(0, len(raw) - width + 1, WORD)]
    anchors = Anchors(array("I"), array("I"))
    last = -1
    for start in range(len(windows) - _WINNOW + 1):
        newest = start + _WINNOW - 1
        if last >= start and windows[newest] > windows[last]:
            continue
        group = windows[start : newest + 1]
        least = min(group)
        last = newest - group[::-1].index(least)
        anchors.positions.append(last)
        anchors.keys.append(least)
    return anchors


def _words(words: array[int]) -> array[int]:
    """Return the words little-endian, whatever this machine is."""
    if sys.byteorder == "big":
        words = array("I", words)
        words.byteswap()
    return words


def _array(raw: bytes) -> array[int]:
    words = array("I")
    words.frombytes(raw)
    return _words(words)
