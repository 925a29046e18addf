"""The functions and classes of a source file with their spans and metrics, by tree-sitter.

A language is a small module of data: its grammar, and a query that marks what matters (see `marks`).
"""

from __future__ import annotations

from posixpath import splitext

from tree_sitter import Parser, Tree

from hefesto_api.analyzers.structure import go, java, javascript, python, typescript
from hefesto_api.analyzers.structure.errors import unreadable
from hefesto_api.analyzers.structure.language import Language, captured
from hefesto_api.analyzers.structure.lines import lines, lines_of_code, with_line_feeds
from hefesto_api.analyzers.structure.marks import COMMENT
from hefesto_api.analyzers.structure.sweep import sweep
from hefesto_api.domain.structure import FileStructure

__all__ = ["LANGUAGES", "Language", "extract", "language_of", "parse"]

LANGUAGES: dict[str, Language] = {
    language.name: language
    for language in (
        python.LANGUAGE,
        javascript.LANGUAGE,
        typescript.LANGUAGE,
        typescript.TSX,
        java.LANGUAGE,
        go.LANGUAGE,
    )
}
SUFFIXES = {suffix: language.name for language in LANGUAGES.values() for suffix in language.suffixes}


def language_of(path: str) -> str | None:
    """Return the name of a file's language by its suffix, None when we do not read it."""
    return SUFFIXES.get(splitext(path)[1].lower())


def parse(language: str, content: bytes) -> Tree:
    """Parse a file. A grammar reads any bytes: what it cannot make sense of is an error in the tree.

    Raises KeyError for a language that is not in LANGUAGES.
    """
    return Parser(LANGUAGES[language].grammar_of).parse(with_line_feeds(content))


def extract(language: str, content: bytes, tree: Tree) -> FileStructure:
    """Return the structure of a file from its tree, in time linear in the file's size.

    Nothing is found in a file that is one long error, and nothing deeper than 60,000 nodes.
    """
    rules = LANGUAGES[language]
    errors = unreadable(tree)
    captures = {} if errors.dense else captured(rules.marked, tree)
    functions, classes = sweep(rules, content, captures)
    text = with_line_feeds(content)
    return FileStructure(
        language=language,
        lines=lines(text),
        lines_of_code=lines_of_code(text, captures.get(COMMENT, ())),
        functions=functions,
        classes=classes,
        error_line=errors.line,
    )
