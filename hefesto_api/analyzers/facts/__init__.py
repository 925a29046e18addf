"""The facts of code, by tree-sitter: what each function calls, raises, returns and says.

A language is a `Dialect`: data. What is read is assigned to the innermost function that holds it.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final

from hefesto_api.analyzers import structure
from hefesto_api.analyzers.facts.classes import class_facts, imported
from hefesto_api.analyzers.facts.collector import Collector
from hefesto_api.analyzers.facts.dialect import DIALECTS, Dialect
from hefesto_api.analyzers.structure.errors import unreadable
from hefesto_api.analyzers.structure.language import captured
from hefesto_api.analyzers.structure.lines import with_line_feeds
from hefesto_api.domain.code import ClassFacts, FileFacts, FunctionFacts, Import

if TYPE_CHECKING:
    from tree_sitter import Node

    from hefesto_api.domain.structure import FileStructure

LARGEST: Final = 2_000_000  # bytes
MOST_IMPORTS: Final = 300
FILE_MARKS: Final = ("class", "import")


def extract(path: str, content: bytes) -> FileFacts | None:
    """Return the facts of a file; None for a language that is not read, or a file over 2 MB.

    Never raises: what the grammar cannot read is left out.
    """
    language = structure.language_of(path)
    if language is None or language not in DIALECTS or len(content) > LARGEST:
        return None
    tree = structure.parse(language, content)
    shape = structure.extract(language, content, tree)
    if unreadable(tree).dense:
        return FileFacts(path=path, language=language)
    text = with_line_feeds(content)
    dialect = DIALECTS[language]
    captures = captured(dialect.marked, tree)
    return FileFacts(
        path=path,
        language=language,
        functions=_functions(shape, captures, dialect, text),
        classes=_classes(shape, captures, text),
        imports=_imports(captures, text),
    )


def _functions(
    shape: FileStructure, captures: dict[str, list[Node]], dialect: Dialect, content: bytes
) -> tuple[FunctionFacts, ...]:
    """Go over the nodes in the order of the text, with the functions that are open there."""
    collectors = [Collector(one, dialect, content) for one in shape.functions]
    events = [
        (node.start_byte, mark != "bind", mark, node)  # who gets a value is known before it is made
        for mark, nodes in captures.items()
        if mark not in FILE_MARKS
        for node in nodes
    ]
    events.sort(key=itemgetter(0, 1))
    opened: list[Collector] = []
    following = 0
    for _, _, mark, node in events:
        line = node.start_point[0] + 1
        while following < len(collectors) and collectors[following].shape.start_line <= line:
            opened.append(collectors[following])
            following += 1
        while opened and opened[-1].shape.end_line < line:
            opened.pop()
        if opened:
            getattr(_owner(opened, mark, node), f"on_{mark}")(node)
    return tuple(one.facts() for one in collectors)


def _owner(opened: list[Collector], mark: str, node: Node) -> Collector:
    """Return the innermost function that holds a node; of a signature, the function that it is of."""
    end = node.end_point[0] + 1
    for one in reversed(opened):
        if one.shape.end_line == end and mark == "function":
            return one
        if one.shape.end_line >= end and mark != "function":
            return one
    return opened[-1]


def _classes(shape: FileStructure, captures: dict[str, list[Node]], content: bytes) -> tuple[ClassFacts, ...]:
    """Pair the classes of the structure with their nodes: by the name, and where that stands."""
    nodes: dict[str, list[Node]] = {}
    for node in captures.get("class", ()):
        name = node.child_by_field_name("name")
        if name is not None:
            nodes.setdefault(content[name.start_byte : name.end_byte].decode("utf-8", "replace"), []).append(
                node
            )
    found = []
    for span in shape.classes:
        named = nodes.get(span.qualified_name.rpartition(".")[2], ())
        within = (one for one in named if span.start_line <= one.start_point[0] + 1 <= span.end_line)
        found.append(class_facts(span, next(within, None), content))
    return tuple(found)


def _imports(captures: dict[str, list[Node]], content: bytes) -> tuple[Import, ...]:
    return tuple(one for node in captures.get("import", ())[:MOST_IMPORTS] for one in imported(node, content))


__all__ = ["extract"]
