"""The first tier: what this process keeps, bounded by entries, bytes and time."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hefesto_api.adapters.cache.entry import Entry

    Key = tuple[Any, ...]

MOST_BYTES = 64 * 1024 * 1024


class Local:
    """Entries by key; what was used least recently goes first. Threads may share it.

    `seconds` is a clock that never goes back.
    """

    def __init__(
        self,
        most: int,
        ttl: float,
        most_bytes: int = MOST_BYTES,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most, self.ttl, self._most_bytes, self._seconds = most, ttl, most_bytes, seconds
        self._kept: OrderedDict[Key, Entry] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0
        self.hits = self.misses = self.evictions = 0

    def get(self, key: Key) -> Entry | None:
        """Return what is kept under a key and has not expired."""
        found = self._kept.get(key)
        if found is None or found.expires <= self._seconds():
            return None
        return found

    def use(self, key: Key) -> None:
        """Count a hit, and keep its entry longer than those that were used before."""
        with self._lock:
            self.hits += 1
            if key in self._kept:
                self._kept.move_to_end(key)

    def keep(self, key: Key, entry: Entry, ttl: float | None = None) -> int:
        """Keep an entry; return how many had to go for it. One of more than a quarter of all is not kept.

        What expired goes as well: it would fill the room, for nobody, until that is needed.
        """
        room = self._most_bytes
        if entry.size > room // 4 or self.most <= 0 or self.ttl <= 0:
            return 0
        now = self._seconds()
        entry.expires = now + (self.ttl if ttl is None else min(ttl, self.ttl))
        gone = 0
        with self._lock:
            self._drop(key)
            while self._kept and next(iter(self._kept.values())).expires <= now:
                self._drop(next(iter(self._kept)))
            self._kept[key] = entry
            self.bytes += entry.size
            while len(self._kept) > self.most or self.bytes > room:
                self._drop(next(iter(self._kept)))
                gone += 1
            self.evictions += gone
        return gone

    def miss(self) -> None:
        """Count a question that had no answer here."""
        with self._lock:
            self.misses += 1

    def drop(self, key: Key, entry: Entry) -> None:
        """Forget an entry, if it is the one that is kept under its key still."""
        with self._lock:
            if self._kept.get(key) is entry:
                self._drop(key)

    def forget(self, patterns: Iterable[str]) -> int:
        """Forget the entries whose names match one of some patterns (`*` and `?`); return how many."""
        wanted = tuple(patterns)
        with self._lock:
            names = [
                key
                for key, entry in self._kept.items()
                if any(fnmatchcase(entry.name.rpartition("#")[0], pattern) for pattern in wanted)
            ]
            for key in names:
                self._drop(key)
        return len(names)

    def stale(self, is_stale: Callable[[Entry], bool]) -> int:
        """Tell how many entries are such."""
        with self._lock:
            return sum(map(is_stale, self._kept.values()))

    def clear(self) -> int:
        """Forget everything; return how many entries that were."""
        with self._lock:
            many = len(self._kept)
            self._kept.clear()
            self.bytes = 0
        return many

    def __len__(self) -> int:
        return len(self._kept)

    def _drop(self, key: Key) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self.bytes -= gone.size
