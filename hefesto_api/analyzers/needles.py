"""Which of some words a text holds, by the search of the C library.

Every file is searched for some forty words, of which it has few or none: with `in` that was a tenth of what
its examination took, and memmem takes half of it. Where the library has none, `in` answers the same.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def _searching() -> Any:
    """Return memmem, None where there is none. It keeps the lock: a search is shorter than a handover."""
    try:
        found = ctypes.PyDLL(None).memmem
    except (AttributeError, OSError, TypeError):
        return None
    found.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)
    found.restype = ctypes.c_void_p
    return found


_memmem = _searching()


class Needles:
    """Words to look for; none may be empty."""

    def __init__(self, words: Iterable[bytes]) -> None:
        self._words = tuple((word, len(word)) for word in words)

    def within(self, text: bytes) -> list[bytes]:
        """Return the words that stand in a text, in their order."""
        if _memmem is None:
            return [word for word, _ in self._words if word in text]
        size, memmem = len(text), _memmem
        return [word for word, length in self._words if memmem(text, size, word, length)]
