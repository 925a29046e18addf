"""GitHub's `primaryLocationLineHash`: what its code scanning knows an alert's line by.

Blanks and tabs are left out and every line end counts as LF. A line's hash is the polynomial hash (base
37, modulo 2**64) of the 100 UTF-16 units that begin with it; after the end follow one unit 65535 and
zeros. The value is that hash in hex, and how many lines down to this one had the same.
"""

from array import array
from collections.abc import Collection
from itertools import accumulate
from operator import mul
from sys import byteorder

_WINDOW = 100
_BITS = (1 << 64) - 1
_POWERS = tuple(pow(37, _WINDOW - 1 - at, 1 << 64) for at in range(_WINDOW))
_UTF16 = f"utf-16-{'le' if byteorder == 'little' else 'be'}"
_DROPPED = str.maketrans("", "", " \t")


def line_hashes(text: str, lines: Collection[int]) -> dict[int, str]:
    """Return the hashes of some lines (counted from 1) of a text; lines beyond its end have none.

    Only windows that are asked for are hashed: the others are compared as they stand.
    """
    kept = text.replace("\r\n", "\n").replace("\r", "\n").translate(_DROPPED)
    units = array("H", kept.encode(_UTF16, "surrogatepass"))
    units.extend([0xFFFF] + [0] * _WINDOW)
    starts = [0, *accumulate(_units(line) + 1 for line in kept.split("\n"))][:-1]
    wanted = {line for line in lines if 1 <= line <= len(starts)}
    seen: dict[bytes, int] = {}
    found: dict[int, str] = {}
    for number, start in enumerate(starts[: max(wanted, default=0)], start=1):
        window = units[start : start + _WINDOW]
        key = window.tobytes()
        seen[key] = seen.get(key, 0) + 1
        if number in wanted:
            found[number] = f"{sum(map(mul, window, _POWERS)) & _BITS:x}:{seen[key]}"
    return found


def _units(line: str) -> int:
    """Return how many UTF-16 units a line has."""
    return len(line) if line.isascii() else len(line) + sum(char > "\uffff" for char in line)
