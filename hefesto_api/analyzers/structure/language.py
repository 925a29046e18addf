"""What a language is to us: a grammar, the query that marks what matters, and how to read a signature."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import Any

import tree_sitter
from tree_sitter import Node, QueryCursor, Tree

# A query cursor counts depth in 16 bits: deeper down it sees wrong nodes, in a time that grows as the square.
DEEPEST = 60_000
NEVER = re.compile(rb"(?!)")


class Language:
    """A language as data; its grammar is loaded when a file of it first comes by.

    `query` marks nodes with the captures that `marks` explains. `parameters` counts the parameters of a
    function's node. `owner` names the type a method belongs to when the text around it does not (Go).
    `default_case` matches the text of a `case` that decides nothing, and `logical` holds the operators
    that do.
    """

    def __init__(
        self,
        name: str,
        *,
        suffixes: tuple[str, ...],
        grammar: tuple[str, str],
        query: str,
        parameters: Callable[[Node, bytes, bool], int],
        logical: frozenset[str],
        owner: Callable[[Node, bytes], str | None] | None = None,
        default_case: re.Pattern[bytes] = NEVER,
    ) -> None:
        self.name = name
        self.suffixes = suffixes
        self.grammar = grammar
        self.query = query
        self.parameters = parameters
        self.logical = logical
        self.owner = owner
        self.default_case = default_case

    @cached_property
    def grammar_of(self) -> tree_sitter.Language:
        """Return the compiled grammar, importing its wheel now."""
        module, function = self.grammar
        pointer: Any = getattr(import_module(module), function)()
        return tree_sitter.Language(pointer)

    @cached_property
    def marked(self) -> tree_sitter.Query:
        """Return the compiled query."""
        return tree_sitter.Query(self.grammar_of, self.query)


def captured(query: tree_sitter.Query, tree: Tree) -> dict[str, list[Node]]:
    """Return the nodes a query captures, but for those nested deeper than a cursor can count."""
    cursor = QueryCursor(query)
    cursor.set_max_start_depth(DEEPEST)
    return cursor.captures(tree.root_node)
