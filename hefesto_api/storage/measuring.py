"""Measuring what a process does: counted in memory, written in batches, so that no request waits for it."""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping
from contextlib import suppress

from hefesto_api.domain import clock
from hefesto_api.domain.errors import HefestoError
from hefesto_api.storage import jobs, monitoring
from hefesto_api.storage.database import Database
from hefesto_api.storage.monitoring import BOUNDS, MINUTE, Gauge, Requests

EVERY_SECONDS = 10.0
SAMPLES = "queue_depth", "oldest_job_seconds"
WRITER_WAIT, CACHE = "writer_wait_ms", "cache_hits"
MOST_WAITING = 20_000  # rows of a process that wait for a database that is away; then they are dropped


class Measures:
    """What a process counted and has not written yet; a thread writes it now and then, `close` the rest.

    `asked` tells how often its cache was asked, and how often it had an answer. With its counts a process
    writes what it saw of the queue. A forked process counts anew: what its parent
    has counted is the parent's to write.
    """

    def __init__(
        self,
        db: Database,
        asked: Callable[[], tuple[int, int]] = lambda: (0, 0),
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        self._db = db
        self._asked = asked
        self._cache = (0, 0)
        self._every = every_seconds
        self._pid = 0
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._counts: dict[tuple[int, str], list[float]] = {}
        self._gauges: dict[tuple[int, str], Gauge] = {}
        self._writes, self._waited = 0, 0.0

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered; `route` is `METHOD /template`."""
        if self._pid != os.getpid():
            self._start()
        place = (_minute(), route)
        with self._lock:
            counts = self._counts.get(place)
            if counts is None:
                counts = self._counts[place] = [0] * (4 + len(BOUNDS) + 1)
            counts[0] += 1
            counts[1] += 400 <= status < 500
            counts[2] += status >= 500
            counts[3] += seconds
            counts[4 + bisect_left(BOUNDS, seconds)] += 1

    def see(self, name: str, gauge: Gauge) -> None:
        """Take in what was seen of a gauge."""
        place = (_minute(), name)
        with self._lock:
            self._gauges[place] = self._gauges.get(place, Gauge()).plus(gauge)

    def flush(self) -> None:
        """Write what was counted so far; raises StorageError, and then counts it still."""
        if not self._db.is_open:  # nothing has looked into it: it may not even be there
            return
        self._sample()
        with self._lock:
            counts, self._counts = self._counts, {}
            gauges, self._gauges = self._gauges, {}
        requests = {place: _requests(found) for place, found in counts.items()}
        try:
            with self._db.write(durable=False, witnessed=False) as session:
                monitoring.add(session, requests, gauges)
        except BaseException:
            self._take_back(counts, gauges)
            raise

    def close(self) -> None:
        """End the thread, and write what is left, as far as the database takes it."""
        self._closed.set()
        if self._pid == os.getpid():
            if self._thread is not None:
                self._thread.join()
            with suppress(HefestoError):
                self.flush()

    def _sample(self) -> None:
        """See how long the queue is, and how long writers waited since the last look."""
        with self._db.read() as session:
            waiting = jobs.waiting(session)
        for name, value in zip(SAMPLES, waiting, strict=True):
            self.see(name, Gauge(1, value, value))
        writes, waited, _ = self._db.writer_wait()
        more = writes - self._writes, (waited - self._waited) * 1000
        self._writes, self._waited = writes, waited
        if more[0] > 0:
            self.see(WRITER_WAIT, Gauge(more[0], more[1], more[1] / more[0]))
        former, self._cache = self._cache, self._asked()
        asked, hits = (new - old for new, old in zip(self._cache, former, strict=True))
        if asked > 0:
            self.see(CACHE, Gauge(asked, hits, hits / asked))

    def _take_back(
        self, counts: Mapping[tuple[int, str], list[float]], gauges: Mapping[tuple[int, str], Gauge]
    ) -> None:
        with self._lock:
            if len(self._counts) + len(counts) > MOST_WAITING:
                return
            for place, found in counts.items():
                known = self._counts.get(place)
                self._counts[place] = found if known is None else list(map(_plus, known, found))
            for place, gauge in gauges.items():
                self._gauges[place] = self._gauges.get(place, Gauge()).plus(gauge)

    def _start(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                return
            if self._pid:
                self._counts, self._gauges, self._writes, self._waited = {}, {}, 0, 0.0
            self._pid = os.getpid()
            self._thread = threading.Thread(target=self._run, name="measures", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._closed.wait(self._every):
            with suppress(HefestoError):  # it is tried again at the next turn
                self.flush()


def _plus(one: float, other: float) -> float:
    return one + other


def _minute() -> int:
    return int(clock.now().timestamp()) // MINUTE * MINUTE


def _requests(counts: list[float]) -> Requests:
    requests, refused, errors, seconds, *took = counts
    return Requests(int(requests), int(refused), int(errors), seconds, tuple(map(int, took)))
