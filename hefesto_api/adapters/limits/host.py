"""The storage of one host: what all its processes count together, in memory that they share."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from limits.storage import MovingWindowSupport, Storage

from hefesto_api.adapters import logs
from hefesto_api.adapters.limits.counts import Counts
from hefesto_api.domain.limits import Policy, Window

if TYPE_CHECKING:
    from hefesto_api.domain.limits import Standing

REST_SECONDS = 1.0  # how long the host's counts are left alone after they failed
_NOT_FIXED = "calls are kept, not counters: use a strategy whose window slides"


class HostStorage(Storage, MovingWindowSupport):
    """`hefesto+host:///folder/file` for the processes of a host; `hefesto+host://` for this one alone.

    Counting does not fail: while the host's memory cannot be used, this process counts for itself.
    """

    STORAGE_SCHEME = ["hefesto+host"]  # noqa: RUF012 - the library's own declaration

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: Any) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        path = unquote(urlsplit(uri or "").path)
        self.counts = Counts(Path(path) if path else None, **options)
        self._is_shared = bool(path)
        self._alone = Counts(None, **options) if path else self.counts
        self._again_at = 0.0

    @property
    def base_exceptions(self) -> type[Exception]:
        """What goes wrong with files."""
        return OSError

    def acquire(self, who: str, policy: Policy, cost: int = 1) -> Standing:
        """Count a call if every window has room for it, and tell how its caller stands then."""
        if self._again_at <= time.monotonic():
            try:
                return self.counts.acquire(who, policy, cost)
            except OSError as error:
                self._failed(error)
        return self._alone.acquire(who, policy, cost)

    def withdraw(self, who: str, policy: Policy) -> None:
        """Take back a call that was counted here and refused elsewhere."""
        if self._again_at <= time.monotonic():
            try:
                self.counts.withdraw(who, policy)
            except OSError as error:
                self._failed(error)

    def counted_by(self) -> str:
        """Look whose counts hold now: those of the `host`, or of the `process` alone."""
        well = self._is_shared and self._again_at <= time.monotonic() and self.check()
        return "host" if well else "process"

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count so many calls if the window has room for all of them."""
        return self.acquire(key, _one_window(limit, expiry), amount).allowed

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return when the oldest call of the window was made, and how many are in it."""
        standing = self.counts.test(key, _one_window(limit, expiry))
        return time.time() + standing.wait / 1000 - expiry, limit - standing.remaining

    def check(self) -> bool:
        """Tell whether the memory can be used."""
        try:
            self.counts.test("", _one_window(1, 1))
        except OSError:
            return False
        return True

    def reset(self) -> None:
        """Forget everything."""
        self.counts.clear()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Refuse: a fixed window lets through twice its limit."""
        raise NotImplementedError(_NOT_FIXED)

    def get(self, key: str) -> int:
        """Refuse, as `incr` does."""
        raise NotImplementedError(_NOT_FIXED)

    def get_expiry(self, key: str) -> float:
        """Refuse, as `incr` does."""
        raise NotImplementedError(_NOT_FIXED)

    def clear(self, key: str) -> None:
        """Refuse: a key without its window names nothing here."""
        raise NotImplementedError("a window has to be named: clear everything, or wait")

    def close(self) -> None:
        """Let go of the memory."""
        self.counts.close()
        if self._is_shared:
            self._alone.close()

    def _failed(self, error: OSError) -> None:
        self._again_at = time.monotonic() + REST_SECONDS
        logs.of("limits").error("limits_counted_by_process", reason=str(error), again_in=REST_SECONDS)


def _one_window(limit: int, seconds: int) -> Policy:
    return Policy("", (Window(limit, seconds),))
