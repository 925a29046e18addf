"""A WebSocket as a client holds it, over a socket of its own: locust has none."""

from __future__ import annotations

import socket
from collections import deque
from typing import Any
from urllib.parse import urlsplit

import orjson
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

PATH = "/api/v1/ws/dashboard"


class Socket:
    """One connection to the live feed of a service."""

    def __init__(self, url: str, seconds: float = 60.0) -> None:
        where = urlsplit(url)
        self._sock = socket.create_connection((where.hostname or "", where.port or 80), timeout=seconds)
        self._protocol = ClientProtocol(parse_uri(f"ws://{where.netloc}{PATH}"), max_size=1 << 24)
        self._protocol.send_request(self._protocol.connect())
        self._waiting: deque[dict[str, Any]] = deque()
        self._send()

    def read(self) -> dict[str, Any] | None:
        """Return the next message, None for what is none; raises EOFError at the end, OSError."""
        if not self._waiting:
            data = self._sock.recv(1 << 16)
            if not data:
                raise EOFError("The service closed the connection.")
            self._protocol.receive_data(data)
            self._send()
            self._waiting += [
                orjson.loads(event.data)
                for event in self._protocol.events_received()
                if isinstance(event, Frame) and event.opcode is Opcode.TEXT
            ]
        return self._waiting.popleft() if self._waiting else None

    def skip(self) -> None:
        """Read what is there, and let it be; raises OSError, but for there being nothing."""
        seconds = self._sock.gettimeout()
        self._sock.setblocking(False)
        try:
            while data := self._sock.recv(1 << 16):
                self._protocol.receive_data(data)
                self._protocol.events_received()
        except BlockingIOError:
            pass
        finally:
            self._sock.settimeout(seconds)
        self._send()

    def close(self) -> None:
        """Leave."""
        self._sock.close()

    def _send(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._sock.sendall(data)
