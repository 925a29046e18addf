"""Who is connected to a process, and who has to go for another to come."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from hefesto_api.web.server_connection import Connection, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Crowd:
    """The connections of a process, those that made no progress for longest first.

    `most` in all and `of_each` of one address; this machine and `trusted` proxies speak for many, and may
    have any number.
    """

    def __init__(self, most: int, of_each: int, trusted: Iterable[str] = ()) -> None:
        self._most = most
        self._of_each = of_each
        self._networks = [ip_network(one, strict=False) for one in trusted if one != "unix"]
        self._all: dict[Connection, None] = {}
        self._by_owner: dict[str, dict[Connection, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._all))

    def enter(self, conn: Connection) -> None:
        """Count a connection."""
        self._all[conn] = None
        self._by_owner.setdefault(conn.owner, {})[conn] = None

    def progress(self, conn: Connection) -> None:
        """Take note that a connection is at the beginning of something."""
        self.leave(conn)
        self.enter(conn)

    def leave(self, conn: Connection) -> None:
        """Count a connection no more."""
        self._all.pop(conn, None)
        theirs = self._by_owner.get(conn.owner, {})
        theirs.pop(conn, None)
        if not theirs:
            self._by_owner.pop(conn.owner, None)

    def oldest(self) -> Connection | None:
        """Return who made no progress for longest, and is not being served."""
        return _first_waiting(self._all)

    def too_many(self) -> Connection | None:
        """Return who has to go for another to come; None if there is room."""
        return self.oldest() if len(self._all) >= self._most else None

    def too_many_of(self, conn: Connection) -> Connection | None:
        """Return who of the same address has to go; None if there is room."""
        theirs = self._by_owner.get(conn.owner, {})
        if len(theirs) <= self._of_each or self._speaks_for_many(conn.owner):
            return None
        return _first_waiting(theirs) or conn

    def _speaks_for_many(self, owner: str) -> bool:
        if not owner:
            return True
        network = ip_network(owner)
        return network.is_loopback or any(
            network.version == one.version and network.subnet_of(one)  # type: ignore[arg-type]
            for one in self._networks
        )


def _first_waiting(among: Iterable[Connection]) -> Connection | None:
    return next((one for one in among if one.stage is not Stage.SERVED), None)
