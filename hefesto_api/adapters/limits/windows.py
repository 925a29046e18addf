"""The strategy, and what it is asked for: every window of a policy at once, as one item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from limits.strategies import STRATEGIES, MovingWindowRateLimiter

from limits import RateLimitItem, RateLimitItemPerDay

if TYPE_CHECKING:
    from collections.abc import Callable

    from limits.storage import StorageTypes

    from hefesto_api.domain.limits import Policy, Standing
    from limits import WindowStats

NAME = "hefesto-windows"


class PolicyItem(RateLimitItemPerDay):
    """All windows of a policy; `heard` is told how each call stands, by the thread that asked.

    The library's answer is yes or no, and asking it what is left would weigh everything once more.
    """

    __slots__ = ("heard", "policy")

    def __init__(self, policy: Policy, heard: Callable[[Policy, Standing], None]) -> None:
        super().__init__(policy.windows[0].limit, namespace=policy.name)
        self.policy = policy
        self.heard = heard

    # There is one for each policy; it is hashed again and again.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def key_for(self, *identifiers: bytes | str | float) -> str:
        """Name who calls, without the limits: when they change, calls that were counted still count."""
        return " ".join(map(str, identifiers))

    def __repr__(self) -> str:
        """Return the name of the policy."""
        return self.policy.name


@runtime_checkable
class WindowsSupport(Protocol):
    """A storage that counts a call in all windows of a policy, or in none."""

    def acquire(self, who: str, policy: Policy, cost: int = 1) -> Standing:
        """Count a call if there is room for it, and tell how its caller stands."""
        ...


class SlidingWindows(MovingWindowRateLimiter):
    """Exact sliding windows: those of a `PolicyItem` together; another item is one window."""

    def __init__(self, storage: StorageTypes) -> None:
        if not isinstance(storage, WindowsSupport):
            raise NotImplementedError(f"{type(storage).__name__} does not weigh several windows at once")
        super().__init__(storage)

    def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Count a call in all windows of an item, or in none."""
        if not isinstance(item, PolicyItem):
            return super().hit(item, *identifiers, cost=cost)
        storage = cast("WindowsSupport", self.storage)
        standing = storage.acquire(item.key_for(*identifiers), item.policy, cost)
        item.heard(item.policy, standing)
        return standing.allowed

    def test(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Tell whether a call would be counted; a policy is not asked twice."""
        return super().test(_single(item), *identifiers, cost=cost)

    def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats:
        """Return when the window has room again, and how much there is; a policy is not asked twice."""
        return super().get_window_stats(_single(item), *identifiers)


def _single(item: RateLimitItem) -> RateLimitItem:
    if isinstance(item, PolicyItem):
        raise NotImplementedError("an item of several windows hears how a call stands when it is counted")
    return item


STRATEGIES[NAME] = SlidingWindows  # where flask-limiter and others look strategies up by name
