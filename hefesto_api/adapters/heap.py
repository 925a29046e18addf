"""The C library's heap: how many there are, however many threads, and what is kept in them."""

from __future__ import annotations

import ctypes
import os

MOST_ARENAS = 2
_VARIABLE = "MALLOC_ARENA_MAX"
_M_ARENA_MAX = -8  # of glibc's malloc.h


def share() -> bool:
    """Have all threads share two heaps; tell whether the C library does so. Comes before any thread.

    glibc gives each new thread a heap of its own, up to eight a processor, and what one thread lets go of
    no other can use: a web process of sixteen threads held 78 MB that way, of which 27 were of no use, and
    grew for as long as threads were added. Python's threads take turns, so they hardly wait for a heap.
    Who sets MALLOC_ARENA_MAX knows better.
    """
    if os.environ.get(_VARIABLE):
        return False
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, MOST_ARENAS))
    except (AttributeError, OSError, TypeError):  # another C library
        return False


def fitted(data: bytes) -> bytes:
    """Return the same bytes in no more memory than they need: for what stays.

    orjson 3.13 leaves a result in the buffer that it grew in: 537 bytes hold 4,104, 53,007 hold 262,128.
    """
    return bytes(memoryview(data))
