"""The storage of several hosts that does not fail: in Redis while it answers, else on each host.

What Redis allows is counted on the host as well, and what the host would refuse Redis is not asked. So when
Redis goes, the host knows what was used already; and when it comes back empty, the host still holds.
"""

from __future__ import annotations

import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hefesto_api.adapters import logs
from hefesto_api.adapters.limits import ALONE
from hefesto_api.adapters.limits.host import HostStorage
from hefesto_api.domain.errors import UsageError

if TYPE_CHECKING:
    from hefesto_api.adapters.limits.redis import RedisWindows
    from hefesto_api.domain.limits import Policy, Standing

ASK_SECONDS = 0.25  # how often a Redis that went is asked whether it is back


class SharedStorage(HostStorage):
    """`hefesto+redis://host:port/db`, and so on for rediss and unix; `host` is where the host counts.

    Raises UsageError for a Redis that there can be no way to; one that does not answer is no reason.
    """

    STORAGE_SCHEME = ["hefesto+redis", "hefesto+rediss", "hefesto+unix"]  # noqa: RUF012 - as the library has it

    def __init__(self, uri: str, host: str = ALONE, wrap_exceptions: bool = False, **options: Any) -> None:
        self._redis, self._errors = _opened(uri)
        super().__init__(host, wrap_exceptions, **options)
        self._gone = threading.Event()
        self._closed = threading.Event()
        self._watch_lock = threading.Lock()
        self._watcher: threading.Thread | None = None

    def acquire(self, who: str, policy: Policy, cost: int = 1) -> Standing:
        """Count a call if there is room for it, in Redis and on the host."""
        if cost != 1:
            raise NotImplementedError("what several hosts share is counted call by call")
        if self._gone.is_set():
            self._watch()
            return super().acquire(who, policy)
        held = super().acquire(who, policy)
        if not held.allowed:
            return held
        try:
            standing = self._redis.acquire(who, policy)
        except self._errors as error:
            self._went(error)
            return held
        if not standing.allowed:
            self.withdraw(who, policy)
        return standing

    def counted_by(self) -> str:
        """Look whose counts hold now: those in `redis`, of the `host`, or of the `process` alone."""
        if not self._gone.is_set() and not self._redis.check():
            self._went("it did not count when it was looked at")
        return super().counted_by() if self._gone.is_set() else "redis"

    def close(self) -> None:
        """Close the connections and let go of the memory."""
        self._closed.set()
        if self._watcher is not None:
            self._watcher.join()
        self._redis.close()
        super().close()

    def _went(self, reason: object) -> None:
        if not self._gone.is_set():
            self._gone.set()
            logs.of("limits").warning("redis_went", reason=str(reason), counted="on this host")
        self._watch()

    def _watch(self) -> None:
        """See to it that somebody asks for Redis: no request does, for each would wait for the answer."""
        if self._watcher is not None and self._watcher.is_alive():  # after a fork it is not
            return
        with self._watch_lock:
            if self._gone.is_set() and (self._watcher is None or not self._watcher.is_alive()):
                self._watcher = threading.Thread(target=self._ask, name="limits", daemon=True)
                self._watcher.start()

    def _ask(self) -> None:
        while not self._closed.wait(ASK_SECONDS):
            if self._redis.check():
                self._gone.clear()
                logs.of("limits").info("redis_is_back")
                return


def _opened(uri: str) -> tuple[RedisWindows, tuple[type[Exception], ...]]:
    try:
        redis = import_module("hefesto_api.adapters.limits.redis")
        return redis.RedisWindows(uri), redis.ERRORS
    except ImportError as error:
        raise UsageError("HEFESTO_REDIS_URL: install the extra for it, hefesto-api[redis].") from error
    except ValueError as error:
        raise UsageError(f"HEFESTO_REDIS_URL: the value is no address of a Redis ({error}).") from error
