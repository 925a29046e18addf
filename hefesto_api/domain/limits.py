"""How much a caller may ask for: tiers, their windows, and how a caller stands in them.

A window slides: in any stretch of its length, wherever it begins, there are never more calls than its limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from msgspec import Struct

MINUTE = 60
TEN_MINUTES = 600
HOUR = 3600
DAY = 86_400
MOST = 1_000_000
"""The largest limit of a window: each call of the longest one is remembered, at four bytes."""


class Window(Struct, frozen=True):
    """At most `limit` calls in any `seconds`."""

    limit: int
    seconds: int


@dataclass(frozen=True)
class Policy:
    """Windows that hold together, the shortest first: a call counts in all of them or in none."""

    name: str
    windows: tuple[Window, ...]

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """The windows as pairs of the limit and the milliseconds."""
        return tuple((window.limit, window.seconds * 1000) for window in self.windows)

    @cached_property
    def lengths(self) -> str:
        """What tells apart counts that are kept differently: the lengths of the windows, not the limits."""
        return ",".join(str(window.seconds) for window in self.windows)


class Standing(Struct, frozen=True):
    """Whether a call is allowed, and the window that decided it: the one with the least left.

    `wait` is how many milliseconds pass until that window has room for one call more.
    """

    allowed: bool
    window: Window
    remaining: int
    wait: int


def tier(name: str, rate: int, burst: int, hour: int, day: int) -> Policy:
    """Return the policy of a tier: a burst in any minute, ten times the rate in any ten, an hour, a day."""
    return Policy(
        name,
        (Window(burst, MINUTE), Window(10 * rate, TEN_MINUTES), Window(hour, HOUR), Window(day, DAY)),
    )


def per_minute(name: str, limit: int) -> Policy:
    """Return a policy of one window: so many calls in any minute."""
    return Policy(name, (Window(limit, MINUTE),))
