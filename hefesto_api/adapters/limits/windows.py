"""The strategy: every window of a policy at once, by whatever storage can weigh them so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from limits.strategies import STRATEGIES, MovingWindowRateLimiter

if TYPE_CHECKING:
    from limits.storage import StorageTypes

    from hefesto_api.domain.limits import Policy, Standing

NAME = "hefesto-windows"


@runtime_checkable
class WindowsSupport(Protocol):
    """A storage that counts a call in all windows of a policy, or in none."""

    def acquire(self, who: str, policy: Policy) -> Standing:
        """Count a call if there is room for it, and tell how its caller stands."""
        ...


class SlidingWindows(MovingWindowRateLimiter):
    """Exact sliding windows; a single `RateLimitItem` is a policy of one window."""

    def __init__(self, storage: StorageTypes) -> None:
        if not isinstance(storage, WindowsSupport):
            raise NotImplementedError(f"{type(storage).__name__} does not weigh several windows at once")
        super().__init__(storage)

    def acquire(self, who: str, policy: Policy) -> Standing:
        """Count a call in all windows of a policy, or in none."""
        return cast("WindowsSupport", self.storage).acquire(who, policy)


STRATEGIES[NAME] = SlidingWindows  # where flask-limiter and others look strategies up by name
