"""The second tier: Redis, for all processes of all hosts.

It holds values alone. Whether one is still good the database says, so a Redis that dies, comes back empty or
comes back old gives nobody a stale answer. One that does not answer is left alone for a while.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hefesto_api.adapters import logs
from hefesto_api.adapters.cache.entry import VERSION
from hefesto_api.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

TIMEOUT = 0.05  # seconds: making an answer takes little longer
MOST_BYTES = 1024 * 1024  # of a value
REST_SECONDS, LONGEST_REST = 0.5, 15.0
LOCK_MS = 5000
_SPECIAL = re.compile(r"([\[\]\\^-])")
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Shared:
    """Values by name in a Redis; each method gives up at once while Redis rests.

    Raises UsageError for a Redis that there can be no way to.
    """

    def __init__(self, url: str, namespace: str) -> None:
        self._url = url
        self._namespace = namespace
        self._client: Any = None
        self._pid = 0
        self._lock = threading.Lock()
        self._rests_until, self._rest = 0.0, REST_SECONDS
        self.hits = self.misses = self.errors = 0
        try:
            self._module = import_module("redis")
        except ImportError as error:
            raise UsageError("HEFESTO_REDIS_URL: install the extra for it, hefesto-api[redis].") from error

    @property
    def is_resting(self) -> bool:
        """Whether Redis failed lately and is not asked."""
        return time.monotonic() < self._rests_until

    def get(self, origin: int, name: str) -> bytes | None:
        """Return the value of a name; None where there is none, or no Redis."""
        raw: bytes | None = self._ask("get", self._key(origin, name))
        if raw is None:
            self.misses += 1
        else:
            self.hits += 1
        return raw

    def keep(self, origin: int, name: str, raw: bytes, ttl: float) -> None:
        """Keep a value for some seconds, unless it is large."""
        if len(raw) <= MOST_BYTES and ttl > 0:
            self._ask("set", self._key(origin, name), raw, px=max(int(ttl * 1000), 1))

    def lock(self, origin: int, name: str) -> str | None:
        """Take the lock of who makes a value: a token, "" when another has it, None without a Redis."""
        token = secrets.token_hex(8)
        before = self.errors
        taken = self._ask("set", f"{self._key(origin, name)}:lock", token, nx=True, px=LOCK_MS)
        if taken:
            return token
        return None if self.errors != before or self.is_resting else ""

    def unlock(self, origin: int, name: str, token: str) -> None:
        """Let go of a lock that is still ours."""
        if token:
            self._ask("eval", _RELEASE, 1, f"{self._key(origin, name)}:lock", token)

    def forget(self, origin: int, patterns: Iterable[str]) -> int:
        """Delete the values whose names match; return how many there were."""
        gone = 0
        for pattern in patterns:
            match = self._key(origin, _SPECIAL.sub(r"\\\1", pattern))
            cursor: Any = 0
            while True:
                answer = self._ask("scan", cursor, match=match, count=500)
                if answer is None:
                    return gone
                cursor, keys = answer
                if keys:
                    gone += self._ask("unlink", *keys) or 0
                if not cursor:
                    break
        return gone

    def check(self) -> float | None:
        """Ask whether it answers: the milliseconds that it took, or None."""
        began = time.perf_counter()
        with self._lock:
            self._rests_until = 0.0
        return (time.perf_counter() - began) * 1000 if self._ask("ping") else None

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None and self._pid == os.getpid():
            with contextlib.suppress(Exception):
                self._client.close()

    def _key(self, origin: int, name: str) -> str:
        return f"hefesto:cache:{VERSION}:{self._namespace}:{origin:x}:{name}"

    def _ask(self, command: str, *words: Any, **options: Any) -> Any:
        if self.is_resting:
            return None
        try:
            answer = getattr(self._connected(), command)(*words, **options)
        except (self._module.RedisError, OSError) as error:
            self._failed(error)
            return None
        if self._rest != REST_SECONDS:
            self._rest = REST_SECONDS
            logs.of("cache").info("redis_is_back")
        return answer

    def _connected(self) -> Any:
        if self._pid != os.getpid():  # forked: the parent's sockets are the parent's
            with self._lock:
                if self._pid != os.getpid():
                    self._client = self._module.Redis.from_url(self._url)
                    self._client.connection_pool.connection_kwargs.update(  # whatever the address says of it
                        socket_timeout=TIMEOUT,
                        socket_connect_timeout=TIMEOUT,
                        retry=import_module("redis.retry").Retry(
                            import_module("redis.backoff").NoBackoff(), 0
                        ),
                    )
                    self._pid = os.getpid()
        return self._client

    def _failed(self, error: Exception) -> None:
        with self._lock:
            self.errors += 1
            self._rests_until = time.monotonic() + self._rest
            if self._rest == REST_SECONDS:
                logs.of("cache").warning("redis_went", reason=type(error).__name__, cached="in each process")
            self._rest = min(self._rest * 2, LONGEST_REST)
