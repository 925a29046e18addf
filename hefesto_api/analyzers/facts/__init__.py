"""The facts of code, by tree-sitter: what each function calls, raises, returns."""

from __future__ import annotations

from hefesto_api.analyzers import structure
from hefesto_api.domain.code import FileFacts, FunctionFacts

LARGEST = 2_000_000


def extract(path: str, content: bytes) -> FileFacts | None:
    """Return the facts of a file; None for a language that is not read. Bounded, and never raises."""
    language = structure.language_of(path)
    if language is None or len(content) > LARGEST:
        return None
    shape = structure.extract(language, content, structure.parse(language, content))
    return FileFacts(
        path=path,
        language=language,
        functions=tuple(
            FunctionFacts(
                one.qualified_name,
                one.name,
                one.class_name,
                one.start_line,
                one.end_line,
                cyclomatic=one.cyclomatic,
            )
            for one in shape.functions
        ),
    )
