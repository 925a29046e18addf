"""One pass over the marked nodes, in the order of the text, that adds up the metrics of every function.

Nodes are Python objects and every attribute of one crosses into C, so a node is asked for its span once, and
for its children only where a name or a signature is read. Nothing here recurses: depth costs memory alone.
"""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING

from hefesto_api.analyzers.structure.logical import Operators
from hefesto_api.analyzers.structure.marks import BLOCK, BRANCH, EFFECTS, ELSE_IF, LOGICAL, SCOPES
from hefesto_api.analyzers.structure.names import ANONYMOUS, name_of, path_of, prototype_of, text_of, within
from hefesto_api.analyzers.structure.scopes import Scope, Tally

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tree_sitter import Node

    from hefesto_api.analyzers.structure.language import Language
    from hefesto_api.analyzers.structure.marks import Effect
    from hefesto_api.domain.structure import ClassSpan, Function

    Event = tuple[int, int, str, "Node"]

TRIVIA = re.compile(rb"(?:\s+|//[^\n]*|#[^\n]*|/\*(?:[^*]|\*(?!/))*+\*/)*+")
BY_SPAN = itemgetter(0, 1)
CONDITIONAL = frozenset({"case", "else_clause"})


def sweep(
    language: Language, content: bytes, captures: Mapping[str, list[Node]]
) -> tuple[tuple[Function, ...], tuple[ClassSpan, ...]]:
    """Return the functions and classes of a file, in the order of their starts."""
    passing = Sweep(language, content)
    passing.run(ordered(captures))
    return passing.functions(), passing.classes()


def ordered(captures: Mapping[str, list[Node]]) -> list[Event]:
    """Return the marked nodes as (start, -end, mark, node): outer ones before those inside of them."""
    events: list[Event] = []
    for mark in (*SCOPES, LOGICAL, *EFFECTS):
        nodes = captures.get(mark, ())
        events += [(start, -end, mark, node) for node in nodes for start, end in (node.byte_range,)]
    events.sort(key=BY_SPAN)
    return events


class Sweep:
    """The state of a pass over one file: what is open where it stands."""

    def __init__(self, language: Language, content: bytes) -> None:
        self.language = language
        self.content = content
        self.operators = Operators(language.logical)
        self.scope = Scope("", None)
        self.tally: Tally | None = None
        self.ends: list[int] = [len(content) + 1]
        self.opened: list[Scope | Effect] = [self.scope]
        self.tallies: list[Tally] = []
        self.types: list[Scope] = []
        self.owned: dict[str, int] = {}  # methods declared outside of their type
        self.decorated: dict[int, Node] = {}  # by the end of what is decorated
        self.decorator: Node | None = None
        self.decorators_end = -1
        self.pending: Node | None = None  # the name that waits for its value

    def run(self, events: list[Event]) -> None:
        """Go over all events; the marks that only count, by far the most, are dealt with right here."""
        ends = self.ends
        else_end = -1
        entering = {mark: getattr(self, f"on_{mark}") for mark in (*SCOPES, LOGICAL)}
        for start, negative_end, mark, node in events:
            while ends[-1] <= start:
                self.close()
            effect = EFFECTS.get(mark)
            if effect is None:
                entering[mark](node, start, -negative_end)
            elif (tally := self.tally) is not None:
                if effect is BRANCH and else_end >= 0 and self.is_else_if(else_end, start):
                    effect = ELSE_IF
                elif mark in CONDITIONAL and self.is_linear(mark, start):
                    continue
                tally.add(effect)
                if effect.nests or effect.blocks:
                    tally.enter(effect)
                    ends.append(-negative_end)
                    self.opened.append(effect)
            else_end = -negative_end if mark == "else" else -1
        while len(ends) > 1:
            self.close()

    def is_else_if(self, else_end: int, start: int) -> bool:
        """Tell whether the branch is an `if` with nothing but space between it and the `else` before."""
        return self.content.startswith(b"if", start) and bool(TRIVIA.fullmatch(self.content, else_end, start))

    def is_linear(self, mark: str, start: int) -> bool:
        """Tell whether nothing is decided here: the case for all others, the `else` of a `try`."""
        if mark == "case":
            return self.language.default_case.match(self.content, start) is not None
        return self.opened[-1] is BLOCK

    def close(self) -> None:
        """Leave the innermost open node."""
        self.ends.pop()
        item = self.opened.pop()
        if isinstance(item, Scope):
            self.scope = item.outer or self.scope
            if isinstance(item, Tally):
                item.hand_on()
                self.tally = item.around
        elif self.tally is not None:
            self.tally.leave(item)

    def open(self, scope: Scope, end: int) -> None:
        """Enter a scope."""
        self.ends.append(end)
        self.opened.append(scope)
        self.scope = scope

    def on_logical(self, node: Node, start: int, end: int) -> None:
        """Count the boolean operators of an expression."""
        if self.tally is not None:
            operators, sequences = self.operators.count(node)
            self.tally.cyclomatic += operators
            self.tally.cognitive += sequences

    def on_decorated(self, node: Node, start: int, end: int) -> None:
        """Keep the node that holds decorators and what they decorate: both end at the same place."""
        self.decorated[end] = node

    def on_decorator(self, node: Node, start: int, end: int) -> None:
        """Keep the first of the decorators that stand before a method."""
        if self.decorator is None or not TRIVIA.fullmatch(self.content, self.decorators_end, start):
            self.decorator = node
        self.decorators_end = end

    def on_name(self, node: Node, start: int, end: int) -> None:
        """Keep the name for the function, class or object that is assigned to it."""
        self.pending = node

    def on_object(self, node: Node, start: int, end: int) -> None:
        """Let an object literal with a name be a scope."""
        if path := self.path(start):
            self.open(Scope(self.qualified(path), self.scope.class_name, self.scope), end)

    def on_namespace(self, node: Node, start: int, end: int) -> None:
        """Enter what names things but is no class."""
        prefix = self.qualified([name_of(node, self.content)])
        self.open(Scope(prefix, self.scope.class_name, self.scope), end)

    def on_anonymous_class(self, node: Node, start: int, end: int) -> None:
        """Enter the body of a class, unless the class with a name that ends here has been entered."""
        if self.scope.methods < 0 or self.ends[-1] != end:
            prefix = within(self.scope.prefix, ANONYMOUS)
            self.open(Scope(prefix, prefix, self.scope, methods=0), end)

    def on_class(self, node: Node, start: int, end: int) -> None:
        """Enter a class."""
        path = self.path(start)
        own = name_of(node, self.content)
        prefix = self.qualified(path if path and own == ANONYMOUS else [own])
        scope = Scope(prefix, prefix, self.scope, methods=0)
        scope.spans(self.first(node, start, end), node)
        self.types.append(scope)
        self.open(scope, end)

    def on_function(self, node: Node, start: int, end: int) -> None:
        """Enter a function."""
        language, content, scope = self.language, self.content, self.scope
        names, owner = self.called(node, start)
        if owner:
            self.owned[owner] = self.owned.get(owner, 0) + 1
        class_name = owner or scope.class_name
        tally = Tally(self.qualified([owner, *names] if owner else names), class_name, scope, self.tally)
        tally.name = names[-1]
        in_class = scope.methods >= 0
        scope.methods += in_class and tally.name != ANONYMOUS
        tally.parameters = language.parameters(node, content, in_class)
        tally.spans(self.first(node, start, end), node)
        self.tallies.append(tally)
        self.open(tally, end)
        self.tally = tally

    def called(self, node: Node, start: int) -> tuple[list[str], str | None]:
        """Return what a function is called, and the type that owns it if the text around does not say so."""
        name = self.pending
        path = self.path(start)
        own = name_of(node, self.content)
        if own != ANONYMOUS or name is None or not path:
            return [own], self.language.owner(node, self.content) if self.language.owner else None
        owner = prototype_of(text_of(name, self.content))
        return path[-1:] if owner else path, owner

    def path(self, start: int) -> list[str]:
        """Take the name that waits for the value that starts here."""
        name, self.pending = self.pending, None
        if name is None or name.end_byte > start:
            return []
        return path_of(text_of(name, self.content))

    def qualified(self, path: list[str]) -> str:
        """Return the full name of something in the present scope."""
        return within(self.scope.prefix, ".".join(path))

    def first(self, node: Node, start: int, end: int) -> Node:
        """Return the node at which a definition begins: its first decorator, or itself."""
        if (decorated := self.decorated.pop(end, None)) is not None:
            return decorated
        if self.decorator is not None and self.decorators_end <= start:
            decorator, self.decorator = self.decorator, None
            if TRIVIA.fullmatch(self.content, self.decorators_end, start):
                return decorator
        return node

    def functions(self) -> tuple[Function, ...]:
        """Return what the functions came to."""
        return tuple([tally.function() for tally in self.tallies])

    def classes(self) -> tuple[ClassSpan, ...]:
        """Return what the classes came to."""
        return tuple([scope.class_span(self.owned.get(scope.prefix, 0)) for scope in self.types])
