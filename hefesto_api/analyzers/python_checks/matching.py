"""How a pattern is looked for: a substring, then a regular expression, then the syntax tree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from hefesto_api.analyzers import catalogue
from hefesto_api.analyzers.needles import Needles
from hefesto_api.analyzers.python_checks import syntax

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tree_sitter import Node

    from hefesto_api.analyzers.base import ParsedFile
    from hefesto_api.analyzers.python_checks.syntax import Call, Site
    from hefesto_api.domain.finding import Detection

NAME: Final = "hefesto"


class Pattern:
    """One thing to look for: a gate that the file must pass, places in its bytes, and `look` at each place.

    The gate is one of `modules` imported, or one of `words` in the bytes; then one of the expressions
    of `only_if`, which are asked once a file.
    """

    def __init__(
        self,
        find: Callable[[bytes], Iterator[tuple[int, int]]],
        look: Callable[[Site], Iterable[Detection]],
        *,
        modules: tuple[bytes, ...] = (),
        words: tuple[bytes, ...] = (),
        only_if: tuple[re.Pattern[bytes], ...] = (),
    ) -> None:
        self.find = find
        self.look = look
        self.modules = frozenset(modules)
        self.words = words
        self.only_if = only_if


def calls(*names: str) -> Callable[[bytes], Iterator[tuple[int, int]]]:
    """Return what finds calls of functions or methods by their last names."""
    return _followed(names, (b"(",))


def assigned(*names: str) -> Callable[[bytes], Iterator[tuple[int, int]]]:
    """Return what finds names that get a value, as variables, attributes or keyword arguments."""
    return _followed(names, (b"=", b" ="))


def _followed(names: Iterable[str], ends: tuple[bytes, ...]) -> Callable[[bytes], Iterator[tuple[int, int]]]:
    needles = [(name.encode() + end, len(name.encode())) for name in names for end in ends]

    def find(content: bytes) -> Iterator[tuple[int, int]]:
        for needle, length in needles:
            start = content.find(needle)
            while start >= 0:
                if not content[start - 1 : start].isalnum() and content[start - 1 : start] != b"_":
                    yield start, start + length
                start = content.find(needle, start + length)

    return find


def matching(expression: bytes) -> Callable[[bytes], Iterator[tuple[int, int]]]:
    """Return what finds the first group of an expression; one that begins with a literal is much faster."""
    compiled = re.compile(expression)

    def find(content: bytes) -> Iterator[tuple[int, int]]:
        for match in compiled.finditer(content):
            yield match.span(1)

    return find


def on_call(look: Callable[[Call, Site], Iterable[Detection]]) -> Callable[[Site], Iterable[Detection]]:
    """Return a `look` that wants the call a place is the name of, and passes over other places."""

    def looked(site: Site) -> Iterable[Detection]:
        return () if site.call is None else look(site.call, site)

    return looked


def found(rule_id: str, node: Node, message: str, **overrides: Any) -> Detection:
    """Return a detection that spans a node; its columns still count bytes, `PatternCheck` mends that."""
    start, end = node.start_point, node.end_point
    return catalogue.detection(
        rule_id,
        tool=NAME,
        line=start[0] + 1,
        message=message,
        **({"column": start[1] + 1, "end_line": end[0] + 1, "end_column": end[1] + 1} | overrides),
    )


class PatternCheck:
    """All patterns as one check of a Python file."""

    name: str = NAME
    languages: frozenset[str] = frozenset({"python"})

    def __init__(self, patterns: tuple[Pattern, ...]) -> None:
        self._patterns = patterns
        self._words = Needles(dict.fromkeys(word for pattern in patterns for word in pattern.words))
        self._modules = frozenset(module for pattern in patterns for module in pattern.modules)

    def check(self, file: ParsedFile) -> Iterator[Detection]:
        """Yield what the patterns find, one for each rule and line."""
        names = syntax.names_of(file.content)
        seen: set[tuple[str, int]] = set()
        for pattern in self._admitted(file.content):
            for site in syntax.sites(file, names, pattern.find(file.content)):
                for one in _looked(pattern, site):
                    if (one.rule_id, one.line) not in seen:
                        seen.add((one.rule_id, one.line))
                        yield _in_characters(one, file.lines)

    def _admitted(self, content: bytes) -> Iterator[Pattern]:
        """Yield the patterns whose gates a file passes."""
        words = set(self._words.within(content))
        modules = syntax.modules(content) & self._modules
        if not words and not modules:
            return
        asked: dict[tuple[re.Pattern[bytes], ...], bool] = {(): True}
        for pattern in self._patterns:
            if words.isdisjoint(pattern.words) and modules.isdisjoint(pattern.modules):
                continue
            condition = pattern.only_if
            if condition not in asked:
                asked[condition] = any(one.search(content) is not None for one in condition)
            if asked[condition]:
                yield pattern


def _looked(pattern: Pattern, site: Site) -> list[Detection]:
    """Look at one place; an expression nested too deep for us is passed over."""
    try:
        return list(pattern.look(site))
    except RecursionError:
        return []


def _in_characters(one: Detection, lines: list[str]) -> Detection:
    """Return a detection with its columns counted in characters instead of bytes of UTF-8."""

    def characters(line: int, column: int) -> int:
        written = lines[line - 1] if line <= len(lines) else ""
        return (
            column if written.isascii() else len(written.encode()[: column - 1].decode(errors="ignore")) + 1
        )

    return replace(
        one,
        column=characters(one.line, one.column),
        end_column=characters(one.end_line, one.end_column),
    )
