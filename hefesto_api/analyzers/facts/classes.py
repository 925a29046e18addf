"""Classes and imports of a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hefesto_api.analyzers.facts import names
from hefesto_api.domain.code import ClassFacts, Import

if TYPE_CHECKING:
    from tree_sitter import Node

    from hefesto_api.domain.structure import ClassSpan

MOST: Final = 400
NAME = re.compile(r"[\w$]+(?:\.[\w$]+)*")
QUOTED = re.compile(r"""["'`]([^"'`]+)["'`]""")
FROM = re.compile(r"from\s+(\.*[\w.]*)\s+import\s+(.*)", re.DOTALL)
WORDS: Final = frozenset({"extends", "implements", "metaclass", "public", "private"})
HERITAGE: Final = frozenset({"class_heritage", "super_interfaces", "superclass", "argument_list"})


def class_facts(span: ClassSpan, node: Node | None, content: bytes) -> ClassFacts:
    """Return a class with its bases (a metaclass too), and what its body sets and says."""
    if node is None:
        return ClassFacts(span.qualified_name, span.start_line, span.end_line)
    heritage = [one for one in node.named_children if one.type in HERITAGE]
    bases = [found for one in heritage for found in NAME.findall(names.text(one, content, 400))]
    attributes, texts = [], []
    body = node.child_by_field_name("body")
    for statement in body.named_children[:MOST] if body is not None else ():
        inner = (
            statement.named_children[0]
            if statement.type == "expression_statement" and statement.named_children
            else statement
        )
        if inner.type == "assignment":
            left, right = inner.child_by_field_name("left"), inner.child_by_field_name("right")
            if left is not None:
                attributes.append(names.text(left, content))
            if right is not None:
                texts.extend(QUOTED.findall(names.text(right, content, 400)))
    return ClassFacts(
        qualified_name=span.qualified_name,
        start_line=span.start_line,
        end_line=span.end_line,
        bases=tuple(one for one in bases[:20] if one not in WORDS),
        attributes=tuple(attributes),
        texts=tuple(texts),
    )


def imported(node: Node, content: bytes) -> list[Import]:
    """Return what one import statement draws in."""
    value = names.text(node, content, 2_000)
    if node.type == "import_from_statement":
        found = FROM.match(value)
        if found is None:
            return []
        taken = [one.split(" as ")[0].strip() for one in found[2].strip("() ").split(",")]
        return [Import(found[1], tuple(one for one in taken if one == "*" or NAME.fullmatch(one)))]
    if quoted := QUOTED.findall(value):  # JavaScript, TypeScript, Go
        return [Import(quoted[-1], tuple(NAME.findall(value.partition(" from ")[0])[1:40]))]
    rest = value.partition("import ")[2].removeprefix("static ").rstrip("; ")
    return [Import(one.split(" as ")[0].strip()) for one in rest.split(",") if one.strip()]
