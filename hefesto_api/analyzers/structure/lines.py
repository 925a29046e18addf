"""Lines of a file: how many, and how many of code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tree_sitter import Node


BLANKS = b" \t\r\v\f"
LONE_RETURN = re.compile(rb"\r(?!\n)")


def with_line_feeds(content: bytes) -> bytes:
    """Return the text with a line feed for every lone carriage return: the grammars know no other end.

    No byte changes its place.
    """
    return LONE_RETURN.sub(b"\n", content) if b"\r" in content else content


def lines(content: bytes) -> int:
    """Count lines; a last one without its end counts."""
    return content.count(b"\n") + (not content.endswith(b"\n") and bool(content))


def lines_of_code(content: bytes, comments: Iterable[Node]) -> int:
    """Count lines that hold something else than white space and comments; docstrings are something."""
    return len(without(content, comments).translate(None, BLANKS).split())


def without(content: bytes, comments: Iterable[Node]) -> bytes:
    """Return the text without its comments, but with the line ends in them."""
    pieces = []
    at = 0
    for start, end in sorted(comment.byte_range for comment in comments):
        pieces.append(content[at:start])
        pieces.append(b"\n" * content.count(b"\n", start, end))
        at = end
    pieces.append(content[at:])
    return b"".join(pieces)
