"""What is removed after a while because nothing needs it; findings and analyses are never touched."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hefesto_api.domain import clock
from hefesto_api.domain.webhooks import DEAD, DELIVERED
from hefesto_api.storage import (
    alert_deliveries,
    alert_occurrences,
    anomalies,
    api_key_usage,
    api_keys,
    code_facts,
    contents,
    deliveries,
    executions,
    exports,
    generations,
    idempotency,
    intake,
    jobs,
    learning,
    monitoring,
    oauth_grants,
    outbox,
    rollups,
    second_factors,
    sessions,
    signing_keys,
    throttles,
    tickets,
    webhooks,
    workers,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database

UNUSED_CONTENTS = timedelta(days=30)
ENDED_JOBS = timedelta(days=7)
TOLD_EVENTS = timedelta(days=7)
UNTOLD_EVENTS = timedelta(days=30)  # that an export waits for, which may have been switched off
SILENT_WORKERS = timedelta(days=1)
TOLD_ALERTS = timedelta(days=7)
READ_MESSAGES = timedelta(days=7)
FACTS_OF_CODE = timedelta(days=90)
REPLACED_CORRELATIONS = timedelta(days=30)
TOLD_USAGE = timedelta(days=400)  # a year, and what it is compared with
TAKEN_DELIVERIES = timedelta(days=7)
DEAD_LETTERS = timedelta(days=30)
MEASURED_WEBHOOKS = timedelta(days=30)
UNCONFIRMED_FACTORS = timedelta(days=1)
FORGOTTEN_KEYS = timedelta(days=2)  # longer than an answer may be kept


def run(db: Database) -> None:
    """Remove contents that no file holds any more, ended jobs, told events and answers kept for repeats.

    So go what came in and was read, and what repeats of alerts are known by. What waits is called for.
    Facts of code are read anew when they are wanted; of an alert's correlations the latest and those that
    somebody judged stay. Sessions are remembered for a while after their end.

    Rollups that are not what the findings say (somebody wrote with another program) are counted anew.
    """
    now = clock.now()
    _until_none_is_left(db, lambda session: contents.sweep(session, now - UNUSED_CONTENTS))
    _until_none_is_left(db, lambda session: jobs.purge(session, now - ENDED_JOBS))
    _until_none_is_left(db, lambda session: intake.purge(session, now - READ_MESSAGES))
    _until_none_is_left(db, lambda session: alert_deliveries.purge(session, now - TOLD_ALERTS))
    _until_none_is_left(db, lambda session: alert_occurrences.purge(session, now - alert_occurrences.KEPT))
    _until_none_is_left(db, lambda session: code_facts.sweep(session, now - FACTS_OF_CODE))
    _until_none_is_left(db, lambda session: learning.sweep(session, now - REPLACED_CORRELATIONS))
    _until_none_is_left(db, lambda session: sessions.purge(session, now))
    _until_none_is_left(db, lambda session: oauth_grants.purge(session, now))
    _until_none_is_left(db, lambda session: deliveries.purge(session, [DELIVERED], now - TAKEN_DELIVERIES))
    _until_none_is_left(db, lambda session: deliveries.purge(session, [DEAD], now - DEAD_LETTERS))
    with db.write() as session:
        webhooks.purge(session, now - MEASURED_WEBHOOKS)
        intake.call_if_waiting(session)
        # After a long stop webhooks are yet to be told of what is old by now.
        if not (deliveries.behind(session) and webhooks.counts(session)):
            outbox.purge(session, now - (UNTOLD_EVENTS if exports.behind(session) else TOLD_EVENTS))
        idempotency.purge(session, now=now)
        generations.purge_keys(session, int((now - FORGOTTEN_KEYS).timestamp() * 1_000_000))
        workers.forget(session, now - SILENT_WORKERS)
        tickets.purge(session, now)
        throttles.purge(session, now)
        second_factors.purge(session, now - UNCONFIRMED_FACTORS)
        signing_keys.purge(session, now)
        api_keys.purge(session, now)
        anomalies.purge(session, now)
        executions.purge(session, now - ENDED_JOBS)
        api_key_usage.prune(session, (now - TOLD_USAGE).date())
    monitoring.thin(db, int(now.timestamp()))
    _mend_rollups(db)


def _mend_rollups(db: Database) -> None:
    with db.read() as session:
        if rollups.are_right(session):
            return
    with db.write() as session:
        rollups.rebuild(session)


def _until_none_is_left(db: Database, remove_some: Callable[[Session], int]) -> None:
    """Remove a few at a time, so that nobody waits long for the writer's door."""
    while True:
        with db.write() as session:
            if remove_some(session) == 0:
                return
