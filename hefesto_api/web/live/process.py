"""What a process holds for its live connections: made when the first one comes, ended with the process."""

from __future__ import annotations

import os
import threading
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask, current_app

from hefesto_api.adapters.bell import Listener
from hefesto_api.domain.errors import ServiceUnavailable
from hefesto_api.web import authentication
from hefesto_api.web.context import KEY, runtime
from hefesto_api.web.live.feed import Feed
from hefesto_api.web.live.hub import Hub, Rooms
from hefesto_api.web.open_files import open_files

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from hefesto_api.runtime import Runtime
    from hefesto_api.web.authentication import Bearer
    from hefesto_api.web.live.channels import Channel
    from hefesto_api.web.live.feed import Sight

_LIVE = "hefesto.live"
_SPARE_FILES = 256  # of the process' open files: what all else needs


class Live:
    """The hub and the feed of a process, with who wakes the feed."""

    def __init__(self, held: Runtime, kinds: Mapping[str, Bearer], sight: Sight) -> None:
        self.pid = os.getpid()
        most = min(held.settings.live_connections, open_files() - _SPARE_FILES)
        rooms = Rooms(most, held.settings.live_per_caller, held.metrics.hold_connections)
        self.hub = Hub(rooms, left=self._left)
        self.feed = Feed(held, kinds, self.hub, sight)
        self._listener: Listener | None = None
        self.hub.start()
        self.feed.start()
        if held.settings.redis_url and not held.db.is_sqlite:
            self._listener = Listener(held.settings.redis_url, self.feed.ring, self._hears)

    def take(
        self, channel: Channel, sock: socket.socket, early: bytes, *, refusal: tuple[int, str] | None
    ) -> None:
        """Hold a connection whose head was written; called by the thread of its request."""
        channel.shown = partial(self.feed.ask_in, channel)
        self.hub.post(partial(self.hub.add, channel, sock, early))
        if refusal is not None:
            self.hub.post(partial(self.hub.dismiss, channel, *refusal))
        elif channel.audience is not None:
            self.feed.welcome(channel)

    def close(self) -> None:
        """Say goodbye to all."""
        if self.pid != os.getpid():
            return
        if self._listener is not None:
            self._listener.close()
        self.feed.close()
        self.hub.close()

    def _left(self, channel: Channel) -> None:
        self.feed.left(channel)

    def _hears(self, is_heard: bool) -> None:
        self.feed.woken = is_heard
        self.feed.ring()


class _Holder:
    """Makes what a process holds, once in each."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._lock = threading.Lock()
        self._live: Live | None = None

    def get(self, held: Runtime, kinds: Mapping[str, Bearer]) -> Live:
        with self._lock:
            if held.draining.is_set():
                raise ServiceUnavailable("The service restarts.", service="live", reason="draining")
            if self._live is None or self._live.pid != os.getpid():
                self._live = Live(held, kinds, self._sight)
            return self._live

    def close(self) -> None:
        with self._lock:
            if self._live is not None:
                self._live.close()


def install(app: Flask, sight: Sight) -> None:
    """Let an application have a live feed, which ends before its database is closed."""
    held: Runtime = app.extensions[KEY]
    holder = _Holder(sight)
    app.extensions[_LIVE] = holder
    held.endings.append(holder.close)


def of_this_process() -> Live:
    """Return what this process holds; raises ServiceUnavailable when it takes no new work."""
    holder: _Holder = current_app.extensions[_LIVE]
    return holder.get(runtime(), authentication.kinds_of_tokens())
