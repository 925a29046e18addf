"""Answers over HTTP that are read no longer than there is time, however fast they come.

Shutting a connection down does not end what is read from it: Linux hands out what is there, and what still
arrives. A peer that sends without end (`100 Continue`, say, which http.client passes over in a loop) kept a
reader busy for minutes after its time was up.
"""

from __future__ import annotations

import http.client
import io
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable


def answers_until(until: float) -> Callable[..., http.client.HTTPResponse]:
    """Return what makes the answers of a connection (its `response_class`), readable until a moment.

    `until` is of `time.monotonic`. Whoever reads later gets TimeoutError.
    """

    def answer(sock: socket.socket, *args: Any, **options: Any) -> http.client.HTTPResponse:
        made: Any = http.client.HTTPResponse(sock, *args, **options)
        made.fp = io.BufferedReader(_Timed(made.fp.detach(), until))
        return made  # type: ignore[no-any-return]

    return answer


class _Timed(io.RawIOBase):
    """What comes from a peer, as long as there is time."""

    def __init__(self, raw: io.RawIOBase, until: float) -> None:
        self._raw = raw
        self._until = until

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there; raises TimeoutError when the time is up."""
        if time.monotonic() >= self._until:
            raise TimeoutError("The time is up.")
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        self._raw.close()
        super().close()
