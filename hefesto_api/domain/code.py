"""What a function does, as far as its text tells: the facts that correlation reasons about.

Plain values, encodable by msgspec, so that they can be kept by the content they were read from.
"""

from functools import cached_property

from msgspec import Struct


class Call(Struct, frozen=True, array_like=True):
    """A call: `a.b.name(...)` has the receiver `a.b`; a plain `name(...)` has none.

    `arguments` are the names given, by position or keyword: a name or dotted path as it stands, else "".
    `keywords` are the names of keyword arguments. `line` is that of the name. `into` are the names that its
    value is given to (`a.b` for an attribute), or `return` where it is what the function returns.
    """

    name: str
    receiver: str | None
    line: int
    arguments: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    into: tuple[str, ...] = ()


class Access(Struct, frozen=True, array_like=True):
    """A read of an attribute (`receiver.name`) or of an item (`receiver[name]`, the key as it stands)."""

    name: str
    receiver: str
    line: int


class Raise(Struct, frozen=True, array_like=True):
    """An explicit raise or throw; `type` is None where it raises again what came."""

    type: str | None
    line: int
    texts: tuple[str, ...] = ()


class FunctionFacts(Struct, frozen=True, array_like=True):
    """The facts of one function, method or closure. Lines count from 1, ends are inclusive.

    `parameters` keep their stars; `required` of them have no default (a bound one is not counted).
    `raises` are the names of `raised`, once each. `texts` are string literals other than docstrings.
    `returns_none` is true where some way out gives nothing and another gives something, where a return says
    None, or returns a look-up that may find nothing (`d.get(key)`); `returns_value` where a return gives
    something. `handlers` are the types that are caught, `guards` the names that are tested for None or for
    truth, `stores` the attributes and keys that are set, `delegates` tells a body that only hands its
    arguments on. `returned` are the names and paths that are returned as they stand.
    """

    qualified_name: str
    name: str
    class_name: str | None
    start_line: int
    end_line: int
    parameters: tuple[str, ...] = ()
    required: int = 0
    calls: tuple[Call, ...] = ()
    raises: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    raised: tuple[Raise, ...] = ()
    attributes: tuple[Access, ...] = ()
    subscripts: tuple[Access, ...] = ()
    stores: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    handlers: tuple[str, ...] = ()
    assertions: tuple[int, ...] = ()
    decorators: tuple[str, ...] = ()
    returns_none: bool = False
    returns_value: bool = False
    delegates: bool = False
    cyclomatic: int = 1
    returned: tuple[str, ...] = ()

    @property
    def lines(self) -> int:
        """How many lines it spans."""
        return self.end_line - self.start_line + 1

    def holds(self, line: int | None) -> bool:
        """Tell whether a line lies within."""
        return line is not None and self.start_line <= line <= self.end_line


class ClassFacts(Struct, frozen=True, array_like=True):
    """A class with the names of its bases as they stand, and the names and texts that its body sets."""

    qualified_name: str
    start_line: int
    end_line: int
    bases: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last part of its name."""
        return self.qualified_name.rpartition(".")[2]


class Import(Struct, frozen=True, array_like=True):
    """A module that a file draws in, as it stands (`.query`, `../util`), and the names taken from it."""

    module: str
    names: tuple[str, ...] = ()


class FileFacts(Struct, frozen=True, dict=True):
    """The facts of one file; functions and classes in the order of their starts.

    What is looked up often is worked out once, and kept as long as the value lives.
    """

    path: str
    language: str
    functions: tuple[FunctionFacts, ...] = ()
    classes: tuple[ClassFacts, ...] = ()
    imports: tuple[Import, ...] = ()

    def enclosing(self, line: int) -> FunctionFacts | None:
        """Return the innermost function that holds a line."""
        holding = [f for f in self.functions if f.start_line <= line <= f.end_line]
        return min(holding, key=lambda f: f.end_line - f.start_line, default=None)

    @cached_property
    def by_name(self) -> dict[str, tuple[FunctionFacts, ...]]:
        """The functions by their last name."""
        found: dict[str, list[FunctionFacts]] = {}
        for one in self.functions:
            found.setdefault(one.name, []).append(one)
        return {name: tuple(them) for name, them in found.items()}

    @cached_property
    def by_class(self) -> dict[str, tuple[FunctionFacts, ...]]:
        """The methods by the qualified name of their class."""
        found: dict[str, list[FunctionFacts]] = {}
        for one in self.functions:
            if one.class_name:
                found.setdefault(one.class_name, []).append(one)
        return {name: tuple(them) for name, them in found.items()}

    @cached_property
    def class_named(self) -> dict[str, ClassFacts]:
        """The classes by their last name; of several the first."""
        return {one.name: one for one in reversed(self.classes)}

    @cached_property
    def classes_by_path(self) -> dict[str, ClassFacts]:
        """The classes by their qualified name."""
        return {one.qualified_name: one for one in self.classes}

    @cached_property
    def heirs_of(self) -> dict[str, tuple[ClassFacts, ...]]:
        """The classes by the last name of each of their bases."""
        found: dict[str, list[ClassFacts]] = {}
        for one in self.classes:
            for base in {base.rpartition(".")[2] for base in one.bases}:
                found.setdefault(base, []).append(one)
        return {name: tuple(them) for name, them in found.items()}

    @cached_property
    def callers_of(self) -> dict[str, tuple[FunctionFacts, ...]]:
        """The functions that call something of a name."""
        found: dict[str, dict[str, FunctionFacts]] = {}
        for one in self.functions:
            for call in one.calls:
                found.setdefault(call.name, {})[one.qualified_name] = one
        return {name: tuple(them.values()) for name, them in found.items()}

    @cached_property
    def taken_from(self) -> dict[str, str]:
        """The imported names, with the module that each was taken from."""
        return {name: one.module for one in self.imports for name in one.names}
