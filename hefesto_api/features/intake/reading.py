"""Reading what came in: alerts are recorded and grouped, deployments noted, correlations asked for.

A message is finished in the transaction of its effects; one that holds more than a transaction should
take is worked off in stages, each of which says how far it got. So a kill at any moment loses nothing and
does nothing twice.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from msgspec import Struct

from hefesto_api.domain.errors import HefestoError, Invalid, MalformedRequest, StorageError
from hefesto_api.formats.alerts import SOURCES
from hefesto_api.storage import alert_effects as effects
from hefesto_api.storage import intake
from hefesto_api.storage.alert_homes import Homes
from hefesto_api.storage.jobs import LeaseLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hefesto_api.domain.alert import IncomingAlert, IncomingDeployment
    from hefesto_api.storage.alert_effects import Effect, Planned
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.intake import IntakeRecord

    Hold = Callable[[Session], None]

log = structlog.get_logger("intake")

MESSAGES = 64  # begun at once
SIZE = 8 * 1024 * 1024  # bytes of bodies read at once
STAGE = 40  # alerts recorded in one transaction
GATHER_SECONDS = 0.1  # between two looks: what comes meanwhile is read together
MOST_SECONDS = 10.0  # then another job goes on, so that others have their turn


class Stop(Protocol):
    """Tells that the worker is about to end; an event does."""

    def wait(self, timeout: float) -> bool:
        """Wait so many seconds; True as soon as the work has to stop."""


class Outcome(Struct):
    """What became of a message, as it is kept and told: our ids, and why some of it was left.

    `done` counts the alerts and deployments that were worked off, of `total`.
    """

    total: int = 0
    done: int = 0
    alerts: list[str] = []
    new: int = 0
    repeated: int = 0
    resolved: int = 0
    deployments: list[str] = []
    ignored: list[str] = []
    error: str | None = None


class _Message(Struct):
    """A message that was read: what it tells, and what became of it so far."""

    id: str
    planned: list[Planned]
    outcome: Outcome


class _Step(Struct):
    """A part of a message that is written together."""

    message: _Message
    planned: list[Planned]
    is_last: bool


def read_all(db: Database, hold: Hold, stop: Stop) -> None:
    """Read what waits, the oldest first, until nothing more comes for a moment, or `stop` is set.

    `hold` is called first in each transaction; it raises when the work is no longer this worker's.
    """
    until = time.monotonic() + MOST_SECONDS
    count = _read_some(db, hold)
    while count and time.monotonic() < until and not stop.wait(0 if count == MESSAGES else GATHER_SECONDS):
        with db.read() as session:  # what came since has its own job: a look without a lock will do
            something = intake.waiting(session, most=1).messages
        count = _read_some(db, hold) if something else 0
    if count:
        with db.write() as session:
            hold(session)
            intake.call_if_waiting(session)


def _read_some(db: Database, hold: Hold) -> int:
    """Read the oldest that wait; return how many there were."""
    with db.write(durable=False) as session:
        hold(session)
        begun = intake.take(session, messages=MESSAGES, size=SIZE)
    if begun:
        for group in _groups(_steps(_read(db, begun))):
            _write(db, hold, group)
    return len(begun)


def _read(db: Database, begun: Sequence[IntakeRecord]) -> list[_Message]:
    with db.read() as session:
        bodies = intake.bodies(session, (record.id for record in begun))
        homes = Homes(db, session)
    return [_message(record, bodies[record.id], homes) for record in begun]


def _message(record: IntakeRecord, body: bytes, homes: Homes) -> _Message:
    """Read one message and plan what it leads to; one that cannot be read says why."""
    outcome = Outcome(**(record.outcome or {}))
    try:
        found = SOURCES[record.source].read(body, record.headers)
        items: list[IncomingAlert | IncomingDeployment] = [*found.deployments, *found.alerts]
        planned = [
            effects.plan(item, homes.of(item, record.project_id, may_choose=record.source_id is None), homes)
            for item in items
        ]
    except (Invalid, MalformedRequest) as error:
        outcome.error = _reason(error)
        return _Message(record.id, [], outcome)
    except Exception as error:
        log.exception("reader_failed", webhook=record.id, source=record.source)
        outcome.error = f"It could not be read ({type(error).__name__}); the worker's log has the details."
        return _Message(record.id, [], outcome)
    outcome.total = len(planned)
    outcome.ignored = list(dict.fromkeys([*found.ignored, *outcome.ignored]))
    return _Message(record.id, planned[outcome.done :], outcome)


def _reason(error: HefestoError) -> str:
    errors = error.details.get("errors") or [{}]
    place = errors[0].get("field")
    return f"{place}: {error.message}" if place else error.message


def _steps(messages: Sequence[_Message]) -> Iterator[_Step]:
    for message in messages:
        parts = [message.planned[at : at + STAGE] for at in range(0, len(message.planned), STAGE)] or [[]]
        for part in parts[:-1]:
            yield _Step(message, part, is_last=False)
        yield _Step(message, parts[-1], is_last=True)


def _groups(steps: Iterator[_Step]) -> Iterator[list[_Step]]:
    """Gather steps until they are as much as a transaction should take."""
    group: list[_Step] = []
    count = 0
    for step in steps:
        if group and count + len(step.planned) > STAGE:
            yield group
            group, count = [], 0
        group.append(step)
        count += len(step.planned) or 1
    if group:
        yield group


def _write(db: Database, hold: Hold, group: Sequence[_Step]) -> None:
    """Write a group; where one step of it fails by itself, the others are written without it."""
    try:
        _commit(db, hold, group)
    except (StorageError, LeaseLost):
        raise
    except Exception:
        if len(group) == 1:
            log.exception("message_failed", webhook=group[0].message.id)
            _fail(db, hold, group[0].message)
            return
        for step in group:
            _write(db, hold, [step])


def _commit(db: Database, hold: Hold, group: Sequence[_Step]) -> None:
    after: dict[str, Outcome] = {}
    # What came in is on disk: a power cut that takes these effects takes the note that it was read as well.
    with db.write(durable=False) as session:
        hold(session)
        for step in group:
            message = step.message
            if message.outcome.error is not None and message.planned:
                continue  # a former step failed, and the message with it
            done = effects.carry_out(session, step.planned)
            told = after[message.id] = _with(after.get(message.id, message.outcome), done)
            _note(session, step, told)
    for step in group:
        step.message.outcome = after.get(step.message.id, step.message.outcome)


def _note(session: Session, step: _Step, told: Outcome) -> None:
    if not step.is_last:
        intake.note(session, step.message.id, _kept(told))
        return
    status = intake.COMPLETED if told.error is None else intake.FAILED
    intake.finish(session, step.message.id, status, _kept(told))


def _with(told: Outcome, done: Sequence[Effect]) -> Outcome:
    """Return an outcome with some effects more."""

    def ids(kind: str) -> list[str]:
        return [
            one.id for one in done if one.id is not None and (one.kind == "deployed") is (kind == "deployed")
        ]

    def count(kind: str) -> int:
        return sum(one.kind == kind for one in done)

    unknown = ["a resolved alert that was not open"] * min(count("unknown"), 1)
    return Outcome(
        total=told.total,
        done=told.done + len(done),
        alerts=list(dict.fromkeys([*told.alerts, *ids("alert")])),
        new=told.new + count("new"),
        repeated=told.repeated + count("repeated"),
        resolved=told.resolved + count("resolved"),
        deployments=list(dict.fromkeys([*told.deployments, *ids("deployed")])),
        ignored=[*told.ignored, *(one for one in unknown if one not in told.ignored)],
        error=told.error,
    )


def _fail(db: Database, hold: Hold, message: _Message) -> None:
    message.outcome.error = "It could not be recorded; the worker's log has the details."
    with db.write(durable=False) as session:
        hold(session)
        intake.finish(session, message.id, intake.FAILED, _kept(message.outcome))


def _kept(outcome: Outcome) -> dict[str, Any]:
    return {name: getattr(outcome, name) for name in outcome.__struct_fields__}
