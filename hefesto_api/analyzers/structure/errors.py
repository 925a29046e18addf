"""What the grammar could not read: where it begins, and whether it is too dense to be looked into."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

# A query cursor at a token looks ahead for the next sibling with a name. In a tree that was read it is near;
# in an error it may be the end of the file, for every token: 150,000 open brackets took 18 s.
LONGEST_RUN = 1_000


class Unreadable(NamedTuple):
    """`line` is the first line the grammar could not read, 0 if it read all."""

    line: int = 0
    dense: bool = False


def unreadable(tree: Tree) -> Unreadable:
    """Find what could not be read, going only where something is wrong."""
    if not tree.root_node.has_error:
        return Unreadable()
    cursor = tree.walk()
    line = 0
    while (node := cursor.node) is not None:
        if node.is_error or node.is_missing:
            line = line or node.start_point[0] + 1
            if node.is_error and is_dense(node):
                return Unreadable(line, dense=True)
        if node.has_error and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return Unreadable(line)
    return Unreadable(line)


def is_dense(error: Node) -> bool:
    """Tell whether a long run of tokens without a name follow each other in an error."""
    if error.child_count <= LONGEST_RUN:
        return False
    run = 0
    for child in error.children:
        run = 0 if child.is_named else run + 1
        if run > LONGEST_RUN:
            return True
    return False
