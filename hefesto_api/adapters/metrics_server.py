"""A worker's own /metrics, where no web process beside it tells of it: for this machine alone."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from hefesto_api.adapters import logs
from hefesto_api.adapters.metrics import CONTENT_TYPE
from hefesto_api.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = 5.0  # that somebody has for asking


class MetricsServer:
    """Answers GET /metrics on a port of loopback, in a thread of its own, until it is closed.

    Raises UsageError when the port cannot be bound.
    """

    def __init__(self, port: int, told: Callable[[], bytes]) -> None:
        class Handler(_Handler):
            tell = staticmethod(told)

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as error:
            raise UsageError(f"The port {port} for metrics cannot be bound: {error.strerror}.") from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One question."""

    timeout = _SECONDS
    server_version, sys_version = "hefesto", ""
    tell: Callable[[], bytes]

    def do_GET(self) -> None:
        """Tell the metrics; there is nothing else here."""
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
            return
        body = self.tell()
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Write what goes wrong into our log."""
        logs.of("metrics").debug("asked", line=format % args)
