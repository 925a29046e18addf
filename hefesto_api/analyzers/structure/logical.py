"""Boolean operators: how many, and in how many sequences of the same one.

An expression is read in the order of its text, through parentheses, as SonarSource's definition has it:
`a and b or c` has two operators in two sequences, `a and b and c` two in one. A `not` starts anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node


class Operators:
    """Counts each operator of a file once, though an expression's parts come by as nodes of their own."""

    def __init__(self, operators: frozenset[str]) -> None:
        self.operators = operators
        self.seen: set[tuple[int, int]] = set()

    def count(self, node: Node) -> tuple[int, int]:
        """Return the operators of the expression that starts here, and its sequences."""
        if node.byte_range in self.seen:
            return 0, 0
        operators = sequences = 0
        last = ""
        todo: list[Node | str | None] = [node]
        while todo:
            item = todo.pop()
            if isinstance(item, str):
                operators += 1
                sequences += item != last
                last = item
            elif item is not None and (part := unwrapped(item)) is not None:
                todo.extend(self.operands(part))
        return operators, sequences

    def operands(self, node: Node) -> tuple[Node | str | None, ...]:
        """Return right, operator and left, to be taken from the end; nothing for another expression."""
        operator = node.child_by_field_name("operator")
        if operator is None or operator.type not in self.operators:
            return ()
        self.seen.add(node.byte_range)
        return node.child_by_field_name("right"), operator.type, node.child_by_field_name("left")


def unwrapped(node: Node | None) -> Node | None:
    """Return what is in any number of parentheses."""
    while node is not None and node.type == "parenthesized_expression":
        node = next((child for child in node.named_children if not child.is_extra), None)
    return node
