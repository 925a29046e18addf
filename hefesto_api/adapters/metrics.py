"""Counting what happens, in Prometheus' terms.

With PROMETHEUS_MULTIPROC_DIR in the environment (`hefesto serve` and our gunicorn settings set it) the
processes of one service keep their numbers in files there, and any of them can tell the sum; without it a
process tells its own. No label has more values than the code has words for: never a path, a name or an id.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.values import ValueClass

from hefesto_api.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from prometheus_client import Metric

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Bounds of what somebody waits for; one of them is the two seconds that an alert asks about."""
LONG = (0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
"""Bounds of what works in the background."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SAMPLE_SECONDS = 5.0
_SHARED = ValueClass.__name__ == "MmapedValue"

disable_created_metrics()  # type: ignore[no-untyped-call] # a third more series, which nobody asks for


class Now(Struct, frozen=True):
    """A gauge that is looked up when it is asked for: a value for each tuple of its labels' values."""

    name: str
    about: str
    values: Mapping[tuple[str, ...], float]
    labels: tuple[str, ...] = ()


class Metrics:
    """What one process counts; `role` is what the process is: `web` or `worker`."""

    def __init__(self, role: str = "web") -> None:
        self.role = role
        self._registry = CollectorRegistry()
        self._children: dict[tuple[str, str, int], tuple[Any, Any]] = {}
        self._sampling = threading.Lock()
        self._sampled, self._pid, self._cpu = 0.0, 0, 0.0
        self._declare_work()
        self._declare_storage()
        self._declare_process()

    def count_request(self, method: str, endpoint: str, status: int, seconds: float) -> None:
        """Count one answered request; `endpoint` is the route's template, never the path itself."""
        key = (method, endpoint, status)
        counted = self._children.get(key)
        if counted is None:
            counted = self._children[key] = (
                self._requests.labels(method, endpoint, str(status)),
                self._seconds.labels(method, endpoint),
            )
        counted[0].inc()
        counted[1].observe(seconds)
        if time.monotonic() - self._sampled > SAMPLE_SECONDS:
            self.sample()

    def count_arrival(self, source: str, result: str) -> None:
        """Count a message of a monitoring tool: accepted, or refused with an error's code."""
        self._arrivals.labels(source, result).inc()

    def count_job(self, kind: str, result: str, seconds: float) -> None:
        """Count a job that was carried out once: it `succeeded`, `failed`, or was `interrupted`."""
        self._jobs.labels(kind, result).inc()
        self._job_seconds.labels(kind).observe(seconds)

    def count_analysis(self, status: str, seconds: float) -> None:
        """Count an analysis that ended: `completed`, `failed` or `cancelled`."""
        self._analyses.labels(status).inc()
        self._analysis_seconds.observe(seconds)

    def count_correlation(self, result: str, seconds: float) -> None:
        """Count an alert that was correlated: suspects were `found`, there were `none`, or it `failed`."""
        self._correlations.labels(result).inc()
        self._correlation_seconds.observe(seconds)

    def count_delivery(self, result: str, seconds: float) -> None:
        """Count an attempt to deliver to a webhook: it was `delivered`, or it `failed`."""
        self._deliveries.labels(result).inc()
        self._delivery_seconds.observe(seconds)

    def count_dead_letters(self, letters: int) -> None:
        """Count deliveries that were given up."""
        self._dead_letters.inc(letters)

    def count_cache(self, tier: str, *, hit: bool) -> None:
        """Count a question to a tier of the cache (`l1`, `l2`)."""
        self._cache.labels(tier, "hit" if hit else "miss").inc()

    def count_evictions(self, tier: str, entries: int = 1) -> None:
        """Count entries that a tier of the cache gave up for want of room or time."""
        self._evictions.labels(tier).inc(entries)

    def hold_entries(self, tier: str, entries: int) -> None:
        """Say how many entries this process holds in a tier of the cache."""
        self._entries.labels(tier).set(entries)

    def hold_connections(self, connections: int) -> None:
        """Say how many live connections this process holds."""
        self._connections.set(connections)

    def wrote(self, waited: float, held: float) -> None:
        """Count a write transaction: the seconds it waited for its turn, and those it had it."""
        self._waited.observe(waited)
        self._held.observe(held)

    def failed(self, reason: str) -> None:
        """Count what the database refused, by the reason that callers are told, too."""
        self._errors.labels(reason).inc()
        if reason == "damaged":
            self.know_damage(known=True)

    def know_damage(self, *, known: bool) -> None:
        """Say whether this process knows the database to be damaged; one that does is enough."""
        self._damaged.set(known)

    def sample(self) -> None:
        """Look at the process itself: its processor time, memory, threads and files."""
        with self._sampling:
            self._sampled = time.monotonic()
            spent = sum(os.times()[:2])
            if self._pid != os.getpid():
                self._pid, self._cpu = os.getpid(), 0.0
                self._processes.labels(self.role).set(1)
                self._started.labels(self.role).set(time.time())
            self._cpu_seconds.labels(self.role).inc(max(spent - self._cpu, 0.0))
            self._cpu = spent
            self._threads.labels(self.role).set(threading.active_count())
            for gauge, value in ((self._resident, _resident_bytes()), (self._files, _open_files())):
                gauge.labels(self.role).set(value)

    def exposition(self, gauges: Callable[[], Iterable[Now]]) -> bytes:
        """Write everything in the text format; `gauges` tells what is true now."""
        self.sample()
        told = CollectorRegistry()
        now = list(gauges())
        told.register(_AllProcesses() if _SHARED else self._registry)
        told.register(_Looked(now))
        return generate_latest(told)

    def _declare_work(self) -> None:
        route = ("method", "endpoint")
        self._requests = self._counter("hefesto_http_requests", "Requests answered.", *route, "status")
        self._seconds = self._histogram(
            "hefesto_http_request_duration_seconds", "Seconds from a request's arrival to its answer.", *route
        )
        self._arrivals = self._counter("hefesto_intake", "Messages of monitoring tools.", "source", "result")
        self._jobs = self._counter("hefesto_jobs", "Jobs carried out.", "kind", "result")
        self._job_seconds = self._histogram(
            "hefesto_job_duration_seconds", "Seconds that a job took.", "kind", bounds=LONG
        )
        self._analyses = self._counter("hefesto_analyses", "Analyses that ended.", "status")
        self._analysis_seconds = self._histogram(
            "hefesto_analysis_duration_seconds", "Seconds that an analysis took.", bounds=LONG
        )
        self._correlations = self._counter("hefesto_correlations", "Alerts correlated.", "result")
        self._correlation_seconds = self._histogram(
            "hefesto_correlation_duration_seconds", "Seconds from an alert to its suspects."
        )
        self._deliveries = self._counter(
            "hefesto_webhook_attempts", "Attempts to deliver an event.", "result"
        )
        self._delivery_seconds = self._histogram(
            "hefesto_webhook_attempt_duration_seconds", "Seconds until an endpoint answered or failed to."
        )

        self._dead_letters = self._counter("hefesto_webhook_dead_letters", "Deliveries given up.")

    def _declare_storage(self) -> None:
        self._waited = self._histogram(
            "hefesto_database_write_wait_seconds", "Seconds that a write waited for its turn."
        )
        self._held = self._histogram(
            "hefesto_database_write_duration_seconds", "Seconds from a write's turn to its end."
        )
        self._errors = self._counter("hefesto_database_errors", "What the database refused.", "reason")
        self._damaged = self._gauge(
            "hefesto_database_damaged", "Whether the database is known to be damaged.", mode="livemax"
        )
        self._cache = self._counter("hefesto_cache_requests", "Questions to the cache.", "tier", "result")
        self._evictions = self._counter("hefesto_cache_evictions", "Entries that the cache gave up.", "tier")
        self._entries = self._gauge("hefesto_cache_entries", "Entries in the processes' caches.", "tier")

    def _declare_process(self) -> None:
        self._connections = self._gauge("hefesto_live_connections", "WebSockets and event streams held.")
        self._processes = self._gauge("hefesto_processes", "Processes that run.", "role")
        self._started = self._gauge(
            "hefesto_process_start_time_seconds", "When the latest process began to count.", "role",
            mode="livemax",
        )  # fmt: skip
        self._cpu_seconds = self._counter("hefesto_process_cpu_seconds", "Processor time spent.", "role")
        self._resident = self._gauge(
            "hefesto_process_resident_memory_bytes", "Memory held, shared pages counted in each.", "role"
        )
        self._threads = self._gauge("hefesto_process_threads", "Threads that live.", "role")
        self._files = self._gauge(
            "hefesto_process_open_fds", "Files and sockets open, of the process with the most.", "role",
            mode="livemax",
        )  # fmt: skip

    @property
    def _home(self) -> CollectorRegistry | None:
        return None if _SHARED else self._registry

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, labels, registry=self._home)

    def _histogram(self, name: str, about: str, *labels: str, bounds: Sequence[float] = SECONDS) -> Histogram:
        return Histogram(name, about, labels, buckets=bounds, registry=self._home)

    def _gauge(self, name: str, about: str, *labels: str, mode: Any = "livesum") -> Gauge:
        return Gauge(name, about, labels, multiprocess_mode=mode, registry=self._home)


class _AllProcesses(Collector):
    """What the processes of this service have counted, those that ended included."""

    def collect(self) -> Iterator[Metric]:
        for _ in range(3):  # a process that starts just now has a file with nothing in it for a moment
            try:
                yield from list(MultiProcessCollector(None).collect())  # type: ignore[no-untyped-call]
            except (struct.error, RuntimeError):
                time.sleep(0.01)
            else:
                return


class _Looked(Collector):
    """Gauges that are looked up when they are asked for."""

    def __init__(self, gauges: Iterable[Now]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        version = Now("hefesto_build_info", "The version that runs.", {(__version__,): 1}, ("version",))
        for one in (version, *self._gauges):
            family = GaugeMetricFamily(one.name, one.about, labels=one.labels)
            for labels, value in one.values.items():
                family.add_metric(labels, value)
            yield family


def _resident_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - as many names as there are files, no paths
    except OSError:
        return 0
