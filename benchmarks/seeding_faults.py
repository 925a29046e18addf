"""Faults as people make them, seeded into Python source one at a time."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONVERSIONS = frozenset({"int", "str", "list", "tuple", "dict", "float", "set", "bytes"})
Lines = list[bytes]
ENDS = (ast.Return, ast.Raise, ast.Continue)


class _Place(NamedTuple):
    node: ast.AST
    kind: str
    text: str


class Fault(NamedTuple):
    """A change to a source: the function it is in (`Class.method`), that one's first line, and the place."""

    function: str
    first_line: int
    place: _Place

    @property
    def kind(self) -> str:
        """Return what kind of fault it is."""
        return self.place.kind

    @property
    def line(self) -> int:
        """Return the line it begins on."""
        return self.place.node.lineno  # type: ignore[attr-defined, no-any-return]

    def seeded(self, source: str) -> str | None:
        """Return the source with the fault; None where it would be no Python."""
        changed = _changed(source.encode().splitlines(keepends=True), self.place)
        try:
            ast.parse(changed)
        except (SyntaxError, ValueError):
            return None
        return changed


def faults(source: str) -> Iterator[Fault]:
    """Yield what may be seeded into the functions of a source that parses."""
    lines = source.encode().splitlines(keepends=True)
    for name, function in _functions(ast.parse(source), ""):
        first = min([function.lineno, *(d.lineno for d in function.decorator_list)])
        for node in _own(function):
            for make in MAKERS:
                for place in make(node, lines):
                    yield Fault(name, first, place)


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{prefix}{child.name}", child
        inner = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        yield from _functions(child, f"{prefix}{child.name}." if inner else prefix)  # type: ignore[attr-defined]


def _own(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body, but for those of functions and classes inside of it."""
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        yield node
        stack.extend(ast.iter_child_nodes(node))


def _changed(lines: list[bytes], place: _Place) -> str:
    node = place.node
    start, end = node.lineno - 1, node.end_lineno - 1  # type: ignore[attr-defined]
    before = lines[start][: node.col_offset]  # type: ignore[attr-defined]
    after = lines[end][node.end_col_offset :]  # type: ignore[attr-defined]
    text = place.text.encode()
    return b"".join([*lines[:start], before + text + after, *lines[end + 1 :]]).decode()


def _text(lines: Lines, node: ast.AST) -> str:
    """Return the text of a node; ast's own function splits the whole source at each call."""
    start: int = node.lineno - 1  # type: ignore[attr-defined]
    end: int = node.end_lineno - 1  # type: ignore[attr-defined]
    first, last = node.col_offset, node.end_col_offset  # type: ignore[attr-defined]
    if start == end:
        return lines[start][first:last].decode()
    return b"".join([lines[start][first:], *lines[start + 1 : end], lines[end][:last]]).decode()


def _guard(node: ast.AST, lines: Lines) -> Iterator[_Place]:
    if isinstance(node, ast.If) and not node.orelse and isinstance(node.body[-1], ENDS):
        yield _Place(node, "missing guard", "pass")
    elif isinstance(node, ast.If):
        yield _Place(node.test, "inverted condition", f"not ({_text(lines, node.test)})")


def _return(node: ast.AST, lines: Lines) -> Iterator[_Place]:
    if isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield _Place(node.value, "lost value", "None")


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _call(node: ast.AST, lines: Lines) -> Iterator[_Place]:
    if not isinstance(node, ast.Call) or any(isinstance(a, ast.Starred) for a in node.args):
        return
    texts = [_text(lines, argument) for argument in node.args]
    rest = [_text(lines, keyword) for keyword in node.keywords]
    called = _text(lines, node.func)
    if isinstance(node.func, ast.Name) and called in CONVERSIONS and len(texts) == 1 and not rest:
        yield _Place(node, "lost conversion", texts[0])
    if len(texts) >= 2 and texts[0] != texts[1]:
        swapped = ", ".join([texts[1], texts[0], *texts[2:], *rest])
        yield _Place(node, "swapped arguments", f"{called}({swapped})")
    if texts and called != "super":
        yield _Place(node, "missing argument", f"{called}({', '.join([*texts[:-1], *rest])})")


def _key(node: ast.AST, lines: Lines) -> Iterator[_Place]:
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        value = node.slice.value
        if isinstance(value, str):
            yield _Place(node.slice, "wrong key", repr(f"{value}_"))
        elif isinstance(value, int) and not isinstance(value, bool):
            yield _Place(node.slice, "off by one", repr(value + 1))
    elif isinstance(node, ast.Dict):
        for key in node.keys:
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield _Place(key, "wrong key", repr(f"{key.value}_"))


def _attribute(node: ast.AST, lines: Lines) -> Iterator[_Place]:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        kind = "wrong attribute" if isinstance(node.ctx, ast.Load) else "attribute not set"
        yield _Place(node, kind, f"self.{node.attr}_")


def _default(node: ast.AST, lines: Lines) -> Iterator[_Place]:
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or) and len(node.values) == 2:
        yield _Place(node, "lost default", f"({_text(lines, node.values[0])})")


def _bound(node: ast.AST, lines: Lines) -> Iterator[_Place]:
    turned = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in turned:
        left, right = _text(lines, node.left), _text(lines, node.comparators[0])
        yield _Place(node, "off by one", f"{left} {turned[type(node.ops[0])]} {right}")


def _statement(node: ast.AST, lines: Lines) -> Iterator[_Place]:
    if isinstance(node, (ast.Assign, ast.AugAssign)) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield _Place(node, "lost statement", "pass")


MAKERS: tuple[Callable[[ast.AST, Lines], Iterator[_Place]], ...] = (
    _guard, _return, _call, _key, _attribute, _default, _bound, _statement,
)  # fmt: skip
