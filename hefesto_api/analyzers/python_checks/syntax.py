"""What checks ask of tree-sitter's Python trees: names through imports, arguments, constants."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

    from hefesto_api.analyzers.base import ParsedFile

_IMPORT: Final = re.compile(rb"[ \t]*import[ \t]+([^\n#;]+)")
_FROM: Final = re.compile(rb"[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]+(?:\(([^)]*)\)|([^\n#;(]+))")
_NAMED: Final = re.compile(r"([\w.]+)(?:\s+as\s+(\w+))?")
_DOTTED: Final = re.compile(r"[\w.]+")


def text(node: Node) -> str:
    """Return the source of a node."""
    return (node.text or b"").decode(errors="replace")


def _import_lines(content: bytes) -> Iterator[int]:
    """Yield where the lines begin that hold the word import."""
    at = content.find(b"import ")
    while at >= 0:
        yield content.rfind(b"\n", 0, at) + 1
        end = content.find(b"\n", at)
        at = content.find(b"import ", end) if end >= 0 else -1


def modules(content: bytes) -> set[bytes]:
    """Return the first parts of the modules that a file seems to import, by a quick look at its bytes."""
    found: set[bytes] = set()
    for start in _import_lines(content):
        end = content.find(b"\n", start)
        words = content[start : end if end >= 0 else len(content)].split()
        if words[0] == b"from" and len(words) > 1:
            found.add(words[1].partition(b".")[0])
        elif words[0] == b"import":
            found.update(word.partition(b".")[0].strip(b",;") for word in words[1:])
    return found


def imports(content: bytes) -> dict[str, str]:
    """Return what each imported name stands for: `import numpy as np` gives {"np": "numpy"}."""
    names: dict[str, str] = {}
    for start in _import_lines(content):
        whole, part = _IMPORT.match(content, start), _FROM.match(content, start)
        if whole is not None:
            for module, alias in _NAMED.findall(whole[1].decode(errors="replace")):
                names[alias or module.partition(".")[0]] = module if alias else module.partition(".")[0]
        elif part is not None:
            module = part[1].decode(errors="replace")
            wanted = re.sub(rb"#[^\n]*", b"", part[2] or part[3]).decode(errors="replace")
            names.update((alias or name, f"{module}.{name}") for name, alias in _NAMED.findall(wanted))
    return names


class Call(Struct, frozen=True):
    """One call. `name` is dotted and goes through the imports; `?.load` when called on an expression."""

    node: Node
    name: str
    arguments: list[Node]
    keywords: dict[str, Node]

    @property
    def method(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]

    def argument(self, position: int, *names: str) -> Node | None:
        """Return an argument given by position or by one of its names."""
        if 0 <= position < len(self.arguments):
            return self.arguments[position]
        return next((self.keywords[name] for name in names if name in self.keywords), None)

    def says(self, keyword: str, value: str) -> bool:
        """Tell whether a keyword argument is given with exactly this source."""
        given = self.keywords.get(keyword)
        return given is not None and text(given) == value


class Site:
    """A place that a pattern's expression found: the file, and the innermost node there."""

    def __init__(self, file: ParsedFile, names: Names, node: Node) -> None:
        self.file = file
        self.names = names
        self.node = node

    @property
    def line(self) -> int:
        """The line of the place, from 1."""
        return self.node.start_point[0] + 1

    @cached_property
    def call(self) -> Call | None:
        """The call whose function the place is the name of."""
        function = self.node
        if function.type != "identifier":
            return None
        if function.parent is not None and function.parent.type == "attribute":
            function = function.parent
        node = function.parent
        if node is None or node.type != "call" or node.child_by_field_name("function") != function:
            return None
        return self.names.call(node)


class Names:
    """The names that one file imports, read when a pattern first asks."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    @cached_property
    def imported(self) -> dict[str, str]:
        return imports(self._content)

    def resolve(self, node: Node) -> str:
        """Return the dotted name of an expression through the imports; `?.x` for an attribute of others."""
        written = text(node)
        if not _DOTTED.fullmatch(written):
            attribute = node.child_by_field_name("attribute") if node.type == "attribute" else None
            return "?" if attribute is None else f"?.{text(attribute)}"
        root, dot, rest = written.partition(".")
        return self.imported.get(root, root) + dot + rest

    def call(self, node: Node) -> Call:
        """Return a `call` node with its arguments told apart."""
        function = node.child_by_field_name("function")
        given = node.child_by_field_name("arguments")
        positional, keywords = [], {}
        for argument in given.named_children if given is not None else ():
            if argument.type == "keyword_argument":
                name, value = argument.child_by_field_name("name"), argument.child_by_field_name("value")
                if name is not None and value is not None:
                    keywords[text(name)] = value
            elif argument.type != "comment":
                positional.append(argument)
        return Call(node, "" if function is None else self.resolve(function), positional, keywords)


def sites(file: ParsedFile, names: Names, places: Iterable[tuple[int, int]]) -> Iterator[Site]:
    """Yield the code at places given in bytes; text and comments are passed over."""
    if file.tree is None:
        return
    root = file.tree.root_node
    for start, end in places:
        node = root.descendant_for_byte_range(start, end)
        if node is not None and node.type not in _TEXT:
            yield Site(file, names, node)


def names_of(content: bytes) -> Names:
    """Return the (lazily read) imports of a file."""
    return Names(content)


_TEXT: Final = {
    "comment",
    "string",
    "string_content",
    "string_start",
    "string_end",
    "ERROR",
    "escape_sequence",
}
_WRAPPERS: Final = {"parenthesized_expression", "await"}


def bare(node: Node) -> Node:
    """Return an expression without the parentheses around it."""
    while node.type in _WRAPPERS and node.named_child_count == 1:
        node = node.named_children[0]
    return node


def constant(node: Node | None) -> str | None:
    """Return the value of a string literal without interpolation (parts joined), else None."""
    if node is None:
        return None
    node = bare(node)
    if node.type == "concatenated_string":
        parts = [constant(part) for part in node.named_children if part.type != "comment"]
        return None if None in parts else "".join(part for part in parts if part is not None)
    if node.type != "string" or any(part.type == "interpolation" for part in node.named_children):
        return None
    return "".join(text(part) for part in node.named_children if part.type == "string_content")


def leading_text(node: Node) -> str:
    """Return the literal text with which a string expression begins, as far as it is literal."""
    node = bare(node)
    if node.type == "binary_operator":
        left = node.child_by_field_name("left")
        return "" if left is None else leading_text(left)
    if node.type == "call":
        function = node.child_by_field_name("function")
        target = None if function is None else function.child_by_field_name("object")
        return "" if target is None else leading_text(target)
    if node.type == "concatenated_string":
        return leading_text(node.named_children[0])
    if node.type != "string":
        return ""
    written = ""
    for part in node.named_children:
        if part.type == "interpolation":
            break
        if part.type == "string_content":
            written += text(part)
    return written


def is_built(node: Node) -> bool:
    """Tell whether a text is put together from changing parts: f-string, +, %, format, join, replace."""
    node = bare(node)
    if node.type == "string":
        return any(part.type == "interpolation" for part in node.named_children)
    if node.type == "concatenated_string":
        return any(is_built(part) for part in node.named_children)
    if node.type == "binary_operator":
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        return left is not None and right is not None and _is_joined(left, right)
    if node.type != "call":
        return False
    function = node.child_by_field_name("function")
    if function is None or function.type != "attribute":
        return False
    target, name = function.child_by_field_name("object"), function.child_by_field_name("attribute")
    if target is None or name is None or text(name) not in {"format", "join", "replace"}:
        return False
    return bare(target).type in {"string", "concatenated_string"}


def _is_joined(left: Node, right: Node) -> bool:
    sides = (bare(left), bare(right))
    if any(is_built(side) for side in sides):
        return True
    literal = [side.type in {"string", "concatenated_string"} for side in sides]
    return any(literal) and not all(literal) and all(s.type not in {"integer", "float"} for s in sides)
