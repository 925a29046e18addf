"""What leaves a server's worker: an application's answers, and those to what never became a request."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from gunicorn import util
from gunicorn.http import errors, wsgi

from hefesto_api.web import envelope, headers
from hefesto_api.web.live import handover
from hefesto_api.web.server_receiving import NoRoom

if TYPE_CHECKING:
    import socket

_STATUSES = (
    (errors.LimitRequestHeaders, 431),
    (errors.ExpectationFailed, 417),
    (errors.UnsupportedTransferCoding, 501),
    (errors.ForbiddenProxyRequest, 403),
    (errors.ConfigurationProblem, 500),
    (errors.ParseException, 400),
    (NoRoom, 503),
)
_MESSAGES = {
    400: "This is no HTTP request that can be read.",
    403: "The request was refused before it was read.",
    408: "The request took too long to come.",
    417: "The expectation cannot be met.",
    431: "The headers are too large.",
    501: "The transfer encoding is not known.",
    503: "There is no room for so large a body now.",
}


class Response(wsgi.Response):  # type: ignore[misc] # gunicorn is untyped
    """An answer that does not say what serves it, and waits for no reader."""

    def __init__(self, req: Any, sock: Any, cfg: Any) -> None:
        super().__init__(req, sock, cfg)
        self._connection = sock
        self.sock = getattr(req, "outlet", sock)

    def default_headers(self) -> list[str]:
        """Return gunicorn's own headers without its name."""
        return [header for header in super().default_headers() if not header.startswith("Server:")]

    def is_chunked(self) -> bool:
        """Tell whether the body goes in chunks; one that somebody else writes does not."""
        return not handover.is_offered(self._connection) and bool(super().is_chunked())

    def should_close(self) -> bool:
        """Tell whether the connection ends with the answer; one that is handed on does not come back."""
        return handover.is_offered(self._connection) or bool(super().should_close())

    def can_sendfile(self) -> bool:
        """Say that files are written piece by piece: the kernel would wait for the reader."""
        return False

    def close(self) -> None:
        """End the answer."""
        super().close()
        if self.sock is not self._connection:
            self.sock.finish()


wsgi.Response = Response  # gunicorn has no setting for it


def status_of(failure: Exception) -> int:
    """Return the status that a failure of reading a request is answered with; 500 for what is ours."""
    return next((number for kind, number in _STATUSES if isinstance(failure, kind)), 500)


def send_at_once(sock: socket.socket, status: int) -> None:
    """Answer with a status of the server's own, as far as the client takes it now."""
    with contextlib.suppress(OSError):
        util.write_nonblock(sock, answer(status))


def answer(status: int) -> bytes:
    """Return the whole HTTP answer for a status of gunicorn's own."""
    code = {500: "INTERNAL_ERROR", 503: "SERVICE_UNAVAILABLE"}.get(status, "MALFORMED_REQUEST")
    body = envelope.failure_json(code, _MESSAGES.get(status, "The service failed."), {})
    lines = [
        f"HTTP/1.1 {status} {envelope.phrase(status)}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(["Retry-After: 10"] if status == 503 else []),
        *(f"{name}: {value}" for name, value in headers.complete(str(status), [], secure=False)),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
