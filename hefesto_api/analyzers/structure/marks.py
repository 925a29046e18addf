"""The captures a language's query may use, and what each does to the function that holds the node.

A query consists of patterns of one node each wherever that can be: a pattern with children stays open until
they are found, so that a chain of 50,000 such nodes would cost the square of that.
"""

from __future__ import annotations

from typing import NamedTuple


class Effect(NamedTuple):
    """What a node adds: to McCabe's number, to the cognitive one, and to the levels inside of it."""

    cyclomatic: int = 0
    cognitive: int = 0  # added as it is
    structural: int = 0  # added with the level of nesting on top
    nests: int = 0  # levels of cognitive nesting inside the node
    blocks: int = 0  # levels of block depth inside the node


EFFECTS = {
    "branch": Effect(cyclomatic=1, structural=1, nests=1, blocks=1),  # if and loops
    "elif": Effect(cyclomatic=1, cognitive=1),
    "else": Effect(cognitive=1),  # the word: an `if` right behind it has been counted by it
    "else_clause": Effect(cognitive=1),  # the whole clause, of a language with an `elif`
    "catch": Effect(cyclomatic=1, structural=1, nests=1),
    "ternary": Effect(cyclomatic=1, structural=1, nests=1),
    "switch": Effect(structural=1, nests=1, blocks=1),
    "case": Effect(cyclomatic=1),
    "block": Effect(blocks=1),  # try, with, synchronized
    "lambda": Effect(nests=1),  # a lambda that is no function of its own
    "filter": Effect(cyclomatic=1),  # the loops and conditions of a comprehension
    "jump": Effect(cognitive=1),  # goto, break and continue with a label
}
BRANCH = EFFECTS["branch"]
BLOCK = EFFECTS["block"]
ELSE_IF = Effect(cyclomatic=1)

# Captures with a meaning of their own (see `sweep`), in the order in which nodes of the same span are seen.
SCOPES = ("decorated", "decorator", "name", "namespace", "class", "object", "anonymous_class", "function")
LOGICAL = "logical"
COMMENT = "comment"
