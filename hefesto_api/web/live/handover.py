"""Handing a connection on: a view says who takes it, the server's worker gives it away after the head.

WSGI has no way to keep a connection without keeping its thread. `web.server_worker` lets go of the socket
once the answer's head was written; under any other server nothing is offered.
"""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Taker = Callable[[socket.socket, bytes], None]

SOCKET = "gunicorn.socket"
_lock = threading.Lock()
_offered: WeakKeyDictionary[socket.socket, Taker] = WeakKeyDictionary()
_served_by = 0  # the process whose worker knows how


def expect() -> None:
    """Say that this process is served by a worker that hands connections on."""
    global _served_by
    _served_by = os.getpid()


def is_possible(environ: Mapping[str, Any]) -> bool:
    """Tell whether the connection of a request can be handed on: plain sockets, under our worker."""
    return _served_by == os.getpid() and type(environ.get(SOCKET)) is socket.socket


def offer(environ: Mapping[str, Any], taker: Taker) -> None:
    """Have a connection given to `taker`, with what was read of it already, once the head is written."""
    with _lock:
        _offered[environ[SOCKET]] = taker


def is_offered(sock: Any) -> bool:
    """Tell whether a connection will be handed on."""
    return type(sock) is socket.socket and sock in _offered


def claim(sock: Any) -> Taker | None:
    """Return who takes a connection, once."""
    if not _offered or type(sock) is not socket.socket:
        return None
    with _lock:
        return _offered.pop(sock, None)
