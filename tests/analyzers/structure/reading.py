"""What the tests of the languages share."""

from textwrap import dedent

from hefesto_api.analyzers import structure
from hefesto_api.domain.structure import FileStructure, Function


def read(language: str, text: str | bytes) -> FileStructure:
    """Return the structure of a text, its indentation taken away."""
    content = text if isinstance(text, bytes) else dedent(text).encode()
    return structure.extract(language, content, structure.parse(language, content))


def functions(language: str, text: str) -> dict[str, Function]:
    """Return the functions of a text by qualified name."""
    found = read(language, text).functions
    by_name = {function.qualified_name: function for function in found}
    assert len(by_name) == len(found), "two functions have one name: read them in order instead"
    return by_name


def names(language: str, text: str) -> list[str]:
    """Return the qualified names in the order of the text."""
    return [function.qualified_name for function in read(language, text).functions]


def metrics(language: str, text: str) -> tuple[int, int, int]:
    """Return cyclomatic, cognitive and nesting of the first function."""
    first = read(language, text).functions[0]
    return first.cyclomatic, first.cognitive, first.nesting
