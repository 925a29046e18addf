"""What a process keeps in memory to be quick: bounded by size, what was used least recently goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, NamedTuple

MEGABYTE = 1 << 20


class _Kept(NamedTuple):
    """A value and what it takes, in bytes."""

    value: Any
    size: int


class Memory:
    """A store that forgets; safe to use from several threads. Keys are tuples that begin with their kind."""

    def __init__(self, most: int = 128 * MEGABYTE) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[tuple[Any, ...], _Kept] = OrderedDict()
        self._lock = threading.Lock()
        self._hits, self._misses = 0, 0

    def get(self, key: tuple[Any, ...]) -> Any | None:
        """Return what is kept under a key; None when nothing is (any more)."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                self._misses += 1
                return None
            self._hits += 1
            self._kept.move_to_end(key)
            return found.value

    def keep(self, key: tuple[Any, ...], value: Any, size: int) -> None:
        """Keep a value of so many bytes; one that would take more than a quarter of all is not kept."""
        if size > self._most // 4:
            return
        with self._lock:
            former = self._kept.pop(key, None)
            self._size += size - (former.size if former else 0)
            self._kept[key] = _Kept(value, size)
            while self._size > self._most:
                _, gone = self._kept.popitem(last=False)
                self._size -= gone.size

    def asked(self) -> tuple[int, int]:
        """Return how often something was asked for, and how often it was there."""
        with self._lock:
            return self._hits + self._misses, self._hits

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """What all values take, in bytes, as they were said to."""
        return self._size
