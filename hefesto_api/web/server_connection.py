"""A client's connection as the poller sees it: what it still owes, and until when."""

from __future__ import annotations

import io
import socket
from enum import Enum, auto
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from time import monotonic
from typing import Any

from gunicorn.http import errors
from gunicorn.http.body import ChunkedReader, LengthReader
from gunicorn.workers.gthread import TConn

from hefesto_api.web.server_receiving import Budget, Chunks, NoRoom, Parser, Spool
from hefesto_api.web.server_sending import Outlet

READ_SECONDS = 20.0
"""What a client has for its head, and for the next LEAST_RATE bytes a second of its body."""
LEAST_RATE = 4096
WRITE_SECONDS = 60.0
"""What a client has to take an answer that waits for it, and for the next LEAST_TAKEN bytes a second."""
LEAST_TAKEN = 1024
LINGER_SECONDS = 2.0
"""What a client has to close its end, so that it gets the last of its answer."""
MOST_HEAD = 64 * 1024
_LONGEST_LINE = 8192  # of a request, and a little: beyond it the parser says what is wrong
_RECEIVED = 16 * 1024
_RECEIVED_OF_BODY = 64 * 1024
_BEYOND = 128 * 1024  # of a chunked body that is too large: who reads it is to see that, not that it ends
_NETWORK_BITS = 64  # of an IPv6 address: what one customer is given


class Stage(Enum):
    """Where a connection is."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    SERVED = auto()
    SENDING = auto()
    LINGERING = auto()
    CLOSED = auto()


class Verdict(Enum):
    """What came of looking at a connection."""

    WAIT = auto()
    READY = auto()
    GONE = auto()


class Connection(TConn):  # type: ignore[misc] # gunicorn is untyped
    """A connection; a thread has it while `stage` is SERVED, else the poller.

    `most` is the largest body that any route takes, in bytes.
    """

    def __init__(
        self, cfg: Any, sock: socket.socket, client: Any, server: Any, budget: Budget, most: int
    ) -> None:
        super().__init__(cfg, sock, client, server)
        self.initialized = self.data_ready = True
        self.parser = Parser(cfg, sock, client)
        self.outlet = Outlet(sock, budget)
        self.stage = Stage.IDLE
        self.deadline = monotonic() + cfg.keepalive
        self.events = 0  # what the poller waits for
        self.stays = False  # whether another request may follow
        self.owner = owner_of(client[0]) if isinstance(client, tuple) else ""
        """Whose it is, for those who count: a network as text; "" for a local socket."""
        self._budget = budget
        self._most = most
        self._head = bytearray()
        self._spool: Spool | None = None
        self._missing = 0
        self._chunks: Chunks | None = None

    def receive(self) -> Verdict:
        """Read what is there, and tell whether a request is whole."""
        try:
            data = self.sock.recv(self._wanted(), socket.MSG_DONTWAIT)
        except BlockingIOError:
            return Verdict.WAIT
        except OSError:
            return Verdict.GONE
        if data:
            return self._take(data)
        if self.stage is not Stage.BODY:
            return Verdict.GONE
        return self._end_body()  # who serves it says that it was cut short

    def follow(self) -> Verdict:
        """Go on to the next request, of which something may be there already."""
        rest = self.parser.unreader.take()  # of a chunked body the spool has it
        self._close_spool()
        self.stage, self.deadline = Stage.IDLE, monotonic() + self.cfg.keepalive
        return self._take(rest) if rest else Verdict.WAIT

    def pump(self) -> Verdict:
        """Send on; READY when all was taken."""
        try:
            sent = self.outlet.pump()
        except OSError:
            return Verdict.GONE
        now = monotonic()
        self.deadline = min(self.deadline + sent / LEAST_TAKEN, now + WRITE_SECONDS)
        return Verdict.WAIT if self.outlet.is_pending else Verdict.READY

    def close(self, graceful: bool = False) -> None:
        """Close it at once, and let go of all that was kept for it."""
        self.stage = Stage.CLOSED
        self._close_spool()
        self.outlet.close()
        super().close()

    def _wanted(self) -> int:
        if self.stage is not Stage.BODY:
            return _RECEIVED
        return min(self._missing, _RECEIVED_OF_BODY) if self._chunks is None else _RECEIVED_OF_BODY

    def _take(self, data: bytes) -> Verdict:
        if self.stage is Stage.BODY:
            return self._take_of_body(data)
        if self.stage is Stage.IDLE:
            self.stage, self.deadline = Stage.HEAD, monotonic() + READ_SECONDS
        before = len(self._head)
        self._head += data
        if self._head.find(b"\r\n\r\n", max(before - 3, 0)) >= 0:
            return self._begin()
        if len(self._head) > MOST_HEAD:
            return self._fail(errors.LimitRequestHeaders("max head"))
        if len(self._head) > _LONGEST_LINE and self._head.find(b"\r\n", 0, _LONGEST_LINE) < 0:
            return self._begin()
        return Verdict.WAIT

    def _begin(self) -> Verdict:
        """Have the head parsed, and see how much belongs to it."""
        self.parser.unreader.feed(io.BytesIO(self._head))
        self._head = bytearray()
        self.stage, self._chunks = Stage.SERVED, None
        if not self.parser.prepare():
            return Verdict.READY
        self.parser.mesg.outlet = self.outlet
        reader = self.parser.mesg.body.reader
        if isinstance(reader, ChunkedReader):
            self._chunks = Chunks()
            self.parser.close_if_broken()
        elif not isinstance(reader, LengthReader) or not reader.length:
            return Verdict.READY
        elif reader.length > self._most:  # who serves it refuses it by its length
            return self._serve_cut()
        return self._begin_body(0 if self._chunks else reader.length)

    def _begin_body(self, length: int) -> Verdict:
        there = self.parser.unreader.take()
        if self._chunks is None and len(there) >= length:
            self.parser.no_longer_expects()
            self.parser.replace_body(io.BytesIO(there[:length]))
            self.parser.unreader.feed(io.BytesIO(there[length:]))
            return Verdict.READY
        self.stage, self.deadline = Stage.BODY, monotonic() + READ_SECONDS
        self._missing = length
        verdict = self._take_of_body(there) if there else Verdict.WAIT
        if self.parser.no_longer_expects() and verdict is Verdict.WAIT:
            self._ask_for_body()
        return verdict

    def _take_of_body(self, data: bytes) -> Verdict:
        spool = self._opened_spool()
        try:
            spool.write(data)
        except NoRoom as failure:
            return self._fail(failure)
        now = monotonic()
        self.deadline = min(self.deadline + len(data) / LEAST_RATE, now + READ_SECONDS)
        if self._chunks is None:
            self._missing -= len(data)
            return Verdict.WAIT if self._missing else self._end_body()
        if self._chunks.is_whole(data):
            return self._end_body()
        if self._chunks.payload > self._most + _BEYOND or spool.size > 2 * self._most + _BEYOND:
            self._end_body()
            return self._serve_cut()
        return Verdict.WAIT

    def _end_body(self) -> Verdict:
        file = self._opened_spool().file
        file.seek(0)
        self.stage = Stage.SERVED
        if self._chunks is None:
            self.parser.replace_body(file)
        else:
            self.parser.unreader.feed(file)
        return Verdict.READY

    def _serve_cut(self) -> Verdict:
        """Have a request served whose body did not come whole; nothing may follow it."""
        self.parser.no_longer_expects()
        self.parser.mesg.force_close()
        return Verdict.READY

    def _fail(self, failure: Exception) -> Verdict:
        self.parser.failure = failure
        self.stage = Stage.SERVED
        return Verdict.READY

    def _ask_for_body(self) -> None:
        try:
            self.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n", socket.MSG_DONTWAIT)
        except OSError:
            return  # it is gone, which is seen when it is read from

    def _opened_spool(self) -> Spool:
        if self._spool is None:
            self._spool = Spool(self._budget)
        return self._spool

    def _close_spool(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None


@lru_cache(maxsize=4096)
def owner_of(host: str) -> str:
    """Return what an address is counted by: itself, or of IPv6 the network that one customer is given."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif not address.is_loopback:
            return str(ip_network((int(address), _NETWORK_BITS), strict=False))
    return str(ip_network(address))
