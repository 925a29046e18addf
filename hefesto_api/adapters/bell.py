"""A bell that all hosts hear: Redis' pub/sub, which wakes those who wait for events.

Who rings never waits, and a Redis that is gone costs nothing but that everybody looks for himself again.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

from hefesto_api.adapters import logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

CHANNEL = "hefesto:events"
TIMEOUT = 0.5
AGAIN_SECONDS = 2.0


class Bell:
    """Rings in a thread of its own, as often as is needed: many rings at once are one."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._rung = threading.Event()
        self._pid = 0
        self._lock = threading.Lock()
        self._ended = False

    def ring(self) -> None:
        """Wake all who listen, soon."""
        if self._pid != os.getpid():
            self._start()
        self._rung.set()

    def close(self) -> None:
        """End the thread."""
        self._ended = True
        self._rung.set()

    def _start(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                return
            self._rung = threading.Event()
            self._pid = os.getpid()
            threading.Thread(target=self._run, name="bell", daemon=True).start()

    def _run(self) -> None:
        with closing(_open(self._url)) as redis:
            while True:
                self._rung.wait()
                self._rung.clear()
                if self._ended:
                    return
                try:
                    redis.publish(CHANNEL, b"")
                except Exception:  # who listens looks for himself; the limits tell that Redis is gone
                    time.sleep(TIMEOUT)


class Listener:
    """Hears the bell in a thread of its own; it calls `heard` for each ring."""

    def __init__(
        self, url: str, heard: Callable[[], None], listening: Callable[[bool], None] = lambda _is: None
    ) -> None:
        self._url = url
        self._heard = heard
        self._listening = listening
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bell-listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join(2 * TIMEOUT + 1)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._listen()
            except Exception as error:
                logs.of("live").warning("bell_unheard", reason=type(error).__name__)
            self._listening(False)
            self._ended.wait(AGAIN_SECONDS)

    def _listen(self) -> None:
        with closing(_open(self._url)) as redis, closing(redis.pubsub()) as subscribed:  # type: ignore[no-untyped-call]
            subscribed.subscribe(CHANNEL)
            while not self._ended.is_set():
                message = subscribed.get_message(timeout=TIMEOUT)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self._listening(True)
                self._heard()


def _open(url: str) -> Redis:
    from redis import Redis  # noqa: PLC0415 - an extra, wanted only where its address is set

    return Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)
