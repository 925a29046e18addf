"""What a connection is sent, kept where its client does not take it at once: no thread waits for a reader."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from hefesto_api.web.server_receiving import IN_MEMORY

if TYPE_CHECKING:
    from hefesto_api.web.server_receiving import Budget

WAIT_SECONDS = 5.0
"""How long a thread waits for a reader, where no more can be kept for it."""
_WAIT_RATE = 64 * 1024  # bytes a second that a reader has to take then
_AT_ONCE = 256 * 1024  # bytes that the poller sends to one client before it looks at the others
_PIECE = 64 * 1024


class Outlet:
    """The way out of a connection.

    While a request is served its thread alone calls `begin`, `sendall` and `finish`; else the poller calls
    `pump`.
    """

    def __init__(self, sock: socket.socket, budget: Budget) -> None:
        self._sock = sock
        self._budget = budget
        self._is_corked = False
        self._head = b""
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._at = self._size = 0

    @property
    def is_pending(self) -> bool:
        """Whether something is kept."""
        return bool(self._memory) or self._file is not None

    def begin(self) -> None:
        """Keep the next piece, a head, until the one behind it: they leave together."""
        self._is_corked = True

    def sendall(self, data: bytes) -> None:
        """Send, or keep what is not taken; raises OSError for a client that is gone or far too slow."""
        if self._is_corked:
            self._is_corked, self._head = False, data
            return
        if self.is_pending:
            self.pump()
        if not self.is_pending:
            head, self._head = self._head, b""
            sent = self._send_both(head, data) if head else self._send(data)
            if sent == len(head) + len(data):
                return
            data = (head + data)[sent:]
        self._keep(data)

    def finish(self) -> None:
        """Send what was kept for a piece that did not come."""
        if self._head:
            self.sendall(b"")
        self._is_corked = False

    def pump(self, most: int = _AT_ONCE) -> int:
        """Send what is kept, as far as it is taken; return how many bytes. Raises OSError."""
        count = 0
        while self.is_pending and count < most:
            sent = self._send(self._memory) if self._memory else self._send_of(self._file)
            if not sent:
                break
            count += sent
        return count

    def close(self) -> None:
        """Let go of what is kept."""
        self._memory.clear()
        if self._file is not None:
            self._file.close()
            self._file = None
            self._budget.give(self._size)
            self._at = self._size = 0

    def _send(self, data: bytes | bytearray) -> int:
        try:
            sent = self._sock.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        if data is self._memory:
            del self._memory[:sent]
        return sent

    def _send_both(self, head: bytes, data: bytes) -> int:
        try:
            return self._sock.sendmsg([head, data], [], socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    def _send_of(self, file: IO[bytes] | None) -> int:
        sent = self._send(os.pread(file.fileno(), _PIECE, self._at)) if file is not None else 0
        self._at += sent
        if self._at >= self._size:
            self.close()  # memory is empty: it went first
        return sent

    def _keep(self, data: bytes) -> None:
        if self._file is None and len(self._memory) + len(data) <= IN_MEMORY:
            self._memory += data
            return
        while data:
            data = data[self._write(data) :]
            if data:
                self._wait()
                data = data[self._send(data) :]

    def _write(self, data: bytes) -> int:
        """Put bytes into the file; return how many had room, in the budget and on the disk."""
        if not self._budget.take(len(data)):
            return 0
        written = 0
        try:
            if self._file is None:
                self._file = TemporaryFile()  # noqa: SIM115 - see `close`
                self._at = self._size = 0
            written = os.pwrite(self._file.fileno(), data, self._size)
        except OSError:
            if self._file is not None and not self._size:
                self._file.close()
                self._file = None
        self._budget.give(len(data) - written)
        self._size += written
        return written

    def _wait(self) -> None:
        """Wait until all that is kept was taken, and more can be; raises BrokenPipeError."""
        until = time.monotonic() + WAIT_SECONDS
        poll = select.poll()
        poll.register(self._sock, select.POLLOUT)
        while True:
            left = until - time.monotonic()
            if left <= 0:
                raise BrokenPipeError(errno.EPIPE, "The client reads too slowly.")
            if poll.poll(left * 1000):
                sent = self.pump()
                until = min(until + sent / _WAIT_RATE, time.monotonic() + WAIT_SECONDS)
                if not self.is_pending:
                    return
