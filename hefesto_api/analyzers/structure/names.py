"""How things are called: `Class.method`, `outer.inner`, `outer.<anonymous>`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

ANONYMOUS = "<anonymous>"
LONGEST = 400  # of a prefix: 50,000 functions inside each other must not spell the square of that
DOTTED = re.compile(r"[\w$#]+(?:\.[\w$#]+)*")
FRAMES = frozenset({"module", "exports", "prototype", "this"})  # they hold a function but do not name it
PROTOTYPE = re.compile(r"([\w$.]+)\.prototype\.[\w$#]+")


def text_of(node: Node, content: bytes) -> str:
    """Return a node's text on one line, without quotes, cut where no name goes on."""
    start, end = node.byte_range
    text = content[start : min(end, start + LONGEST)].decode("utf-8", "replace")
    return text if text.isidentifier() else " ".join(text.split()).strip("'\"`")


def name_of(node: Node, content: bytes) -> str:
    """Return the name in a node's own `name` field."""
    named = node.child_by_field_name("name")
    return ANONYMOUS if named is None else text_of(named, content) or ANONYMOUS


def path_of(text: str) -> list[str]:
    """Split what a value is assigned to: `exports.a.b` is b in a; `f().x` and `a[0].x` are just x."""
    if not DOTTED.fullmatch(text):
        return [text.rpartition(".")[2]]
    parts = text.split(".")
    return [part for part in parts if part not in FRAMES] or [parts[-1]]


def prototype_of(text: str) -> str | None:
    """Return the class whose prototype is assigned to."""
    found = PROTOTYPE.fullmatch(text)
    return ".".join(path_of(found[1])) if found else None


def within(prefix: str, name: str) -> str:
    """Return the qualified name of something in a scope."""
    return f"{prefix}.{name}" if prefix and len(prefix) < LONGEST else name
