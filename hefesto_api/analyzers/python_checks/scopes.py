"""Where an expression stands in its function: what it is assigned to, and what its names held before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hefesto_api.analyzers.python_checks.syntax import text

if TYPE_CHECKING:
    from tree_sitter import Node

_ASSIGNS: Final = re.compile(rb"[ \t]*(?::[^=\n]+)?[+%]?=(?!=)")


def enclosing_function(node: Node) -> Node | None:
    """Return the innermost function definition around a node, or None at module or class level."""
    parent = node.parent
    while parent is not None and parent.type != "function_definition":
        parent = parent.parent
    return parent


def function_name(node: Node) -> str:
    """Return the name of the innermost function around a node, or an empty text."""
    function = enclosing_function(node)
    name = None if function is None else function.child_by_field_name("name")
    return "" if name is None else text(name)


def assigned_name(node: Node) -> str:
    """Return the target that the value of this expression goes to: `a.b`, `x["k"]`, a keyword or a key."""
    child, parent = node, node.parent
    while parent is not None and not parent.type.endswith(("statement", "block", "module", "definition")):
        if parent.type in {"assignment", "augmented_assignment"}:
            target = parent.child_by_field_name("left")
            return "" if target is None or target == child else text(target)
        if parent.type in {"keyword_argument", "named_expression"}:
            target = parent.child_by_field_name("name")
            return "" if target is None else text(target)
        if parent.type == "pair":
            target = parent.child_by_field_name("key")
            return "" if target is None else text(target)
        child, parent = parent, parent.parent
    return ""


def last_value(name: str, before: Node) -> list[Node]:
    """Return the expressions assigned or added to a local name ahead of a node in its function, in order."""
    scope = enclosing_function(before)
    if scope is None or not name.isidentifier():
        return []
    body, wanted = scope.text or b"", name.encode()
    found: list[Node] = []
    limit = before.start_byte - scope.start_byte
    at = body.find(wanted, 0, limit)
    while at >= 0:
        if _ASSIGNS.match(body, at + len(wanted)):
            value = _value_of(scope, at, len(wanted))
            if value is not None:
                found.append(value)
        at = body.find(wanted, at + len(wanted), limit)
    return found


def _value_of(scope: Node, offset: int, length: int) -> Node | None:
    """Return what is assigned to the name at an offset within a scope, if it is the whole target there."""
    start = scope.start_byte + offset
    node = scope.descendant_for_byte_range(start, start + length)
    statement = None if node is None else node.parent
    if node is None or statement is None or statement.type not in {"assignment", "augmented_assignment"}:
        return None
    is_target = statement.child_by_field_name("left") == node and node.end_byte - node.start_byte == length
    return statement.child_by_field_name("right") if is_target else None
