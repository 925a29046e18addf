"""The shape of a source file: its functions and classes with their spans and metrics."""

from msgspec import Struct


class Function(Struct, frozen=True, array_like=True):
    """One function, method, constructor, lambda with a name, or closure.

    `qualified_name` is `Class.method` or `outer.inner` within the file; lines count from 1 and are
    inclusive, decorators included. `cyclomatic` is McCabe's number counting boolean operators;
    `cognitive` follows SonarSource's definition; `nesting` is the deepest block; `lines` is the span.
    """

    qualified_name: str
    name: str
    class_name: str | None
    start_line: int
    end_line: int
    cyclomatic: int
    cognitive: int
    nesting: int
    parameters: int
    lines: int


class ClassSpan(Struct, frozen=True, array_like=True):
    """One class, interface, enum or struct with its span and the number of its own methods."""

    qualified_name: str
    start_line: int
    end_line: int
    methods: int


class FileStructure(Struct, frozen=True):
    """The structure of one file.

    `lines_of_code` counts lines that hold something other than white space and comments. `error_line`
    is the first line the grammar could not read (0: the whole file was read).
    """

    language: str
    lines: int
    lines_of_code: int
    functions: tuple[Function, ...] = ()
    classes: tuple[ClassSpan, ...] = ()
    error_line: int = 0

    def enclosing(self, line: int) -> Function | None:
        """Return the innermost function that holds a line."""
        holding = [f for f in self.functions if f.start_line <= line <= f.end_line]
        return min(holding, key=lambda f: f.end_line - f.start_line, default=None)
