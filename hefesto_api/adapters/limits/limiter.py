"""Counting that does not fail: in Redis while it answers, on the host while it can, else in this process.

What Redis allows is counted on the host as well, and what the host would refuse Redis is not asked. So when
Redis goes, the host knows what was used already; and when it comes back empty, the host still holds.
"""

from __future__ import annotations

import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import quote

from hefesto_api.adapters import logs
from hefesto_api.adapters.limits import place
from hefesto_api.adapters.limits.host import HostStorage
from hefesto_api.adapters.limits.windows import SlidingWindows
from hefesto_api.domain.errors import UsageError

if TYPE_CHECKING:
    from hefesto_api.adapters.limits import Limiter
    from hefesto_api.adapters.limits.redis import RedisWindows
    from hefesto_api.domain.limits import Policy, Standing
    from hefesto_api.settings import Settings

REST_SECONDS = 1.0  # how long the host's counts are left alone after they failed
ASK_SECONDS = 0.25  # how often a Redis that went is asked whether it is back


def open_limiter(settings: Settings) -> Limiter:
    """Open what counts calls as the settings say; a host without a place for it counts by process.

    Raises UsageError for a Redis that there can be no way to; one that does not answer is no reason.
    """
    if not settings.redis_url:
        return HostLimiter(_host_storage(settings))
    try:
        redis = import_module("hefesto_api.adapters.limits.redis")
        shared = redis.RedisWindows(f"hefesto+{settings.redis_url}")
    except ImportError as error:
        raise UsageError("HEFESTO_REDIS_URL: install the extra for it, hefesto-api[redis].") from error
    except ValueError as error:
        raise UsageError(f"HEFESTO_REDIS_URL: the value is no address of a Redis ({error}).") from error
    return SharedLimiter(HostLimiter(_host_storage(settings)), shared, redis.ERRORS)


class HostLimiter:
    """The counts of this host; while they cannot be had, those of this process alone."""

    def __init__(self, storage: HostStorage) -> None:
        self._storage = storage
        self._windows = SlidingWindows(storage)
        self._alone = HostStorage()
        self._again_at = 0.0

    def acquire(self, who: str, policy: Policy) -> Standing:
        """Count a call if there is room for it."""
        if self._again_at <= time.monotonic():
            try:
                return self._windows.acquire(who, policy)
            except OSError as error:
                self._failed(error)
        return self._alone.acquire(who, policy)

    def withdraw(self, who: str, policy: Policy) -> None:
        """Take back a call that was counted here and refused elsewhere."""
        if self._again_at <= time.monotonic():
            try:
                self._storage.withdraw(who, policy)
            except OSError as error:
                self._failed(error)

    def close(self) -> None:
        """Let go of the memory."""
        self._storage.close()
        self._alone.close()

    def _failed(self, error: OSError) -> None:
        self._again_at = time.monotonic() + REST_SECONDS
        logs.of("limits").error("limits_counted_by_process", reason=str(error), again_in=REST_SECONDS)


class SharedLimiter:
    """The counts in Redis, with the host's beside them."""

    def __init__(
        self, host: HostLimiter, redis: RedisWindows, errors: tuple[type[Exception], ...] = (OSError,)
    ) -> None:
        self._host = host
        self._redis = redis
        self._windows = SlidingWindows(redis)
        self._errors = errors
        self._gone = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._watcher: threading.Thread | None = None

    def acquire(self, who: str, policy: Policy) -> Standing:
        """Count a call if there is room for it, in Redis and on the host."""
        if self._gone.is_set():
            self._watch()
            return self._host.acquire(who, policy)
        held = self._host.acquire(who, policy)
        if not held.allowed:
            return held
        try:
            standing = self._windows.acquire(who, policy)
        except self._errors as error:
            self._went(error)
            return held
        if not standing.allowed:
            self._host.withdraw(who, policy)
        return standing

    def close(self) -> None:
        """Close the connections and let go of the memory."""
        self._closed.set()
        if self._watcher is not None:
            self._watcher.join()
        self._redis.close()
        self._host.close()

    def _went(self, error: Exception) -> None:
        if not self._gone.is_set():
            self._gone.set()
            logs.of("limits").warning("redis_went", reason=str(error), counted="on this host")
        self._watch()

    def _watch(self) -> None:
        """See to it that somebody asks for Redis: no request does, for each would wait for the answer."""
        if self._watcher is not None and self._watcher.is_alive():  # after a fork it is not
            return
        with self._lock:
            if self._gone.is_set() and (self._watcher is None or not self._watcher.is_alive()):
                self._watcher = threading.Thread(target=self._ask, name="limits", daemon=True)
                self._watcher.start()

    def _ask(self) -> None:
        while not self._closed.wait(ASK_SECONDS):
            if self._redis.check():
                self._gone.clear()
                logs.of("limits").info("redis_is_back")
                return


def _host_storage(settings: Settings) -> HostStorage:
    try:
        return HostStorage(f"hefesto+host://{quote(str(place.file_for(settings)))}")
    except OSError as error:
        logs.of("limits").error("limits_counted_by_process", reason=str(error))
        return HostStorage()
