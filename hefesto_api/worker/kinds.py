"""The table of job kinds: which service does which work, and what comes again how often.

Where the phases meet.
"""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from hefesto_api.adapters import telemetry
from hefesto_api.analyzers.engine import Engine
from hefesto_api.analyzers.registry import Thresholds
from hefesto_api.domain import clock
from hefesto_api.features.alerts import maintenance, settling
from hefesto_api.features.analysis import execution
from hefesto_api.features.analysis.run import Hooks, Interrupted
from hefesto_api.features.dashboard import observing
from hefesto_api.features.deployments import judging
from hefesto_api.features.findings import triage
from hefesto_api.features.intake import reading
from hefesto_api.features.iris import correlating, indexing, past, recording, words
from hefesto_api.storage import audit_check, audit_retention, audit_seals, jobs, retention, upkeep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hefesto_api.runtime import Runtime
    from hefesto_api.settings import Settings
    from hefesto_api.storage.jobs import Job

log = structlog.get_logger("worker")

HISTORY_SECONDS = 20.0  # for which an index of history may keep a slot from others
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
    with telemetry.span("analysis", hefesto__analysis__id=job.payload["analysis_id"]) as span:
        record = execution.execute(slot.runtime.db, slot.engine, job.payload["analysis_id"], hooks)
        if span is not None:
            told = {"status": record.status, "files": record.files_analyzed}
            span.tell(**{f"hefesto__analysis__{name}": value for name, value in told.items()})
    slot.runtime.metrics.count_analysis(record.status, (record.execution_time_ms or 0) / 1000)
    indexing.after_analysis(slot.runtime.db, record)
    words.after_analysis(slot.runtime.db, record)


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


def index_words(slot: Slot, job: Job) -> None:
    """Index which files of a project have a word that few have."""
    hooks = words.Hooks(hold=lambda session: jobs.hold(session, job), stopped=slot.stop.is_set)
    if not words.index(slot.runtime.db, job.payload["project_id"], slot.runtime.settings.roots, hooks):
        raise Interrupted


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
    words.ask_for_outdated(slot.runtime.db)
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
    desk = correlating.Desk(
        held.db, held.memory, held.settings.roots, held.settings.correlation_threshold, held.metrics
    )
    recording.correlate_recorded(desk, job.payload["alert_id"])


def give_up_analysis(runtime: Runtime, job: Job) -> None:
    """Tell those who wait that an analysis will not be tried again."""
    reason = f"Given up after {job.attempts} attempts; the worker's log says why each of them ended."
    execution.fail(runtime.db, job.payload["analysis_id"], reason)


KINDS: Mapping[str, Callable[[Slot, Job], None]] = {
    "analysis": analyse,
    "intake": take_in,
    "history": index_history,
    "words": index_words,
    "upkeep": keep_up,
    "correlation": correlate,
    "deployment_verdicts": judge_deployments,
    "alert_upkeep": keep_alerts,
    "audit_seal": seal_audit_log,
    "measures": observe,
    "baselines": learn_baselines,
}
GIVEN_UP: Mapping[str, Callable[[Runtime, Job], None]] = {"analysis": give_up_analysis}
