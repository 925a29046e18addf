"""Reading names, texts and signatures out of nodes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from hefesto_api.analyzers.facts.dialect import Dialect

LONGEST_NAME: Final = 120
LONGEST_TEXT: Final = 200
DOTTED = re.compile(r"[\w$]+(?:\s*\??\.\s*[\w$]+)*")
PREFIX = re.compile(r"^[a-zA-Z]{0,2}(\"\"\"|'''|\"|'|`)")
CALLS: Final = ("call", "call_expression", "method_invocation")
MAKES: Final = frozenset({*CALLS, "new_expression", "object_creation_expression"})
WRAPS: Final = frozenset(
    {
        "await", "await_expression", "parenthesized_expression", "boolean_operator", "conditional_expression",
        "ternary_expression", "non_null_expression", "as_expression", "expression_list",
    }
)  # fmt: skip
# What gives nothing where it finds nothing, when it is called with at most so many arguments.
MAY_FIND_NOTHING: Final = {
    "get": 1, "getenv": 1, "first": 0, "match": 3, "search": 3, "fullmatch": 3, "which": 3, "one_or_none": 0,
    "scalar_one_or_none": 0, "find_one": 2, "getElementById": 1, "querySelector": 1,
}  # fmt: skip
UNNAMED: Final = frozenset({"comment", "keyword_separator", "positional_separator"})


def text(node: Node, content: bytes, longest: int = LONGEST_NAME) -> str:
    """Return a node's text on one line, cut."""
    start, end = node.byte_range
    return " ".join(content[start : min(end, start + longest)].decode("utf-8", "replace").split())


def dotted(node: Node, content: bytes) -> str:
    """Return a name or a dotted path as it stands; of anything else the last name, with what hides dots."""
    start, end = node.byte_range
    if end - start <= LONGEST_NAME:
        value = content[start:end].decode("utf-8", "replace")
        if DOTTED.fullmatch(value):
            return value
    return ""


def receiver(node: Node, content: bytes, dialect: Dialect) -> str:
    """Return what a member belongs to: its path, else the name of what was called or indexed there."""
    if path := dotted(node, content):
        return path
    for field in ("function", "object", "value", "operand", "name"):
        inner = node.child_by_field_name(field)
        if inner is not None:
            found = dotted(inner, content)
            if not found and inner.type in dialect.members:
                member = inner.child_by_field_name(dialect.members[inner.type][1])
                found = dotted(member, content) if member is not None else ""
            return f"{found}()" if found else "()"
    return "()"


def literal(node: Node, content: bytes) -> str:
    """Return what a string literal says, without quotes and prefix, cut."""
    start, end = node.byte_range
    value = content[start : min(end, start + LONGEST_TEXT)].decode("utf-8", "replace")
    found = PREFIX.match(value)
    return value[found.end() :].rstrip(found[1][0]) if found else value


def target_and_value(node: Node) -> tuple[Node | None, Node | None]:
    """Return what an assignment, a loop or a `with` gives a value to, and the value."""
    for target, value in (("left", "right"), ("name", "value")):
        named = node.child_by_field_name(target)
        if named is not None:
            return named, node.child_by_field_name(value)
    return node.child_by_field_name("alias"), node.named_children[0] if node.named_children else None


def targets(node: Node, content: bytes) -> tuple[str, ...]:
    """Return the names and dotted paths that a target is made of."""
    if name := dotted(node, content):
        return (name,)
    if node.type == "subscript":
        return targets(node.named_children[0], content)
    return tuple(name for one in node.named_children[:10] if (name := dotted(one, content)))


def made_by(value: Node) -> Iterator[Node]:
    """Yield the calls whose result an expression may have as its value."""
    waiting = [value]
    for _ in range(20):
        if not waiting:
            return
        node = waiting.pop()
        if node.type in MAKES:
            yield node
        elif node.type in WRAPS:
            waiting.extend(node.named_children)


def may_find_nothing(value: Node, content: bytes) -> bool:
    """Tell whether a returned value is that of a look-up that may come back without anything."""
    if value.type not in CALLS:
        return False
    called = value.child_by_field_name("function") or value.child_by_field_name("name")
    given = value.child_by_field_name("arguments")
    if called is None or given is None:
        return False
    arguments = [node for node in given.named_children if node.type not in UNNAMED]
    if arguments and text(arguments[-1], content) in ("None", "null", "undefined"):
        return True
    most = MAY_FIND_NOTHING.get(text(called, content).rpartition(".")[2])
    return most is not None and len(arguments) <= most


def parameters(function: Node, content: bytes, in_class: bool) -> tuple[tuple[str, ...], int]:
    """Return a function's parameters, stars kept, and how many have no default; not a bound one."""
    signature = function.child_by_field_name("parameters")
    if signature is None:
        alone = function.child_by_field_name("parameter")
        return ((text(alone, content),), 1) if alone is not None else ((), 0)
    found, required = [], 0
    for at, node in enumerate(signature.named_children[:60]):
        if node.type in UNNAMED:
            continue
        name, has_default = _parameter(node, content)
        if at == 0 and in_class and name in ("self", "cls", "mcs", "mcls"):
            continue
        found.append(name)
        required += not has_default and not name.startswith(("*", "...", "{"))
    return tuple(found), required


def _parameter(node: Node, content: bytes) -> tuple[str, bool]:
    whole = text(node, content)
    has_default = node.child_by_field_name("value") is not None or node.type == "optional_parameter"
    if "default" in node.type or node.type == "assignment_pattern":
        has_default = True
    for field in ("name", "left", "pattern"):
        named = node.child_by_field_name(field)
        if named is not None:
            return text(named, content), has_default
    return re.split(r"\s*[:=]", whole, maxsplit=1)[0], has_default
