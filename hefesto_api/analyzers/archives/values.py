"""What passes between the readers of the formats and the rules that all of them share."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

Found = bytes | str  # the content, or the reason why there is none


class Member(Struct, frozen=True):
    """A file out of an archive or a request: `path` is relative, with `/`, and leads nowhere else."""

    path: str
    content: bytes


class Raw(Struct, frozen=True):
    """An entry as its format tells of it: the name unchecked, the size as claimed, `objection` to its kind.

    `read(limit)` answers at most one byte more than `limit`.
    """

    name: str
    size: int
    objection: str | None
    read: Callable[[int], Found] | None
