"""Edits of Python source that leave findings what they are, each with the line that every line becomes."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

_HEAD: Final = ("# Added above.", "ADDED_FIRST = 1", "", "ADDED_SECOND = 2", "", "", "def added(): pass")
_NAME: Final = re.compile(r"(?<![\w.'\"])([A-Za-z_]\w*)(?!\w*\s*=[^=]|['\"\w])")


class Span(NamedTuple):
    """The lines of one finding, from 1; both ends belong to it."""

    first: int
    last: int


class Edited(NamedTuple):
    """A new text, and where each line of the old one (from 1) stands in it."""

    text: str
    at: dict[int, int]


Edit: TypeAlias = Callable[[str, ast.Module, Sequence[Span]], Edited]


def parse(text: str) -> ast.Module | None:
    """Return the tree of a text; None where Python does not take it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            return None


def insert_above(text: str, _tree: ast.Module, _spans: Sequence[Span]) -> Edited:
    """Insert lines at the top of the file."""
    lines = text.split("\n")
    return Edited("\n".join([*_HEAD, *lines]), {at: at + len(_HEAD) for at in range(1, len(lines) + 1)})


def insert_before_each(text: str, tree: ast.Module, spans: Sequence[Span]) -> Edited:
    """Insert a statement directly above every statement that has a finding."""
    starts = {span.first for span in spans}
    lines = text.split("\n")
    added: dict[int, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and _opens_line(node, lines) and _top(node) in starts:
            line = lines[_top(node) - 1]
            indent = line[: len(line) - len(line.lstrip())]
            if not line.lstrip().startswith(("elif", "except")):
                added[_top(node)] = f"{indent}added_{_top(node)} = {_top(node)}"
    return _with_lines(lines, added)


def reorder(text: str, tree: ast.Module, _spans: Sequence[Span]) -> Edited:
    """Put the functions and classes of the file, and the methods of each class, in the opposite order."""
    lines = text.split("\n")
    order = _reversed(tree.body, range(1, len(lines) + 1))
    moved = "\n".join(lines[at - 1] for at in order)
    return Edited(moved, {old: new for new, old in enumerate(order, start=1)})


def indent(text: str, _tree: ast.Module, _spans: Sequence[Span]) -> Edited:
    """Wrap the whole file in `if True:`."""
    return _wrapped(text, "if True:")


def into_class(text: str, _tree: ast.Module, _spans: Sequence[Span]) -> Edited:
    """Wrap the whole file in a class: every function is a method of it then."""
    return _wrapped(text, "class Added:")


def rename_variables(text: str, tree: ast.Module, spans: Sequence[Span]) -> Edited:
    """Rename the local variables of every function, but for the lines that have a finding."""
    lines = text.split("\n")
    kept = {line for span in spans for line in range(span.first, span.last + 1)}
    texts = _lines_of_texts(tree)
    for function in ast.walk(tree):
        if isinstance(function, Function):
            names = _locals(function)
            for at in range(function.body[0].lineno, (function.end_lineno or function.lineno) + 1):
                if at not in kept and at not in texts:
                    lines[at - 1] = _renamed(lines[at - 1], names)
    return Edited("\n".join(lines), {at: at for at in range(1, len(lines) + 1)})


MOVES: Final[dict[str, Edit]] = {
    "lines inserted at the top": insert_above,
    "a line inserted right above each": insert_before_each,
    "functions moved within the file": reorder,
    "indented (if True:)": indent,
    "put into a class": into_class,
    "variables renamed nearby": rename_variables,
}


def simple_statements(tree: ast.Module) -> dict[int, ast.stmt]:
    """Return the statements that may be cut out, by their first line: those that stand on lines alone."""
    found: dict[int, list[ast.stmt]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            for line in {node.lineno, node.end_lineno or node.lineno}:
                found.setdefault(line, []).append(node)
    return {
        node.lineno: node
        for nodes in found.values()
        for node in nodes
        if isinstance(node, ast.Expr | ast.Assign | ast.Return | ast.Assert)
        and len(found[node.lineno]) == 1 == len(found[node.end_lineno or node.lineno])
    }


def replace(lines: list[str], node: ast.stmt, statement: str) -> None:
    """Put one statement in the place of another; the number of lines stays."""
    first, last = node.lineno, node.end_lineno or node.lineno
    lines[first - 1 : last] = [" " * node.col_offset + statement, *[""] * (last - first)]


def functions(text: str, tree: ast.Module) -> dict[str, list[tuple[int, int, str]]]:
    """Return (first line, last line, text without indentation) of the functions of each qualified name."""
    lines = text.split("\n")
    found: dict[str, list[tuple[int, int, str]]] = {}

    def look(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            name = prefix
            if isinstance(child, DEFINITIONS):
                name = f"{prefix}{child.name}."
            if isinstance(child, Function):
                first, last = _top(child), child.end_lineno or child.lineno
                body = "\n".join("".join(line.split()) for line in lines[first - 1 : last])
                found.setdefault(name[:-1], []).append((first, last, body))
            look(child, name)

    look(tree, "")
    return found


def _wrapped(text: str, opening: str) -> Edited:
    lines = text.split("\n")
    inside = [f"    {line}" if line.strip() else line for line in lines]
    return Edited("\n".join([opening, *inside]), {at: at + 1 for at in range(1, len(lines) + 1)})


def _with_lines(lines: list[str], added: dict[int, str]) -> Edited:
    out: list[str] = []
    at: dict[int, int] = {}
    for number, line in enumerate(lines, start=1):
        if number in added:
            out.append(added[number])
        out.append(line)
        at[number] = len(out)
    return Edited("\n".join(out), at)


def _top(node: ast.stmt) -> int:
    """Return the first line of a statement with its decorators."""
    if isinstance(node, DEFINITIONS) and node.decorator_list:
        return node.decorator_list[0].lineno
    return node.lineno


def _opens_line(node: ast.stmt, lines: Sequence[str]) -> bool:
    return not lines[node.lineno - 1].encode()[: node.col_offset].strip() and not lines[
        max(_top(node) - 2, 0)
    ].endswith("\\")


def _reversed(body: Sequence[ast.stmt], span: range) -> list[int]:
    """Return the lines of a block with its definitions in the opposite order, and so within each class.

    Each definition goes with the comments above it; what stands between stays where it was.
    """
    movable = [node for node in body if isinstance(node, DEFINITIONS)]
    blocks = [range(_top(node), (node.end_lineno or node.lineno) + 1) for node in movable]
    if any(one.stop > other.start for one, other in pairwise(blocks)):
        return list(span)
    inner = [
        _reversed(node.body, block) if isinstance(node, ast.ClassDef) else list(block)
        for node, block in zip(movable, blocks, strict=True)
    ]
    order: list[int] = []
    at = span.start
    for block, moved in zip(blocks, reversed(inner), strict=True):
        order += [*range(at, block.start), *moved]
        at = block.stop
    return [*order, *range(at, span.stop)]


def _locals(function: Function) -> set[str]:
    """Return the names that a function binds, but for its parameters."""
    stored = {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return stored - {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}


def _lines_of_texts(tree: ast.Module) -> set[int]:
    """Return the lines that string literals stand on: names in them are no variables."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str)
        ):
            found.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def _renamed(line: str, names: set[str]) -> str:
    code, mark, comment = line.partition("#")
    return _NAME.sub(lambda m: f"{m[1]}_renamed" if m[1] in names else m[1], code) + mark + comment
