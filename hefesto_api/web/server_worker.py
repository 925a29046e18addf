"""gunicorn's threaded worker, answering in the envelope also what never becomes a request."""

from __future__ import annotations

from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import _DEFER, ThreadWorker

from hefesto_api.web import context, envelope

_MESSAGES = {
    400: "This is no HTTP request that can be read.",
    403: "The request was refused before it was read.",
    417: "The expectation cannot be met.",
    431: "The headers are too large.",
    501: "The transfer encoding is not known.",
}


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn is untyped
    """A worker whose own errors, which gunicorn writes as HTML, leave as ours do."""

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """Say that this process takes no new work, so that probes send none, and end gracefully."""
        runtime = getattr(self.wsgi, "extensions", {}).get(context.KEY)
        if runtime is not None:
            runtime.draining.set()
        super().handle_exit(sig, frame)

    def handle(self, conn: Any) -> Any:
        """Serve a connection, if it has said anything yet; else leave it to the poller.

        gunicorn lets a thread wait five seconds for the first byte: a browser's spare connections, or a
        pool's, kept every thread of a worker from those that asked for something.
        """
        if not conn.initialized and not conn.data_ready and not conn.wait_for_data(0):
            return _DEFER
        return super().handle(conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Log as gunicorn does and answer in the envelope."""
        super().handle_error(req, _Rewriting(client), addr, exc)


class _Rewriting:
    """A socket that gunicorn writes its page to; what it sends is ours with the same status."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def gettimeout(self) -> float:
        return 0.0  # so that gunicorn writes at once, here

    def sendall(self, page: bytes) -> None:
        util.write_nonblock(self._client, answer(int(page.split(b" ", 2)[1])))


def answer(status: int) -> bytes:
    """Return the whole HTTP answer for a status of gunicorn's own."""
    code = "INTERNAL_ERROR" if status == 500 else "MALFORMED_REQUEST"
    body = envelope.failure_json(code, _MESSAGES.get(status, "The service failed."), {})
    head = f"HTTP/1.1 {status} {envelope.phrase(status)}\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nX-API-Version: v1\r\n\r\n"
    return head.encode() + body
