"""Doing one job: its lease is kept meanwhile, and how it ended is written down."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
from msgspec.structs import replace

from hefesto_api.adapters import telemetry
from hefesto_api.domain import clock, tracing
from hefesto_api.domain.errors import HefestoError, StorageError
from hefesto_api.features.analysis.run import Interrupted
from hefesto_api.storage import executions, jobs
from hefesto_api.storage.jobs import LeaseLost
from hefesto_api.worker.kinds import GIVEN_UP, KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from hefesto_api.runtime import Runtime
    from hefesto_api.storage.jobs import Job
    from hefesto_api.worker.kinds import Slot

log = structlog.get_logger("worker")

LEASE_SECONDS = 15.0
BEAT_SECONDS = 4.0
RETRY_SECONDS = 5.0  # a job that waits for its next attempt holds up its lane
FAILURES = 3  # of its own, after which a job is given up


class Doer:
    """Does the jobs that a worker leased; `stopping` is set when it must end them where they are."""

    def __init__(self, runtime: Runtime, stopping: threading.Event) -> None:
        self._runtime = runtime
        self._db = runtime.db
        self._stopping = stopping

    def do(self, slot: Slot, job: Job) -> None:
        """Do one job and write down how it ended."""
        began, started = clock.now(), time.monotonic()
        result = "failed"
        try:
            with _followed(job), self._kept(slot, job):
                KINDS[job.kind](slot, job)
            with self._db.write() as session:
                jobs.finish(session, job)
                executions.ended(session, job, began)
            result = "succeeded"
        except LeaseLost:
            result = "interrupted"
            log.warning("lease_lost", job=job.id, kind=job.kind)
        except Interrupted:
            result = "interrupted"
            self._fail(job, "The worker was stopped.", retry_in=0.0)
        except Exception as error:
            log.exception("job_failed", job=job.id, kind=job.kind)
            self._fail(_tried_enough(job, error), f"{type(error).__name__}: {error}", RETRY_SECONDS, began)
        finally:
            self._runtime.metrics.count_job(job.kind, result, time.monotonic() - started)

    def reap(self) -> None:
        """Take back the leases that ran out, of whichever worker."""
        for job_id, status in jobs.reap(self._db):
            log.warning("lease_expired", job=job_id, status=status)
            if status == "dead":
                self._give_up(job_id)

    def _fail(
        self, job: Job, error: str, retry_in: float | None = None, began: datetime | None = None
    ) -> None:
        try:
            with self._db.write() as session:
                status = jobs.fail(session, job, error, retry_in=retry_in)
                if began is not None:
                    executions.ended(session, job, began, error)
        except LeaseLost:
            return
        if status == "dead":
            self._give_up(job.id)

    @contextmanager
    def _kept(self, slot: Slot, job: Job) -> Iterator[None]:
        """Renew the lease while the job runs; a job that was lost or cancelled is told to stop."""
        ended = threading.Event()

        def keep() -> None:
            while not ended.wait(BEAT_SECONDS):
                try:
                    if not jobs.heartbeat(self._db, job, LEASE_SECONDS):
                        slot.stop.set()
                        return
                except HefestoError as error:
                    log.warning("heartbeat_failed", job=job.id, reason=error.message)

        slot.stop.clear()
        if self._stopping.is_set():
            slot.stop.set()
        keeper = threading.Thread(target=keep, name="lease", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            ended.set()
            keeper.join()

    def _give_up(self, job_id: str) -> None:
        with self._db.read() as session:
            job = jobs.get(session, job_id)
        if job.kind in GIVEN_UP:
            GIVEN_UP[job.kind](self._runtime, job)


@contextmanager
def _followed(job: Job) -> Iterator[None]:
    """Let what is done for a job be part of the trace that it comes from, in the log and where traces go."""
    parent = str(job.payload.get(tracing.HEADER, ""))
    told = {"hefesto__job__id": job.id, "hefesto__job__kind": job.kind, "hefesto__job__attempt": job.attempts}
    with telemetry.span(f"job {job.kind}", telemetry.CONSUMER, parent, **told) as span:
        bound = {"job": job.id, "trace_id": tracing.trace_id(parent)}
        if span is not None:
            parent = span.traceparent
            bound |= {"trace_id": span.trace_id, "span_id": span.span_id}
        followed = tracing.current.set(parent)
        try:
            with structlog.contextvars.bound_contextvars(
                **{name: value for name, value in bound.items() if value}
            ):
                yield
        finally:
            tracing.current.reset(followed)


def _tried_enough(job: Job, error: Exception) -> Job:
    """Give a job up early that fails by itself: attempts are many for those that a kill or an outage ends."""
    if isinstance(error, StorageError) or job.attempts < FAILURES:
        return job
    return replace(job, max_attempts=job.attempts)
