"""Counting what callers ask for, on a host or in Redis, by the storages and strategies of `limits`.

Of that library are the registry of storages, the strategies' interface and the way to Redis. What it does
not have, and is here: several windows weighed at once (one after another, a call that the last refuses has
been counted by the others), and counts that are shared by processes, exact and small.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from hefesto_api.domain.limits import Policy, Standing
    from hefesto_api.settings import Settings


class Limiter(Protocol):
    """Counts calls; safe to use from several threads and processes."""

    def acquire(self, who: str, policy: Policy) -> Standing:
        """Count a call of somebody if the policy has room for it; tell how he stands. Never fails."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


def open_limiter(settings: Settings) -> Limiter:
    """Open what counts calls as the settings say; raises UsageError where they cannot be honoured."""
    # Imported late: the library takes a tenth of a second, and who is not limited needs none of it.
    return cast("Limiter", import_module("hefesto_api.adapters.limits.limiter").open_limiter(settings))
