"""gunicorn's threaded worker, which waits for nobody for ever and answers in the envelope also what never
becomes a request.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections import deque
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn import util
from gunicorn.http import errors, wsgi
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import _DEFER, ThreadWorker

from hefesto_api.adapters import logs
from hefesto_api.web import context, envelope, headers
from hefesto_api.web.live import handover

READ_SECONDS = 20.0
"""What a client has for its head, or for the next LEAST_RATE bytes a second of its body."""
LEAST_RATE = 4096
WRITE_SECONDS = 60
"""How long nothing of an answer may be taken."""
LINGER_SECONDS = 2.0
"""What a client has to close its end, so that it gets the last of its answer."""
_STATUSES = (
    (errors.LimitRequestHeaders, 431),
    (errors.ExpectationFailed, 417),
    (errors.UnsupportedTransferCoding, 501),
    (errors.ForbiddenProxyRequest, 403),
    (errors.ConfigurationProblem, 500),
    (errors.ParseException, 400),
)
_MESSAGES = {
    400: "This is no HTTP request that can be read.",
    403: "The request was refused before it was read.",
    417: "The expectation cannot be met.",
    431: "The headers are too large.",
    501: "The transfer encoding is not known.",
}


_HANDED_ON = object()
"""What `handle` returns of a connection that somebody else holds from now on."""


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn is untyped
    """A worker whose own errors, which gunicorn writes as HTML, leave as ours do.

    No client keeps a thread by being slow (Slowloris), nor the poller by not closing its end: gunicorn waits
    for the rest of a head for ever, and two seconds for each end, taking no new connection meanwhile.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lingering: deque[Any] = deque()

    def init_process(self) -> None:
        """Say, in the process that serves, that connections can be handed on; then serve."""
        handover.expect()
        super().init_process()

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """Say that this process takes no new work, so that probes send none, and end gracefully."""
        application = getattr(self, "wsgi", None)  # there is none while it is loaded
        runtime = getattr(application, "extensions", {}).get(context.KEY)
        if runtime is not None:
            runtime.draining.set()
        super().handle_exit(sig, frame)

    def handle(self, conn: Any) -> Any:
        """Serve a connection, if it has said anything yet; else leave it to the poller.

        gunicorn lets a thread wait five seconds for the first byte: a browser's spare connections, or a
        pool's, kept every thread of a worker from those that asked for something.
        """
        if not conn.initialized:
            if not conn.data_ready and not conn.wait_for_data(0):
                return _DEFER
            try:
                _open(conn)
            except OSError:
                return False
        reader = getattr(conn.parser, "unreader", None)
        if isinstance(reader, PatientUnreader):
            reader.begin()
        result = super().handle(conn)
        return _HANDED_ON if _hand_on(conn) else result

    def finish_request(self, conn: Any, fs: Any) -> None:
        """End a connection without waiting for the client; what goes on is left to gunicorn.

        One that was handed on is counted no more, and is not closed.
        """
        if not fs.cancelled() and fs.exception() is None and fs.result() is _HANDED_ON:
            self.nr_conns -= 1
            return
        if fs.cancelled() or fs.exception() is not None or fs.result():
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            conn.timeout = time.monotonic() + LINGER_SECONDS
            self.poller.register(conn.sock, EVENT_READ, partial(self._drain, conn))
        except (OSError, ValueError):
            self._let_go(conn)
        else:
            self.lingering.append(conn)

    def murder_pending(self) -> None:
        """Close what has waited long enough, also for its client to close its end."""
        super().murder_pending()
        now = time.monotonic()
        while self.lingering and self.lingering[0].timeout <= now:
            self._forget(self.lingering[0])

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait no longer than a second, also while the worker ends and lingering connections come due."""
        super().wait_for_and_dispatch_events(min(timeout, 1.0))

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Log what went wrong, without what the client sent, and answer in the envelope."""
        status = next((number for kind, number in _STATUSES if isinstance(exc, kind)), 500)
        if status == 500:
            logs.of("server").error("request_failed", code="INTERNAL_ERROR", exc_info=exc)
        else:
            peer = addr[0] if isinstance(addr, tuple) else ""
            logs.of("server").warning("request_unreadable", reason=type(exc).__name__, client=peer)
        with contextlib.suppress(OSError):
            util.write_nonblock(client, answer(status))

    def _drain(self, conn: Any, _sock: Any) -> None:
        """Read what a client still sends after its last answer, until it closes its end."""
        try:
            ended = not conn.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            ended = True
        if ended:
            self._forget(conn)

    def _forget(self, conn: Any) -> None:
        self.lingering.remove(conn)
        with contextlib.suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self._let_go(conn)

    def _let_go(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()


class PatientUnreader(SocketUnreader):  # type: ignore[misc] # gunicorn is untyped
    """Reads a connection, while what comes comes fast enough."""

    def __init__(self, sock: socket.socket, seconds: float = READ_SECONDS) -> None:
        super().__init__(sock)
        self._seconds = seconds
        self.begin()

    def begin(self) -> None:
        """Begin to count anew, with the next request of the connection."""
        self._deadline = time.monotonic() + self._seconds

    def chunk(self) -> bytes:
        """Return what has come; raises NoMoreData, as for a client that left, when the time is over."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise errors.NoMoreData
        before = self.sock.gettimeout()
        self.sock.settimeout(left if before is None else min(left, before))
        try:
            data: bytes = self.sock.recv(self.mxchunk)
        except TimeoutError:
            raise errors.NoMoreData from None
        finally:
            self.sock.settimeout(before)
        self._deadline += len(data) / LEAST_RATE
        return data


class Response(wsgi.Response):  # type: ignore[misc] # gunicorn is untyped
    """An answer that does not say what serves it."""

    def default_headers(self) -> list[str]:
        """Return gunicorn's own headers without its name."""
        return [header for header in super().default_headers() if not header.startswith("Server:")]

    def is_chunked(self) -> bool:
        """Tell whether the body goes in chunks; one that somebody else writes does not."""
        return not handover.is_offered(self.sock) and bool(super().is_chunked())

    def should_close(self) -> bool:
        """Tell whether the connection ends with the answer; one that is handed on does not come back."""
        return handover.is_offered(self.sock) or bool(super().should_close())


wsgi.Response = Response  # gunicorn has no setting for it


def _hand_on(conn: Any) -> bool:
    """Give a connection to who was offered it, with what was read of it beyond the request."""
    taker = handover.claim(conn.sock)
    if taker is None:
        return False
    early: bytes = conn.parser.unreader.buf.getvalue()
    number = conn.sock.detach()
    if number < 0:  # it broke while the head was written: who takes it is to see an end
        ended, other = socket.socketpair()
        other.close()
        taker(ended, b"")
    else:
        taker(socket.socket(fileno=number), early)
    return True


def _open(conn: Any) -> None:
    """Begin a connection: its handshake, where there is one, and every write within bounds."""
    conn.sock.setblocking(True)
    for option, seconds in ((socket.SO_RCVTIMEO, int(READ_SECONDS)), (socket.SO_SNDTIMEO, WRITE_SECONDS)):
        conn.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))
    conn.init()
    if hasattr(conn.parser, "unreader"):
        conn.parser.unreader = PatientUnreader(conn.sock)


def answer(status: int) -> bytes:
    """Return the whole HTTP answer for a status of gunicorn's own."""
    code = "INTERNAL_ERROR" if status == 500 else "MALFORMED_REQUEST"
    body = envelope.failure_json(code, _MESSAGES.get(status, "The service failed."), {})
    lines = [
        f"HTTP/1.1 {status} {envelope.phrase(status)}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.complete(str(status), [], secure=False)),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
