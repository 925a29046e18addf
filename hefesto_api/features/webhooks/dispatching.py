"""The dispatcher: from the outbox to the endpoints, each by a thread of its own: none waits for another.

Events become deliveries in the outbox's order, by a cursor that moves in the same transaction. Who sends to
an endpoint has it leased, and sends one after the other. What was sent is written down afterwards: what a
kill comes between is sent again.
"""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from hefesto_api.adapters.delivery import Sender
from hefesto_api.domain import clock
from hefesto_api.domain import webhooks as rules
from hefesto_api.domain.errors import HefestoError, ServiceUnavailable
from hefesto_api.features.webhooks import messages, outcomes
from hefesto_api.features.webhooks.messages import Sealed
from hefesto_api.storage import deliveries, projects, webhooks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.adapters.delivery import Outcome
    from hefesto_api.runtime import Runtime
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.deliveries import DeliveryRecord
    from hefesto_api.storage.outbox import Event
    from hefesto_api.storage.webhooks import WebhookRecord

log = structlog.get_logger("webhooks")

EVENTS = 500  # taken from the outbox in one transaction
BATCH = 50  # deliveries read for an endpoint at once
LEASE = timedelta(seconds=40)  # more than one attempt can take, and the writing of it
WRITE_SECONDS = 0.2  # after which what went well is written down, however little it is
THREADS = 128
FOR_HEALTHY = 32  # of these, that failing endpoints leave to the others
LOOK_SECONDS = 0.05
ANYWAY_SECONDS = 1.0
UNREADABLE_SECONDS = 60


class Dispatcher:
    """Sends what webhooks are to be told, for one worker."""

    def __init__(self, runtime: Runtime, worker: str, sender: Sender | None = None) -> None:
        self._db = runtime.db
        self._worker = worker
        self._metrics = runtime.metrics
        self._sender = sender or Sender(runtime.settings.webhook_allow_private)
        self._secrets = Sealed(lambda: runtime.vault)
        self._public_url = runtime.settings.public_url
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._busy: dict[str, threading.Thread] = {}
        self._failing: set[str] = set()

    def run(self) -> None:
        """Dispatch until `stop`, then let the requests that are on their way end."""
        version, looked = "", 0.0
        while not self._stopping.is_set():
            pause = LOOK_SECONDS
            try:
                seen, now = self._db.data_version(), time.monotonic()
                if seen != version or now - looked > ANYWAY_SECONDS:
                    version, looked = seen, now
                    self.take_in()
                    self._start_threads()
                    # Behind thousands of deliveries that nobody takes a look is long, and each attempt calls
                    # for the next one: it is given a sixth of a processor.
                    pause = max(LOOK_SECONDS, 5 * (time.monotonic() - now))
            except HefestoError as error:  # the database is away: look again in a moment
                log.warning("dispatcher_waits", reason=error.message)
                pause = ANYWAY_SECONDS
            self._stopping.wait(pause)
        for thread in list(self._busy.values()):
            thread.join()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    def drain(self) -> int:
        """Do all that is due, in this thread, and return how many endpoints were served; for tests."""
        self.take_in()
        with self._db.read() as session:
            waiting = deliveries.called(session)
        for webhook_id in waiting:
            self.serve(webhook_id)
        return len(waiting)

    def take_in(self) -> None:
        """Make deliveries of all events that are new.

        Where nobody wants any they are passed over in batches: what comes before a webhook is not for it.
        """
        while not self._stopping.is_set():
            with self._db.read() as session:
                behind = deliveries.behind(session)
                if not behind or (behind < EVENTS and not deliveries.has_listeners(session)):
                    return
            with self._db.write(durable=False) as session:
                records = [one for one in webhooks.every(session) if one.is_active]
                slugs = _Slugs(projects.slugs(session, projects.every_id(session)) if records else {})

                def wanted(
                    event: Event, records: list[WebhookRecord] = records, known: _Slugs = slugs
                ) -> list[str]:
                    return [one.id for one in records if _is_for(one, event, known)]

                deliveries.take(session, wanted, subject=_subject, limit=EVENTS)

    def serve(self, webhook_id: str) -> None:
        """Do what is due for an endpoint: its probe, then its deliveries in order, until none is due."""
        with self._db.write(durable=False) as session:
            record = webhooks.lease(session, webhook_id, self._worker, clock.now() + LEASE)
        if record is None:
            return
        try:
            if record.is_active and record.next_check_at <= clock.now():
                self._probe(record)
            while not self._stopping.is_set() and self._send_some(record):
                pass
        except _LeaseLost:
            log.warning("webhook_lease_lost", webhook=webhook_id)
            return
        except ServiceUnavailable as error:  # its secret cannot be read: nothing was tried
            log.warning("webhook_secret_unreadable", webhook=webhook_id, reason=error.message)
            with self._db.write() as session:
                rests = clock.now() + timedelta(seconds=UNREADABLE_SECONDS)
                webhooks.change(session, webhook_id, rests_until=rests)
        with self._db.write(durable=False) as session:
            webhooks.let_go(session, record)

    def _start_threads(self) -> None:
        with self._db.read() as session:
            waiting = deliveries.called(session)
            failing = (
                {one.id for one in webhooks.every(session) if outcomes.failures(one)} if waiting else set()
            )
        with self._lock:
            for webhook_id in waiting:
                busy = len(self._busy)
                room = THREADS - FOR_HEALTHY if webhook_id in failing else THREADS
                if webhook_id in self._busy or busy >= room:
                    continue
                thread = threading.Thread(
                    target=self._run_one, args=(webhook_id,), name="webhook", daemon=True
                )
                self._busy[webhook_id] = thread
                thread.start()

    def _run_one(self, webhook_id: str) -> None:
        try:
            self.serve(webhook_id)
        except HefestoError as error:
            log.warning("dispatcher_waits", reason=error.message)
        except Exception:
            log.exception("dispatcher_failed", webhook=webhook_id)
        finally:
            with self._lock:
                del self._busy[webhook_id]

    def _probe(self, record: WebhookRecord) -> None:
        outcome = self._sender.send("HEAD", record.url)
        alive = outcomes.is_alive(outcome)
        attempt = outcomes.of_probe(record, outcome)
        with self._db.write(durable=False) as session:
            self._hold(session, record)
            before = webhooks.get(session, record.id)
            told = outcomes.after_probe(before, alive)
            webhooks.change(session, record.id, next_check_at=webhooks.next_check(before), **told)
            webhooks.measured(session, [attempt])
            outcomes.settle(session, record.id)

    def _send_some(self, record: WebhookRecord) -> bool:
        """Send what is due; False: nothing is, or the endpoint wants to rest."""
        with self._db.read() as session:
            now = webhooks.get(session, record.id)  # it may have been changed meanwhile
            if not now.is_active or (now.rests_until and now.rests_until > clock.now()):
                return False
            batch = deliveries.due(session, record.id, BATCH)
            slugs = projects.slugs(session, (one.project_id for one in batch))
        done: list[tuple[DeliveryRecord, Outcome]] = []
        held_up: set[str] = set()  # alerts of which something failed: what came later waits
        began = time.monotonic()
        try:
            for delivery in batch:
                if delivery.subject in held_up:
                    continue
                slug = slugs.get(delivery.project_id or "")
                told = messages.message(
                    delivery.event_type, delivery.event_at, delivery.data, slug, self._public_url
                )
                outcome = messages.send(self._sender, self._secrets, now, delivery.id, told)
                done.append((delivery, outcome))
                result = "delivered" if outcome.is_success else "failed"
                self._metrics.count_delivery(result, outcome.milliseconds / 1000)
                if not outcome.is_success and delivery.subject and delivery.attempts + 1 < rules.ORDERED:
                    held_up.add(delivery.subject)
                late = time.monotonic() - began > WRITE_SECONDS
                if late or self._stopping.is_set() or outcomes.ends_batch(outcome):
                    break
        finally:
            self._write_down(record, done)
        return bool(done)

    def _write_down(self, record: WebhookRecord, done: Sequence[tuple[DeliveryRecord, Outcome]]) -> None:
        if not done:
            return
        endings = [outcomes.ending(*one) for one in done]
        with self._db.write(durable=False) as session:
            self._hold(session, record)
            webhooks.measured(session, [outcomes.of_delivery(*one) for one in done])
            deliveries.record(session, endings)
            before = webhooks.get(session, record.id)
            webhooks.change(session, record.id, **outcomes.after(before, [outcome for _, outcome in done]))
            if before.is_active and any(outcome.status == outcomes.GONE for _, outcome in done):
                outcomes.disable(session, before, "The endpoint said that it is gone (410).")
            outcomes.settle(session, record.id)
        self._metrics.count_dead_letters(sum(one.status == rules.DEAD for one in endings))

    def _hold(self, session: Session, record: WebhookRecord) -> None:
        if not webhooks.keep(session, record, clock.now() + LEASE):
            raise _LeaseLost


class _LeaseLost(Exception):
    """Somebody else sends to the endpoint now, or it is gone."""


class _Slugs(dict[str, str]):
    """The slugs of projects by their id."""


def _is_for(record: WebhookRecord, event: Event, slugs: _Slugs) -> bool:
    """Tell whether a webhook is told of an event: of its kind, its time, and a project that it may see."""
    if not rules.is_wanted(event.type, record.events, record.format) or not deliveries.is_of(record, event):
        return False
    if event.type == "webhook.status_changed" and event.data.get("id") == record.id:
        return False  # who cannot be reached is not told so
    if event.data.get("in_maintenance"):
        return False  # recorded, and announced when it goes on after the maintenance
    if record.project_id is not None:
        return event.project_id == record.project_id
    return record.projects is None or slugs.get(event.project_id or "") in record.projects


def _subject(event: Event) -> str | None:
    """Return what an event's order counts within: its alert."""
    return str(event.data["id"]) if event.type.startswith("alert.") and "id" in event.data else None
