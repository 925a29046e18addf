"""Streaming to BigQuery: from the outbox and the histories of findings, in batches, behind durable cursors.

One worker at a time sends a stream; the cursor moves when a batch was taken, and what a kill comes between is
sent again under the same insert ids. It has a thread of its own: when BigQuery is slow or away, nothing waits
for it but what is to be sent, and that stays in the database.
"""

from __future__ import annotations

import random
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import structlog

from hefesto_api.adapters.bigquery import MOST_BYTES, MOST_ROWS, BigQuery, NotTaken, Row
from hefesto_api.domain import clock
from hefesto_api.domain.errors import HefestoError, NotFound
from hefesto_api.features.export import rows
from hefesto_api.storage import correlations, exports, projects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.runtime import Runtime
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.exports import CursorRecord, Settled
    from hefesto_api.storage.outbox import Event

log = structlog.get_logger("export")

LOOK_SECONDS = 1.0
LONGEST_REST = 300.0
GIVEN_UP = 5  # failures after which a row is left out that is refused all by itself
CORRELATED = "correlation.created"


class Batch(NamedTuple):
    """What is sent at once: rows by their table, and the position that is reached with them."""

    position: int
    rows: dict[str, list[Row]]


class Exporter:
    """Sends what is new, for one worker."""

    def __init__(self, runtime: Runtime, worker: str, into: BigQuery | None = None) -> None:
        self._db = runtime.db
        self._worker = worker
        self._into = into or BigQuery(runtime.settings)
        self._stopping = threading.Event()
        self._ensured = False
        self._horizon: Settled | None = None

    def run(self) -> None:
        """Send until `stop`."""
        while not self._stopping.is_set():
            try:
                self.drain()
            except HefestoError as error:  # the database is away: look again in a moment
                log.warning("export_waits", reason=error.message)
            except Exception:
                log.exception("export_waits")
            self._stopping.wait(LOOK_SECONDS)

    def stop(self) -> None:
        """Begin no further batch."""
        self._stopping.set()

    def drain(self) -> int:
        """Send all that waits and is not put off; return how many rows were taken."""
        self._begin()
        taken = 0
        for name in exports.STREAMS:
            while not self._stopping.is_set() and (sent := self._send_some(name)) is not None:
                taken += sent
        return taken

    def _begin(self) -> None:
        with self._db.read() as session:
            known = exports.every(session)
        if len(known) < len(exports.STREAMS):
            with self._db.write(durable=False, witnessed=False) as session:
                exports.begin(session)

    def _send_some(self, name: str) -> int | None:
        """Send a batch of a stream, and return how many rows were taken; None: there is nothing to do."""
        with self._db.read() as session:
            if not self._is_due(session, name):
                return None
        with self._db.write(durable=False, witnessed=False) as session:
            held = exports.lease(session, name, self._worker)
        if held is None:
            return None
        try:
            with self._db.read() as session:
                batch = self._batch(session, held)
            sent, refused = self._send(batch, held)
        except NotTaken as error:
            self._put_off(held, error)
            return None
        with self._db.write(durable=False, witnessed=False) as session:
            exports.advance(session, held, batch.position, sent, refused)
        return sent

    def _is_due(self, session: Session, name: str) -> bool:
        cursor, now = exports.every(session)[name], clock.now()
        if any(until is not None and until > now for until in (cursor.rests_until, cursor.lease_expires_at)):
            return False
        if name == exports.EVENTS:
            return exports.behind(session)
        return self._settled(session, cursor.position) > cursor.position

    def _batch(self, session: Session, held: CursorRecord) -> Batch:
        read = _of_events if held.name == exports.EVENTS else self._of_findings
        limit = 1 if held.failures >= GIVEN_UP else MOST_ROWS  # so that one bad row is found
        return read(session, held.position, limit)

    def _of_findings(self, session: Session, position: int, limit: int) -> Batch:
        until = self._settled(session, position)
        found = exports.entries(session, position, until, limit)
        slugs = projects.slugs(session, (record.project_id for _, _, record in found))
        made = [
            (number, rows.of_finding(number, entry, record, slugs.get(record.project_id)))
            for number, entry, record in found
        ]
        kept: list[Row] = []
        size = 0
        for number, row in made:
            size += rows.size_of(row)
            if kept and size > MOST_BYTES:
                break
            kept.append(row)
            position = number
        if len(kept) == len(found) < limit:  # what is left is of findings that were deleted
            position = until
        return Batch(position, {rows.FINDINGS.name: kept})

    def _settled(self, session: Session, position: int) -> int:
        """Return up to where the histories are complete."""
        now, before = exports.settled(session), self._horizon
        if now.oldest >= now.horizon:
            self._horizon = None
            return now.last
        if before is None or before.last <= position:
            self._horizon = now
            return position
        return before.last if now.oldest >= before.horizon else position

    def _send(self, batch: Batch, held: CursorRecord) -> tuple[int, int]:
        if not self._ensured:
            self._into.ensure(rows.TABLES)
            self._ensured = True
        sent = refused = 0
        for table, some in batch.rows.items():
            if not some:
                continue
            errors = self._into.insert(table, some)
            if errors and len(errors) == len(some) and held.failures < GIVEN_UP:
                raise NotTaken(f"All rows of {table} are refused: {next(iter(errors.values()))}")
            for place, reason in errors.items():
                log.warning("export_row_refused", table=table, row=some[place].insert_id, reason=reason)
            sent += len(some) - len(errors)
            refused += len(errors)
        return sent, refused

    def _put_off(self, held: CursorRecord, error: NotTaken) -> None:
        self._ensured = self._ensured and not error.missing
        luck = random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        rest = min(2.0 ** min(held.failures + 1, 10), LONGEST_REST) * luck
        log.warning("export_put_off", stream=held.name, reason=str(error), seconds=round(rest, 1))
        with self._db.write(durable=False, witnessed=False) as session:
            exports.put_off(session, held, str(error), clock.now() + timedelta(seconds=rest))


def _of_events(session: Session, position: int, limit: int) -> Batch:
    found = exports.events(session, position, limit)
    slugs = projects.slugs(session, (event.project_id for event in found if event.project_id))
    told: list[Row] = []
    answers: list[Row] = []
    size = 0
    for event in found:
        project = slugs.get(event.project_id or "")
        made = [rows.of_event(event, project)]
        answer = _correlation(session, event, project)
        size += sum(rows.size_of(row) for row in [*made, *answer])
        if told and size > MOST_BYTES:
            break
        told += made
        answers += answer
        position = event.seq
    return Batch(position, {rows.EVENTS.name: told, rows.CORRELATIONS.name: answers})


def _correlation(session: Session, event: Event, project: str | None) -> Sequence[Row]:
    if event.type != CORRELATED:
        return []
    try:
        return [rows.of_correlation(correlations.get(session, str(event.data.get("id"))), project)]
    except NotFound:  # it was replaced, or its project deleted, before it was sent
        return []
