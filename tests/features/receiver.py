"""A receiver of webhooks on loopback: what it heard, verified by the standard's own library."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

from standardwebhooks.webhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import Callable

PRIVATE = "127.0.0.0/8"


class Heard(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Answers with `statuses` in turn (the last one from then on); the with-block ends it."""

    def __init__(self, *statuses: int, headers: dict[str, str] | None = None) -> None:
        self.statuses = list(statuses) or [200]
        self.extra = headers or {}
        self.heard: list[Heard] = []
        self.before: Callable[[], object] = lambda: None  # called before each answer
        self._came = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with receiver._came:
                    receiver.heard.append(Heard(self.command, self.path, dict(self.headers), body))
                    receiver._came.notify_all()
                receiver.before()
                posts = receiver.statuses
                alive = posts.pop(0) if self.command == "POST" and len(posts) > 1 else posts[0]
                self.send_response(alive)
                for name, value in receiver.extra.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_POST  # noqa: N815 - the library's name

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/in"

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def posts(self) -> list[Heard]:
        """What was sent to it; probes are not among it."""
        return [one for one in self.heard if one.method == "POST"]

    def wait_for_posts(self, many: int) -> None:
        """Wait until so much was sent to it."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.posts) >= many, timeout=30)

    def told(self, secret: str) -> list[dict[str, Any]]:
        """Return what it was told, each message verified."""
        return [Webhook(secret).verify(one.body, one.headers) for one in self.posts]
