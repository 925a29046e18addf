"""One segment of a gitignore pattern as a regular expression whose stars never give back what they took."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NEVER = re.compile(r"(?!)")
_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r" \t\n\r\f\v",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "xdigit": "0-9A-Fa-f",
    "cntrl": r"\x00-\x1f\x7f",
    "graph": "!-~",
    "print": " -~",
}


def has_magic(segment: str) -> bool:
    """Whether a segment is more than plain text."""
    return any(character in segment for character in "*?[\\")


@lru_cache(maxsize=4096)
def matcher(glob: str) -> Callable[[str], object]:
    """Compile one segment; a malformed one (open bracket, trailing backslash) matches nothing, as in git."""
    try:
        return re.compile(_translate(glob), re.DOTALL).fullmatch
    except (ValueError, re.error):
        return _NEVER.match


def _translate(glob: str) -> str:
    """Turn a glob into a regular expression whose stars never give back what they took."""
    first, *others = _pieces(glob)
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>.*?{piece})" for piece in middle if piece) + f".*{last}"


def _pieces(glob: str) -> list[str]:
    """Split at the stars and translate what stands between them; raises ValueError when malformed."""
    pieces, place = [""], 0
    while place < len(glob):
        character = glob[place]
        if character == "*":
            pieces.append("")
            place += 1
            continue
        text, place = _token(glob, place)
        pieces[-1] += text
    return pieces


def _token(glob: str, place: int) -> tuple[str, int]:
    character = glob[place]
    if character == "?":
        return ".", place + 1
    if character == "[":
        return bracket(glob, place + 1)
    if character == "\\":
        return re.escape(glob[place + 1 : place + 2] or _malformed()), place + 2
    return re.escape(character), place + 1


def bracket(glob: str, place: int) -> tuple[str, int]:
    """Translate the bracket whose inside begins at a place, and tell the place behind it.

    Raises ValueError when it stays open.
    """
    negated = glob[place : place + 1] in ("!", "^")
    place += negated
    parts: list[str] = []
    while not (parts and glob[place : place + 1] == "]"):
        part, place = _member(glob, place)
        parts.append(part)
    return f"[{'^' if negated else ''}{''.join(parts)}]", place + 1


def _member(glob: str, place: int) -> tuple[str, int]:
    """Translate one member of a bracket: a class, a range or a character."""
    if glob.startswith("[:", place) and (end := glob.find(":]", place + 2)) >= 0:
        return _CLASSES.get(glob[place + 2 : end]) or _malformed(), end + 2
    low, place = _character(glob, place)
    if glob[place : place + 1] != "-" or glob[place + 1 : place + 2] in ("]", ""):
        return _quoted(low), place
    high, place = _character(glob, place + 1)
    # A reversed range still holds its first character, as in git.
    return (f"{_quoted(low)}-{_quoted(high)}" if low <= high else _quoted(low)), place


def _character(glob: str, place: int) -> tuple[str, int]:
    if glob[place : place + 1] == "\\":
        place += 1
    return glob[place : place + 1] or _malformed(), place + 1


def _quoted(character: str) -> str:
    return f"\\{character}" if character in r"\]^-[&~|" else character


def _malformed() -> str:
    raise ValueError("malformed pattern")
