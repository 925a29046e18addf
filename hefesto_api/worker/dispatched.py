"""The worker where Celery dispatches: a message says which job to begin with; the lease table says the rest.

What is due is taken in the table's order (priority, time, lanes), whatever order the messages come in: the
job that a message names may wait until those before it are done. Once a second every slot that has nothing to
do looks for itself, so that what no message told of (the broker was away, a pause is over) is found as well.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, NamedTuple

import structlog

from hefesto_api.adapters.broker import Consumer
from hefesto_api.domain import clock
from hefesto_api.domain.errors import HefestoError
from hefesto_api.storage import jobs
from hefesto_api.worker.working import ANYWAY_SECONDS, Worker

if TYPE_CHECKING:
    from hefesto_api.runtime import Runtime
    from hefesto_api.storage.jobs import Job
    from hefesto_api.worker.kinds import Slot

log = structlog.get_logger("worker")


class _Errand(NamedTuple):
    """A job that a message named; `ended` is set when the message may be acknowledged."""

    job_id: str
    ended: threading.Event


class DispatchedWorker(Worker):
    """A worker whose slots wait for messages instead of looking at the table all the time."""

    def __init__(self, runtime: Runtime, slots: int = 2) -> None:
        super().__init__(runtime, slots)
        self._errands: queue.SimpleQueue[_Errand] = queue.SimpleQueue()
        self._consumer = Consumer(runtime.settings.broker_url, slots, self.take)

    def run(self) -> None:
        """Work until `stop`, as every worker does, and take messages meanwhile."""
        self._consumer.start()
        super().run()

    def close(self) -> None:
        """Take no more messages, sign off."""
        self._consumer.close()
        super().close()

    def stop(self) -> None:
        """Take no more jobs, interrupt those at hand, and wake the slots that wait."""
        super().stop()
        for _ in self._slots:
            self._errands.put(_Errand("", threading.Event()))

    def take(self, job_id: str) -> None:
        """Have a job done that a message named, and return when it was: then the message is acknowledged.

        What is interrupted is acknowledged as well: its row waits for whoever looks next.
        """
        errand = _Errand(str(job_id), threading.Event())
        self._errands.put(errand)
        while not errand.ended.wait(ANYWAY_SECONDS):
            if self._stopping.is_set():
                return

    def _work(self, slot: Slot) -> None:
        looked = 0.0
        while not self._stopping.is_set():
            try:
                errand = self._errands.get(timeout=ANYWAY_SECONDS)
            except queue.Empty:
                errand = None
            try:
                if errand is not None:
                    self._run_errand(slot, errand)
                if clock.now().timestamp() - looked > ANYWAY_SECONDS:
                    looked = clock.now().timestamp()
                    self._do_what_is_due(slot)
            except HefestoError as error:  # the database is away: look again in a moment
                log.warning("worker_waits", reason=error.message)
                self._stopping.wait(ANYWAY_SECONDS)

    def _run_errand(self, slot: Slot, errand: _Errand) -> None:
        """Do what is due until the job that was named is nobody's to begin any more."""
        try:
            while not self._stopping.is_set() and jobs.may_begin(self._db, errand.job_id):
                job = self._lease()
                if job is None:
                    return
                self._doer.do(slot, job)
                self._go_on_with_lane(job)
        finally:
            errand.ended.set()

    def _go_on_with_lane(self, job: Job) -> None:
        """Send the next of a lane that is free now: its message came while it was not."""
        if job.lane is None or self._db.dispatch is None:
            return
        with self._db.read() as session:
            following = jobs.next_in_lane(session, job.lane)
        if following is not None:
            self._db.dispatch([following])
