"""Builds the parsed files that the checks look at, from texts written in the tests."""

from hefesto_api.analyzers import structure
from hefesto_api.analyzers.base import ParsedFile
from hefesto_api.domain.structure import FileStructure


def parsed(content: str | bytes, path: str = "shop/orders.py") -> ParsedFile:
    """Parse a text as the engine does; a path of no known language is plain text."""
    raw = content.encode("utf-8") if isinstance(content, str) else content
    text = raw.decode("utf-8-sig", "replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = lines[:-1] if not lines[-1] else lines
    language = structure.language_of(path)
    if language is None:
        plain = FileStructure("text", len(lines), sum(1 for line in lines if line.strip()))
        return ParsedFile(path, "text", raw, text, lines, None, plain)
    tree = structure.parse(language, raw)
    return ParsedFile(path, language, raw, text, lines, tree, structure.extract(language, raw, tree))
