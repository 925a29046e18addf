"""What a sweep has open: pieces of text that name what is in them, and functions whose metrics grow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hefesto_api.domain.structure import ClassSpan, Function

if TYPE_CHECKING:
    from tree_sitter import Node

    from hefesto_api.analyzers.structure.marks import Effect


class Scope:
    """A piece of text that names what is in it. `methods` is negative where it is no class."""

    __slots__ = ("class_name", "end_line", "methods", "outer", "prefix", "start_line")

    def __init__(
        self, prefix: str, class_name: str | None, outer: Scope | None = None, methods: int = -1
    ) -> None:
        self.prefix = prefix
        self.class_name = class_name
        self.outer = outer
        self.methods = methods
        self.start_line = self.end_line = 0

    def spans(self, first: Node, last: Node) -> None:
        """Take the lines from two nodes."""
        self.start_line = first.start_point[0] + 1
        row, column = last.end_point
        self.end_line = max(self.start_line, row + (column > 0))

    def class_span(self, owned: int) -> ClassSpan:
        """Return the class, with the methods in it and those declared elsewhere."""
        return ClassSpan(self.prefix, self.start_line, self.end_line, self.methods + owned)


class Tally(Scope):
    """A function in the making. What nested functions add to the cognitive number is kept apart."""

    __slots__ = (
        "around",
        "blocks",
        "cognitive",
        "cyclomatic",
        "level",
        "name",
        "nested",
        "nested_structural",
        "nesting",
        "parameters",
        "structural",
    )

    def __init__(self, prefix: str, class_name: str | None, outer: Scope, around: Tally | None) -> None:
        super().__init__(prefix, class_name, outer)
        self.around = around
        self.name = ""
        self.cyclomatic = 1
        self.cognitive = self.structural = self.nested = self.nested_structural = 0
        self.level = self.blocks = self.nesting = self.parameters = 0

    def add(self, effect: Effect) -> None:
        """Add what a node is worth at the level it stands at."""
        cyclomatic, cognitive, structural, _, _ = effect
        self.cyclomatic += cyclomatic
        self.cognitive += cognitive + structural * (1 + self.level)
        self.structural += structural

    def enter(self, effect: Effect) -> None:
        """Go down into a node."""
        self.level += effect.nests
        self.blocks += effect.blocks
        if self.blocks > self.nesting:
            self.nesting = self.blocks

    def leave(self, effect: Effect) -> None:
        """Come out of a node."""
        self.level -= effect.nests
        self.blocks -= effect.blocks

    def hand_on(self) -> None:
        """Add what is in here to the function around it, one level deeper than this one stands there."""
        if (around := self.around) is not None:
            structural = self.structural + self.nested_structural
            around.nested_structural += structural
            around.nested += self.cognitive + self.nested + structural * (around.level + 1)

    def function(self) -> Function:
        """Return the function.

        One without a structure of its own is a frame around others (a module, a decorator): they are not
        counted to its cognitive complexity, as SonarSource's definition has it.
        """
        return Function(
            qualified_name=self.prefix,
            name=self.name,
            class_name=self.class_name,
            start_line=self.start_line,
            end_line=self.end_line,
            cyclomatic=self.cyclomatic,
            cognitive=self.cognitive + (self.nested if self.structural else 0),
            nesting=self.nesting,
            parameters=self.parameters,
            lines=self.end_line - self.start_line + 1,
        )
