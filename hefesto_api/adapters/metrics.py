"""Counting what happens, in Prometheus' terms.

With PROMETHEUS_MULTIPROC_DIR in the environment (`hefesto serve` sets it) the processes of one service keep
their numbers in files there, and any of them can tell the sum; without it a process tells its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.values import ValueClass

from hefesto_api.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client import Metric

    Gauges = Callable[[], Mapping[str, tuple[str, Mapping[str, float]]]]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SHARED = ValueClass.__name__ == "MmapedValue"


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = None if _SHARED else self._registry
        labels = ("method", "endpoint", "status")
        self._requests = Counter("hefesto_http_requests", "Requests answered.", labels, registry=registry)
        self._seconds = Histogram(
            "hefesto_http_request_duration_seconds",
            "Seconds from a request's arrival to its answer's first byte.",
            ("method", "endpoint"),
            buckets=SECONDS,
            registry=registry,
        )

        self._arrivals = Counter(
            "hefesto_intake", "Messages of monitoring tools.", ("source", "result"), registry=registry
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def count_request(self, method: str, endpoint: str, status: int, seconds: float) -> None:
        """Count one answered request; `endpoint` is the route's template, never the path itself."""
        key = (method, endpoint, status)
        counted = self._children.get(key)
        if counted is None:
            counted = (
                self._requests.labels(method, endpoint, str(status)),
                self._seconds.labels(method, endpoint),
            )
            self._children[key] = counted
        counted[0].inc()
        counted[1].observe(seconds)

    def count_arrival(self, source: str, result: str) -> None:
        """Count a message of a monitoring tool: accepted, or refused with an error's code."""
        self._arrivals.labels(source, result).inc()

    def exposition(self, gauges: Gauges) -> bytes:
        """Write everything in the text format; `gauges` tells what is true now."""
        told = CollectorRegistry()
        told.register(_all_processes() if _SHARED else self._registry)
        told.register(_Now(gauges))
        return generate_latest(told)


def _all_processes() -> Collector:
    return MultiProcessCollector(CollectorRegistry())  # type: ignore[no-untyped-call]


class _Now(Collector):
    """Gauges that are looked up when they are asked for."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("hefesto_build_info", "The version that runs.", labels=("version",))
        build.add_metric((__version__,), 1)
        yield build
        for name, (about, values) in self._gauges().items():
            family = GaugeMetricFamily(name, about, labels=("kind",))
            for kind, value in values.items():
                family.add_metric((kind,), value)
            yield family
