"""How the service itself does: requests, latencies and errors by route and over time, queue, storage."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hefesto_api.domain import clock
from hefesto_api.storage import jobs, monitoring
from hefesto_api.storage.measuring import CACHE, SAMPLES, WRITER_WAIT
from hefesto_api.storage.monitoring import DAY, HOUR, MINUTE, TEN_MINUTES, Gauge, Requests

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hefesto_api.storage.base import Session

ROUTES = 100
DIGITS = 3
# How long a stretch is told by one point, by the length of the whole in minutes.
_WIDTHS = ((120, MINUTE), (2880, TEN_MINUTES), (20_160, HOUR), (129_600, DAY))


def performance(session: Session, minutes: int) -> dict[str, Any]:
    """Return what was measured in the last minutes, the one at hand included."""
    now = clock.now()
    width = next(each for most, each in _WIDTHS if minutes <= most)
    until = int(now.timestamp()) // MINUTE * MINUTE + MINUTE
    since = until - minutes * MINUTE
    routes = monitoring.by_route(session, since, until)
    gauges = monitoring.gauges(session, since, until)
    waiting, oldest = jobs.waiting(session, now=now)
    total = _sum(routes.values())
    return {
        "period": {"start": _moment(since), "end": _moment(until), "minutes": minutes},
        "requests": _told(total, minutes),
        "routes": [{"route": name, **_told(one, minutes)} for name, one in list(routes.items())[:ROUTES]],
        "points": _points(session, since, until, width),
        "queue": {
            "depth": waiting,
            "oldest_waiting_seconds": round(oldest, DIGITS),
            "mean_depth": _mean(gauges.get(SAMPLES[0])),
            "most_depth": _most(gauges.get(SAMPLES[0])),
            "most_waiting_seconds": _most(gauges.get(SAMPLES[1])),
        },
        "cache_hit_rate": _mean(gauges.get(CACHE)),
        "storage_writer_wait": {
            "writes": gauges[WRITER_WAIT].samples if WRITER_WAIT in gauges else 0,
            "mean_ms": _mean(gauges.get(WRITER_WAIT)),
            "most_ms": _most(gauges.get(WRITER_WAIT)),
        },
    }


def _points(session: Session, since: int, until: int, width: int) -> list[dict[str, Any]]:
    requests = monitoring.by_time(session, since, until, width)
    gauges = monitoring.gauges_by_time(session, since, until, width)
    moments = sorted(requests.keys() | {at for at, _ in gauges})
    return [
        {
            "at": _moment(at),
            **_told(requests.get(at, Requests()), width / MINUTE),
            "queue_depth": _mean(gauges.get((at, SAMPLES[0]))),
            "storage_writer_wait_ms": _mean(gauges.get((at, WRITER_WAIT))),
        }
        for at in moments
    ]


def _told(one: Requests, minutes: float) -> dict[str, Any]:
    return {
        "requests": one.requests,
        "requests_per_minute": round(one.requests / minutes, DIGITS),
        "refused": one.refused,
        "errors": one.errors,
        "error_rate": round(one.errors / one.requests, 4) if one.requests else 0.0,
        **{f"p{share}_ms": _milliseconds(one.quantile(share / 100)) for share in (50, 95, 99)},
    }


def _sum(each: Iterable[Requests]) -> Requests:
    total = Requests()
    for one in each:
        took = tuple(a + b for a, b in zip(total.took, one.took, strict=True))
        total = Requests(
            total.requests + one.requests, total.refused + one.refused, total.errors + one.errors,
            total.seconds + one.seconds, took,
        )  # fmt: skip
    return total


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, DIGITS)


def _mean(gauge: Gauge | None) -> float | None:
    return None if gauge is None or gauge.mean is None else round(gauge.mean, DIGITS)


def _most(gauge: Gauge | None) -> float | None:
    return None if gauge is None else round(gauge.most, DIGITS)


def _moment(seconds: int) -> str:
    return clock.rfc3339(datetime.fromtimestamp(seconds, UTC))
