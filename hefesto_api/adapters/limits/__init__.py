"""Counting what callers ask for, on a host or in Redis, by storages and a strategy of `limits`.

Of that library are the registry of storages, the strategies' interface and the way to Redis; flask-limiter
asks through them. What it does not have, and is here: several windows weighed at once (one after another, a
call that the last refuses has been counted by the others), and counts that are shared by processes, exact and
small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from hefesto_api.adapters import logs
from hefesto_api.adapters.limits import place

if TYPE_CHECKING:
    from hefesto_api.settings import Settings

ALONE = "hefesto+host://"
"""The address of counts that one process keeps for itself."""


class Address(NamedTuple):
    """Where calls are counted, as `limits` opens it."""

    uri: str
    options: dict[str, Any]


def address(settings: Settings) -> Address:
    """Return where calls are counted as the settings say; a host without a place for it counts by process."""
    host = _on_host(settings)
    if settings.redis_url:
        return Address(f"hefesto+{settings.redis_url}", {"host": host})
    return Address(host, {})


def _on_host(settings: Settings) -> str:
    try:
        return ALONE + quote(str(place.file_for(settings)))
    except OSError as error:
        logs.of("limits").error("limits_counted_by_process", reason=str(error))
        return ALONE
