"""What the C library gave for something."""

from __future__ import annotations

import ctypes

import pytest

needs_glibc = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_info"), reason="not the GNU C library"
)


def taken(data: bytes) -> int:
    """Return how much memory some bytes take; they are longer than Python's own small objects."""
    usable = ctypes.CDLL(None).malloc_usable_size
    usable.argtypes, usable.restype = [ctypes.c_void_p], ctypes.c_size_t
    return int(usable(id(data)))
