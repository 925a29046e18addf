"""A receiver of webhooks on loopback: what it heard, verified by the standard's own library."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from standardwebhooks.webhooks import Webhook
from tests.features.standin import Answer, Heard, StandIn

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

PRIVATE = "127.0.0.0/8"


class Receiver(StandIn):
    """Answers with `statuses` in turn (the last one from then on); the with-block ends it."""

    def __init__(
        self, *statuses: int, headers: dict[str, str] | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.statuses = list(statuses) or [200]
        self.extra = headers or {}
        self.heard: list[Heard] = []
        self.before: Callable[[], object] = lambda: None  # called before each answer
        self._came = threading.Condition()
        super().__init__(tls)
        self.url = f"{self.origin}/in"

    def answered(self, heard: Heard) -> Answer:
        """Write a request down and answer with the next status."""
        with self._came:
            self.heard.append(heard)
            self._came.notify_all()
        self.before()
        takes_turn = heard.method == "POST" and len(self.statuses) > 1
        return Answer(self.statuses.pop(0) if takes_turn else self.statuses[0], headers=self.extra)

    @property
    def posts(self) -> list[Heard]:
        """What was sent to it; probes are not among it."""
        return [one for one in self.heard if one.method == "POST"]

    def wait_for_posts(self, many: int) -> None:
        """Wait until so much was sent to it."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.posts) >= many, timeout=100)

    def told(self, secret: str) -> list[dict[str, Any]]:
        """Return what it was told, each message verified."""
        return [Webhook(secret).verify(one.body, one.headers) for one in self.posts]
