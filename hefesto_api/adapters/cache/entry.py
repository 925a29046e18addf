"""An answer that is kept, and as of when it is known to be good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

Tag = tuple[str, str]
"""A kind of data and the id of the project that is meant of it; "" for all."""
VERSION = 1
"""Of the form in which entries leave the process; others are not read."""


class Moment(Protocol):
    """The generations at a moment (`storage.generations`)."""

    @property
    def head(self) -> int:
        """The greatest of them."""
        ...

    @property
    def origin(self) -> int:
        """What names the database."""
        ...

    @property
    def restarts(self) -> int:
        """How often they were found to have gone back."""
        ...

    def patterns(self, seen: int) -> list[str]:
        """Return the patterns of names that were to be forgotten since a number."""
        ...

    def since(self, tags: Iterable[Tag]) -> int:
        """Return when something of some tags was last changed."""
        ...


class Entry(Struct):
    """What is kept of an answer: `data` is its JSON, `etag` that one's, `headers` what else the answer told.

    `seen` is the generation that was looked at before the answer was made; `made_at` in seconds since the
    epoch; `bodies` are the beginnings of its body by coding, made when they are first asked for.
    """

    name: str
    tags: tuple[Tag, ...]
    seen: int
    made_at: float
    etag: str
    headers: tuple[tuple[str, str], ...]
    data: bytes
    restarts: int = 0
    bodies: dict[str, Any] = {}
    expires: float = 0.0  # by the clock of durations

    def is_good(self, moment: Moment) -> bool:
        """Tell whether nothing that the answer is made of was changed since it was made."""
        return self.restarts == moment.restarts and (
            self.seen >= moment.head or moment.since(self.tags) <= self.seen
        )

    @property
    def size(self) -> int:
        """The bytes that it takes, about: the data twice, since its bodies hold it again."""
        return 600 + 2 * len(self.data) + 2 * len(self.name)


class _Sent(Struct, array_like=True):
    """An entry on its way through Redis or a host's memory."""

    version: int
    name: str
    tags: tuple[Tag, ...]
    seen: int
    made_at: float
    etag: str
    headers: tuple[tuple[str, str], ...]
    data: bytes


_reader = msgspec.msgpack.Decoder(_Sent)


def dumped(entry: Entry) -> bytes:
    """Write an entry."""
    return msgspec.msgpack.encode(
        _Sent(
            VERSION, entry.name, entry.tags, entry.seen, entry.made_at, entry.etag, entry.headers, entry.data
        )
    )


def loaded(raw: bytes) -> Entry | None:
    """Read an entry; None for what is none of this version."""
    try:
        sent = _reader.decode(raw)
    except msgspec.DecodeError:
        return None
    if sent.version != VERSION:
        return None
    return Entry(sent.name, sent.tags, sent.seen, sent.made_at, sent.etag, sent.headers, sent.data)
