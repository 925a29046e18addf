"""The worker: takes jobs from the lease table and does them, until it is told to stop.

A job is leased for a short time and the lease renewed while it runs, so that the jobs of a worker that dies
come back in seconds; those of a worker of this host that is known to be dead come back at once.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import structlog

from hefesto_api.domain.errors import HefestoError
from hefesto_api.features.export.streaming import Exporter
from hefesto_api.features.webhooks.dispatching import Dispatcher
from hefesto_api.storage import exports, jobs, schedules, webhooks, workers
from hefesto_api.worker.doing import BEAT_SECONDS, LEASE_SECONDS, Doer
from hefesto_api.worker.hosts import host_name, is_alive
from hefesto_api.worker.kinds import KINDS, SCHEDULES, Slot

if TYPE_CHECKING:
    from hefesto_api.runtime import Runtime
    from hefesto_api.storage.jobs import Job

log = structlog.get_logger("worker")

LOOK_SECONDS = 0.05  # between looks at whether anything changed; a look costs microseconds on SQLite
ANYWAY_SECONDS = 1.0  # between looks for due jobs when nothing changed: their time may have come


class Worker:
    """Some slots that lease and do jobs, and one thread that keeps the worker's row and the schedules."""

    def __init__(self, runtime: Runtime, slots: int = 2) -> None:
        self._runtime = runtime
        self._db = runtime.db
        self._stopping = threading.Event()
        self._slots = [Slot(runtime) for _ in range(slots)]
        with self._db.write() as session:
            self._me = workers.register(session, host_name(), os.getpid(), slots)
        self._doer = Doer(runtime, self._stopping)
        self.dispatcher = Dispatcher(runtime, self._me.id)
        self.exporter = Exporter(runtime, self._me.id) if runtime.settings.bigquery else None

    def run(self) -> None:
        """Work until `stop`; then end the jobs at hand where they are (they go on elsewhere or later)."""
        self.adopt()
        threads = [
            threading.Thread(target=self._work, args=(slot,), name=f"slot-{number}", daemon=True)
            for number, slot in enumerate(self._slots)
        ]
        threads.append(threading.Thread(target=self._keep_house, name="house", daemon=True))
        threads.append(threading.Thread(target=self.dispatcher.run, name="webhooks", daemon=True))
        if self.exporter is not None:
            threads.append(threading.Thread(target=self.exporter.run, name="export", daemon=True))
        for thread in threads:
            thread.start()
        log.info("worker_started", worker=self._me.id, slots=len(self._slots))
        for thread in threads:
            thread.join()
        self.close()

    def close(self) -> None:
        """Sign off, and end the parser children."""
        with self._db.write() as session:
            workers.leave(session, self._me)
        for slot in self._slots:
            slot.engine.close()

    def stop(self) -> None:
        """Take no more jobs, and interrupt those at hand."""
        self._stopping.set()
        self.dispatcher.stop()
        if self.exporter is not None:
            self.exporter.stop()
        for slot in self._slots:
            slot.stop.set()

    def drain(self) -> int:
        """Do every job that is due, in this thread, and return how many; for tests and one-off commands."""
        done = 0
        while job := jobs.lease(self._db, self._me.id, list(KINDS), LEASE_SECONDS):
            self._doer.do(self._slots[0], job)
            done += 1
        return done

    def adopt(self) -> None:
        """Give back at once what dead workers of this host had leased."""
        with self._db.write() as session:
            for other in workers.on_host(session, host_name()):
                if other.id != self._me.id and not is_alive(other.pid):
                    jobs.release(session, other.id)
                    webhooks.release(session, other.id)
                    exports.release(session, other.id)
                    workers.leave(session, other)
            for name, seconds in SCHEDULES.items():
                schedules.ensure(session, name, every_seconds=seconds)
        self._doer.reap()

    def _work(self, slot: Slot) -> None:
        version, looked = "", 0.0
        while not self._stopping.is_set():
            try:
                seen = self._db.data_version()
                now = time.monotonic()  # the clock on the wall may be put back
                if seen != version or now - looked > ANYWAY_SECONDS:
                    version, looked = seen, now
                    self._do_what_is_due(slot)
            except HefestoError as error:  # the database is away: look again in a moment
                log.warning("worker_waits", reason=error.message)
                self._stopping.wait(ANYWAY_SECONDS)
            except Exception:  # a slot that ends would be missed by nobody
                log.exception("worker_waits")
                self._stopping.wait(ANYWAY_SECONDS)
            self._stopping.wait(LOOK_SECONDS)

    def _do_what_is_due(self, slot: Slot) -> None:
        while job := self._lease():
            self._doer.do(slot, job)

    def _lease(self) -> Job | None:
        if self._stopping.is_set():
            return None
        return jobs.lease(self._db, self._me.id, list(KINDS), LEASE_SECONDS)

    def _keep_house(self) -> None:
        while not self._stopping.wait(BEAT_SECONDS):
            self._runtime.metrics.sample()
            try:
                with self._db.write(durable=False) as session:
                    workers.beat(session, self._me)
                self._doer.reap()
                schedules.tick(self._db)
            except HefestoError as error:
                log.warning("worker_waits", reason=error.message)
            except Exception:
                log.exception("worker_waits")
