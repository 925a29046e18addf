"""The worker: takes jobs from the lease table and does them, until it is told to stop.

Where the phases meet: the table of job kinds says which service does which work. A job is leased for a short
time and the lease renewed while it runs, so that the jobs of a worker that dies come back in seconds; those
of a worker of this host that is known to be dead come back at once.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from msgspec.structs import replace

from hefesto_api.analyzers.engine import Engine
from hefesto_api.analyzers.registry import Thresholds
from hefesto_api.domain import clock
from hefesto_api.domain.errors import HefestoError, StorageError
from hefesto_api.features.alerts import maintenance, settling
from hefesto_api.features.analysis import execution
from hefesto_api.features.analysis.run import Hooks, Interrupted
from hefesto_api.features.dashboard import observing
from hefesto_api.features.deployments import judging
from hefesto_api.features.findings import triage
from hefesto_api.features.intake import reading
from hefesto_api.features.iris import correlating, indexing, past, recording
from hefesto_api.features.webhooks.dispatching import Dispatcher
from hefesto_api.storage import (
    audit_check,
    audit_retention,
    audit_seals,
    executions,
    jobs,
    retention,
    schedules,
    upkeep,
    webhooks,
    workers,
)
from hefesto_api.storage.jobs import LeaseLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from types import FrameType

    from hefesto_api.runtime import Runtime
    from hefesto_api.settings import Settings
    from hefesto_api.storage.jobs import Job

log = structlog.get_logger("worker")

LEASE_SECONDS = 15.0
BEAT_SECONDS = 4.0
LOOK_SECONDS = 0.05  # between looks at whether anything changed; a look costs microseconds on SQLite
ANYWAY_SECONDS = 1.0  # between looks for due jobs when nothing changed: their time may have come
RETRY_SECONDS = 5.0  # a job that waits for its next attempt holds up its lane
HISTORY_SECONDS = 20.0  # for which an index of history may keep a slot from others
FAILURES = 3  # of its own, after which a job is given up
NICENESS = 5  # inherited by ruff and the parser children, which do most of the work
SCHEDULES = {
    "upkeep": 3600,
    "deployment_verdicts": 60,
    "alert_upkeep": 60,
    "audit_seal": 600,
    "measures": 60,
    "baselines": 600,
}


class Slot:
    """What one thread of the worker works with: jobs share nothing but the database."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.engine = engine_of(runtime.settings)
        self.stop = threading.Event()  # the job at hand must end


def engine_of(settings: Settings) -> Engine:
    """Make an engine as the settings want it."""
    thresholds = Thresholds(
        settings.complexity_thresholds, settings.max_function_lines, settings.max_parameters
    )
    return Engine(thresholds, settings.analysis_processes)


def analyse(slot: Slot, job: Job) -> None:
    """Carry out an analysis, or go on with one that was interrupted."""
    hooks = Hooks(
        hold=lambda session: jobs.hold(session, job), stop=slot.stop, roots=slot.runtime.settings.roots
    )
    record = execution.execute(slot.runtime.db, slot.engine, job.payload["analysis_id"], hooks)
    indexing.after_analysis(slot.runtime.db, record)


def index_history(slot: Slot, job: Job) -> None:
    """Index the history of a project's repository for a while, and queue what is left behind the others."""
    until = time.monotonic() + HISTORY_SECONDS
    hooks = indexing.Hooks(
        hold=lambda session: jobs.hold(session, job),
        stopped=lambda: slot.stop.is_set() or time.monotonic() > until,
    )
    wanted, db = job.payload, slot.runtime.db
    project_id, commit = wanted["project_id"], wanted.get("commit")
    if indexing.index(db, project_id, commit, slot.runtime.settings.roots, hooks):
        return
    if slot.stop.is_set():
        raise Interrupted
    with db.write() as session:
        jobs.hold(session, job)
        past.ask_for(session, project_id, commit)


def take_in(slot: Slot, job: Job) -> None:
    """Read what monitoring tools sent."""
    db = slot.runtime.db
    reading.read_all(db, lambda session: jobs.hold(session, job), slot.stop)
    if slot.stop.is_set():
        raise Interrupted


def keep_up(slot: Slot, job: Job) -> None:
    """Remove what nothing needs any more, and open findings that were ignored until now."""
    upkeep.run(slot.runtime.db)
    triage.wake(slot.runtime.db)
    prune(slot)


def prune(slot: Slot) -> None:
    """Delete what the settings no longer keep, and say in the log how much that was."""
    wanted = slot.runtime.settings
    if wanted.retain_resolved_days or wanted.retain_analyses_days:
        pruned = retention.run(
            slot.runtime.db,
            resolved_days=wanted.retain_resolved_days,
            analyses_days=wanted.retain_analyses_days,
            stopped=slot.stop.is_set,
        )
        log.info("retention_pruned", **pruned._asdict())
    if wanted.retain_audit_days:
        before = clock.now() - timedelta(days=wanted.retain_audit_days)
        entries = audit_retention.prune(
            slot.runtime.db, slot.runtime.ledger, before, stopped=slot.stop.is_set
        )
        log.info("audit_log_pruned", entries=entries)


def seal_audit_log(slot: Slot, job: Job) -> None:
    """Seal the audit log, and print the seal, which proves later that nothing before it was changed.

    What is wrong with it at a glance is told as well.
    """
    held = slot.runtime
    sealed = audit_seals.seal(held.db, held.ledger)
    if sealed is not None:
        log.info("audit_sealed", seal=str(sealed), entries=sealed.entries)
    with held.db.read() as session:
        wrong = audit_check.glance(session, held.ledger)
    if wrong is not None:
        log.error("audit_log_was_changed", reason=wrong)


def judge_deployments(slot: Slot, job: Job) -> None:
    """Say of deployments how they went, when it is time."""
    judging.judge_due(slot.runtime.db)


def observe(slot: Slot, job: Job) -> None:
    """Take in what was measured, and see whether it is as usual."""
    observing.observe(slot.runtime.db)


def learn_baselines(slot: Slot, job: Job) -> None:
    """Learn what is usual, of the measures of which that is due."""
    observing.learn(slot.runtime.db)


def keep_alerts(slot: Slot, job: Job) -> None:
    """Resolve the alerts of which it is proved that they are fixed; announce what maintenance kept quiet."""
    maintenance.announce_what_goes_on(slot.runtime.db)
    settled = settling.settle(slot.runtime.db, slot.runtime.settings.auto_resolve)
    if settled:
        log.info("alerts_settled", alerts=settled)


def correlate(slot: Slot, job: Job) -> None:
    """Find out what is behind an alert on record, if nobody did."""
    held = slot.runtime
    desk = correlating.Desk(held.db, held.memory, held.settings.roots, held.settings.correlation_threshold)
    recording.correlate_recorded(desk, job.payload["alert_id"])


def give_up_analysis(runtime: Runtime, job: Job) -> None:
    """Tell those who wait that an analysis will not be tried again."""
    reason = f"Given up after {job.attempts} attempts; the worker's log says why each of them ended."
    execution.fail(runtime.db, job.payload["analysis_id"], reason)


KINDS: Mapping[str, Callable[[Slot, Job], None]] = {
    "analysis": analyse,
    "intake": take_in,
    "history": index_history,
    "upkeep": keep_up,
    "correlation": correlate,
    "deployment_verdicts": judge_deployments,
    "alert_upkeep": keep_alerts,
    "audit_seal": seal_audit_log,
    "measures": observe,
    "baselines": learn_baselines,
}
GIVEN_UP: Mapping[str, Callable[[Runtime, Job], None]] = {"analysis": give_up_analysis}


class Worker:
    """Some slots that lease and do jobs, and one thread that keeps their leases and the schedules."""

    def __init__(self, runtime: Runtime, slots: int = 2) -> None:
        self._runtime = runtime
        self._db = runtime.db
        self._stopping = threading.Event()
        self._slots = [Slot(runtime) for _ in range(slots)]
        with self._db.write() as session:
            self._me = workers.register(session, host_name(), os.getpid(), slots)
        self.dispatcher = Dispatcher(runtime, self._me.id)

    def run(self) -> None:
        """Work until `stop`; then end the jobs at hand where they are (they go on elsewhere or later)."""
        self.adopt()
        threads = [
            threading.Thread(target=self._work, args=(slot,), name=f"slot-{number}", daemon=True)
            for number, slot in enumerate(self._slots)
        ]
        threads.append(threading.Thread(target=self._keep_house, name="house", daemon=True))
        threads.append(threading.Thread(target=self.dispatcher.run, name="webhooks", daemon=True))
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
        for slot in self._slots:
            slot.stop.set()

    def drain(self) -> int:
        """Do every job that is due, in this thread, and return how many; for tests and one-off commands."""
        done = 0
        while job := jobs.lease(self._db, self._me.id, list(KINDS), LEASE_SECONDS):
            self._do(self._slots[0], job)
            done += 1
        return done

    def adopt(self) -> None:
        """Give back at once what dead workers of this host had leased."""
        with self._db.write() as session:
            for other in workers.on_host(session, host_name()):
                if other.id != self._me.id and not _is_alive(other.pid):
                    jobs.release(session, other.id)
                    webhooks.release(session, other.id)
                    workers.leave(session, other)
            for name, seconds in SCHEDULES.items():
                schedules.ensure(session, name, every_seconds=seconds)
        self._reap()

    def _work(self, slot: Slot) -> None:
        version, looked = "", 0.0
        while not self._stopping.is_set():
            try:
                seen = self._db.data_version()
                now = clock.now().timestamp()
                if seen != version or now - looked > ANYWAY_SECONDS:
                    version, looked = seen, now
                    while job := self._lease():
                        self._do(slot, job)
            except HefestoError as error:  # the database is away: look again in a moment
                log.warning("worker_waits", reason=error.message)
                self._stopping.wait(ANYWAY_SECONDS)
            self._stopping.wait(LOOK_SECONDS)

    def _lease(self) -> Job | None:
        if self._stopping.is_set():
            return None
        return jobs.lease(self._db, self._me.id, list(KINDS), LEASE_SECONDS)

    def _do(self, slot: Slot, job: Job) -> None:
        """Do one job and write down how it ended."""
        began = clock.now()
        try:
            with self._kept(slot, job):
                KINDS[job.kind](slot, job)
            with self._db.write() as session:
                jobs.finish(session, job)
                executions.ended(session, job, began)
        except LeaseLost:
            log.warning("lease_lost", job=job.id, kind=job.kind)
        except Interrupted:
            self._fail(job, "The worker was stopped.", retry_in=0.0)
        except Exception as error:
            log.exception("job_failed", job=job.id, kind=job.kind)
            self._fail(_tried_enough(job, error), f"{type(error).__name__}: {error}", RETRY_SECONDS, began)

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

    def _keep_house(self) -> None:
        while not self._stopping.wait(BEAT_SECONDS):
            try:
                with self._db.write(durable=False) as session:
                    workers.beat(session, self._me)
                self._reap()
                schedules.tick(self._db)
            except HefestoError as error:
                log.warning("worker_waits", reason=error.message)

    def _reap(self) -> None:
        for job_id, status in jobs.reap(self._db):
            log.warning("lease_expired", job=job_id, status=status)
            if status == "dead":
                self._give_up(job_id)

    def _give_up(self, job_id: str) -> None:
        with self._db.read() as session:
            job = jobs.get(session, job_id)
        if job.kind in GIVEN_UP:
            GIVEN_UP[job.kind](self._runtime, job)


def main(runtime: Runtime, slots: int = 2) -> None:
    """Work until SIGTERM or SIGINT, behind the web processes: they answer while it takes all cores."""
    os.nice(NICENESS)
    worker = Worker(runtime, slots)

    def stop(_number: int, _frame: FrameType | None) -> None:
        worker.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    worker.run()


def _tried_enough(job: Job, error: Exception) -> Job:
    """Give a job up early that fails by itself: attempts are many for those that a kill or an outage ends."""
    if isinstance(error, StorageError) or job.attempts < FAILURES:
        return job
    return replace(job, max_attempts=job.attempts)


def host_name() -> str:
    """Name this host so that a process number means something on it: containers share their host's name."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return f"{socket.gethostname()} {namespace}".strip()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
