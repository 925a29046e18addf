"""What a stack trace says: exceptions and frames, and what of the text could not be read."""

from collections.abc import Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

Relation: TypeAlias = Literal["cause", "context", "suppressed", "member"]


class Frame(Struct, frozen=True, omit_defaults=True):
    """One call on the stack: the file as it was printed, the line (from 1) and the function.

    `module` is what the language calls the place beside the file (a Java module, a binary, a package);
    `code` is the source line that was shown. What was not printed is None.
    """

    file: str | None
    line: int | None
    function: str | None
    module: str | None = None
    column: int | None = None
    code: str | None = None
    in_app: bool | None = None


class Raised(Struct, frozen=True, omit_defaults=True):
    """One exception, panic or fatal signal; its frames run from the outermost call to the innermost.

    `crash` is the index of the frame at fault: the last, or the one that called the panic machinery; None
    without frames. `relation` says what this one is to `exceptions[of]`: its cause, its context (it was
    being handled), suppressed by it, or a member of that group. `omitted` counts frames that the printer
    left out. `note` names a stack that is no exception: a thread, where memory was freed.
    """

    type: str | None
    message: str | None
    frames: tuple[Frame, ...]
    crash: int | None = None
    relation: Relation | None = None
    of: int | None = None
    omitted: int = 0
    note: str | None = None


class Unread(Struct, frozen=True):
    """A line (from 1) inside a trace that could not be read, its first 120 characters, and why."""

    line: int
    text: str
    reason: str


class Trace(Struct, frozen=True, omit_defaults=True):
    """The reading of one text; `exceptions` is empty, and `language` None, where there is no trace.

    Whatever the language prints, causes stand before what they caused, and the text reads outermost call
    first. `primary` is the index of the exception that came out at the end. `others` are the stacks of
    other threads, and of places where memory was allocated or freed.
    """

    language: str | None = None
    exceptions: tuple[Raised, ...] = ()
    primary: int | None = None
    others: tuple[Raised, ...] = ()
    unread: tuple[Unread, ...] = ()

    @property
    def raised(self) -> Raised | None:
        """The primary exception."""
        return None if self.primary is None else self.exceptions[self.primary]

    def frames(self) -> Iterator[Frame]:
        """Each frame of each exception, in order."""
        for raised in self.exceptions:
            yield from raised.frames
