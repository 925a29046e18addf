"""What is known of a function while its file is gone over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hefesto_api.analyzers.facts import names
from hefesto_api.domain.code import Access, Call, FunctionFacts, Raise

if TYPE_CHECKING:
    from tree_sitter import Node

    from hefesto_api.analyzers.facts.dialect import Dialect
    from hefesto_api.domain.structure import Function

MOST: Final = 300  # of anything in one function
RETURNED: Final = "return"
ENDS: Final = frozenset(
    {
        "return_statement",
        "raise_statement",
        "throw_statement",
        "while_statement",
        "try_statement",
        "with_statement",
    }
)


class Collector:
    """The facts of one function in the making: a method for each mark of the dialect's query."""

    def __init__(self, shape: Function, dialect: Dialect, content: bytes) -> None:
        self.shape = shape
        self.dialect = dialect
        self.content = content
        self.parameters: tuple[str, ...] = ()
        self.required = 0
        self.calls: list[Call] = []
        self.attributes: list[Access] = []
        self.subscripts: list[Access] = []
        self.raised: list[Raise] = []
        self.texts: list[str] = []
        self.stores: list[str] = []
        self.guards: list[str] = []
        self.handlers: list[str] = []
        self.assertions: list[int] = []
        self.decorators: list[str] = []
        self.returned: list[str] = []
        self.bound: dict[tuple[int, int], tuple[str, ...]] = {}
        self.nothing = self.something = self.open_end = self.delegates = False

    def on_function(self, node: Node) -> None:
        """Read the signature, and how the body ends."""
        self.parameters, self.required = names.parameters(
            node, self.content, self.shape.class_name is not None
        )
        body = node.child_by_field_name("body")
        statements = [] if body is None else [one for one in body.named_children if one.type != "comment"]
        if statements and _is_text(statements[0]):
            statements = statements[1:]
        if statements:
            last = statements[-1]
            self.open_end = last.type not in ENDS and last.child_by_field_name("alternative") is None
        self.delegates = len(statements) == 1 and _is_one_call(statements[0])

    def on_decorator(self, node: Node) -> None:
        """Keep a decorator's name."""
        name = names.text(node, self.content).lstrip("@ ").partition("(")[0]
        self.decorators.append(name)

    def on_call(self, node: Node) -> None:
        """Keep a call."""
        if len(self.calls) >= MOST:
            return
        member = self.dialect.members.get(node.type)
        called = None
        if member is None:
            for field in self.dialect.callee:
                called = called or node.child_by_field_name(field)
            if called is None:
                return
            member = self.dialect.members.get(called.type)
        else:
            called = node
        if member is None:
            name, owner, at = names.dotted(called, self.content), None, called
        else:
            named, holder = called.child_by_field_name(member[1]), called.child_by_field_name(member[0])
            if named is None:
                return
            name, at = names.text(named, self.content), named
            owner = None if holder is None else names.receiver(holder, self.content, self.dialect)
        if name:
            arguments, keywords = self._arguments(node)
            into = self.bound.get(node.byte_range, ())
            self.calls.append(Call(name, owner, at.start_point[0] + 1, arguments, keywords, into))
            if name == "panic":
                self.raised.append(Raise("panic", at.start_point[0] + 1))

    def _arguments(self, node: Node) -> tuple[tuple[str, ...], tuple[str, ...]]:
        given = node.child_by_field_name("arguments")
        if given is None:
            return (), ()
        positional, keywords = [], []
        for one in given.named_children[:20]:
            if one.type == "keyword_argument":
                name = one.child_by_field_name("name")
                keywords.append(names.text(name, self.content) if name is not None else "")
                value = one.child_by_field_name("value")
                positional.append(names.dotted(value, self.content) if value is not None else "")
            elif one.type != "comment":
                positional.append(names.dotted(one, self.content))
        return tuple(positional), tuple(keywords)

    def on_attribute(self, node: Node) -> None:
        """Keep the read of an attribute."""
        fields = self.dialect.members.get(node.type)
        if fields is None or len(self.attributes) >= MOST:
            return
        holder, name = node.child_by_field_name(fields[0]), node.child_by_field_name(fields[1])
        if holder is not None and name is not None:
            owner = names.receiver(holder, self.content, self.dialect)
            self.attributes.append(Access(names.text(name, self.content), owner, name.start_point[0] + 1))

    def on_subscript(self, node: Node) -> None:
        """Keep the read of an item."""
        children = node.named_children
        if len(children) >= 2 and len(self.subscripts) < MOST:
            owner = names.receiver(children[0], self.content, self.dialect)
            key = names.text(children[1], self.content, 60)
            self.subscripts.append(Access(key, owner, node.start_point[0] + 1))

    def on_raise(self, node: Node) -> None:
        """Keep a raise with its type."""
        line = node.start_point[0] + 1
        children = node.named_children
        if not children:
            self.raised.append(Raise(None, line))
            return
        raised = children[0]
        kind = None
        for field in self.dialect.callee:
            kind = kind or raised.child_by_field_name(field)
        name = names.text(kind if kind is not None else raised, self.content)
        is_class = kind is not None or name.rpartition(".")[2][:1].isupper()
        self.raised.append(Raise(name.rpartition(".")[2] if is_class else None, line))

    def on_return(self, node: Node) -> None:
        """Note whether something is returned."""
        children = node.named_children
        if not children or names.text(children[0], self.content) in self.dialect.nothing:
            self.nothing = True
            return
        self.something = True
        self._give(children[0], (RETURNED,))
        if len(self.returned) < MOST and (name := names.dotted(children[0], self.content)):
            self.returned.append(name)
        if names.may_find_nothing(children[0], self.content):
            self.nothing = True

    def on_except(self, node: Node) -> None:
        """Keep the types that are caught."""
        children = [
            one for one in node.named_children if one.type not in ("block", "comment", "statement_block")
        ]
        value = names.text(children[0], self.content, 200) if children else ""
        caught = value.partition(" as ")[0].strip("() ")
        self.handlers.extend(
            one.strip().rpartition(".")[2] for one in (caught.split(",") if caught else [""])
        )

    def on_assert(self, node: Node) -> None:
        """Keep the line of an assertion."""
        self.assertions.append(node.start_point[0] + 1)

    def on_guard(self, node: Node) -> None:
        """Keep a name whose truth is tested."""
        condition = node.child_by_field_name("condition")
        if condition is None and node.type == "conditional_expression" and len(node.named_children) > 1:
            condition = node.named_children[1]
        if condition is not None:
            value = names.text(condition, self.content).strip("()! ").removeprefix("not ")
            if names.DOTTED.fullmatch(value):
                self.guards.append(value)

    def on_comparison(self, node: Node) -> None:
        """Keep a name that is compared with None."""
        value = names.text(node, self.content)
        if value.endswith((" is None", " is not None")):
            self.guards.append(value.partition(" is ")[0])

    def on_assign(self, node: Node) -> None:
        """Keep the attribute or the key that is set."""
        self.on_bind(node)
        target = node.child_by_field_name("left")
        if target is None or len(self.stores) >= MOST:
            return
        value = names.text(target, self.content)
        if target.type == "subscript":
            self.stores.append(value.partition("[")[2].strip("[]'\" "))
        elif target.type in self.dialect.members:
            self.stores.append(value.rpartition(".")[2])

    def on_bind(self, node: Node) -> None:
        """Note which names get a value."""
        target, value = names.target_and_value(node)
        if target is not None and value is not None:
            self._give(value, names.targets(target, self.content))

    def _give(self, value: Node, into: tuple[str, ...]) -> None:
        """Note of the calls that may make a value who gets it: they stand after it in the text."""
        if into and len(self.bound) < MOST:
            self.bound.update((call.byte_range, into) for call in names.made_by(value))

    def on_string(self, node: Node) -> None:
        """Keep a text that is no docstring."""
        if len(self.texts) < MOST and (node.parent is None or node.parent.type != "expression_statement"):
            value = names.literal(node, self.content)
            if value:
                self.texts.append(value)

    def facts(self) -> FunctionFacts:
        """Return what came together."""
        return FunctionFacts(
            qualified_name=self.shape.qualified_name,
            name=self.shape.name,
            class_name=self.shape.class_name,
            start_line=self.shape.start_line,
            end_line=self.shape.end_line,
            parameters=self.parameters,
            required=self.required,
            calls=tuple(self.calls),
            raises=tuple(dict.fromkeys(one.type for one in self.raised if one.type)),
            texts=tuple(self.texts),
            raised=tuple(self.raised[:MOST]),
            attributes=tuple(self.attributes),
            subscripts=tuple(self.subscripts),
            stores=tuple(dict.fromkeys(self.stores)),
            guards=tuple(dict.fromkeys(self.guards))[:MOST],
            handlers=tuple(dict.fromkeys(self.handlers))[:MOST],
            assertions=tuple(self.assertions[:MOST]),
            decorators=tuple(self.decorators[:MOST]),
            returns_none=self.nothing or (self.something and self.open_end),
            returns_value=self.something,
            delegates=self.delegates,
            cyclomatic=self.shape.cyclomatic,
            returned=tuple(dict.fromkeys(self.returned)),
        )


def _is_text(node: Node) -> bool:
    return (
        node.type == "expression_statement"
        and bool(node.named_children)
        and node.named_children[0].type == "string"
    )


def _is_one_call(node: Node) -> bool:
    """Tell whether a statement is a call and nothing more, or returns one."""
    inner = node
    for _ in range(3):
        if inner.type in ("call", "call_expression", "method_invocation"):
            return node.end_point[0] - node.start_point[0] < 4
        if not inner.named_children:
            return False
        inner = inner.named_children[0]
    return False
