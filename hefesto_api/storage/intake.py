"""What came in, as it came: kept before it is acknowledged, then worked off in the order of arrival.

A message is finished once, in the transaction of its effects; until then it is waiting, whoever has begun
to read it. One job at a time (kind `intake`) does them in batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain import audit, clock, ids
from hefesto_api.domain.errors import NotFound, ServiceUnavailable
from hefesto_api.storage import jobs
from hefesto_api.storage.base import Blob, Json, Session, Text, UtcDateTime, metadata, upsert

JOB = "intake"
QUEUED, PROCESSING, COMPLETED, FAILED = "queued", "processing", "completed", "failed"
ATTEMPTS = 25
MOST_WAITING = 50_000  # messages, some minutes' worth of a storm
MOST_BYTES = 2 * 1024**3

intake = sa.Table(
    "intake",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("source", Text, nullable=False),
    sa.Column("source_id", Text),  # no foreign keys: a message outlives who was allowed to send it
    sa.Column("project_id", Text),
    sa.Column("replay_key", Text, unique=True),
    sa.Column("headers", Json, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("received_at", UtcDateTime, nullable=False),
    sa.Column("finished_at", UtcDateTime),
    sa.Column("outcome", Json),
    sa.Index(None, "finished_at"),
    # Those that wait; partial on PostgreSQL too, as the revision says.
    sa.Index("ix_intake_waiting", "id", "size", sqlite_where=sa.text("finished_at IS NULL")),
)

# Beside their messages, so that a change of status does not write megabytes again.
intake_bodies = sa.Table(
    "intake_bodies",
    metadata,
    sa.Column("id", Text, sa.ForeignKey("intake.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("body", Blob, nullable=False),
)
_i = intake.c


class Arrival(Struct, frozen=True):
    """A message that is to be kept; `headers` are those that its reader needs, and none that is secret.

    `source_id` names the configured source that it proved to be from, `project_id` that one's project. A
    message with the `replay_key` of one that is younger than `replay_within` (None: however old) is that
    one again. `actor` is who sent it, for the audit log: the transaction may be another sender's.
    """

    source: str
    body: bytes
    headers: dict[str, str]
    replay_key: str
    source_id: str | None = None
    project_id: str | None = None
    replay_within: timedelta | None = None
    actor: audit.Actor = audit.SYSTEM


class Kept(NamedTuple):
    """Under which id a message is kept, how far it has got, and how many wait before it."""

    id: str
    status: str
    ahead: int


class IntakeRecord(Struct, frozen=True):
    """A row of `intake`; `status` is queued, processing, completed or failed.

    `outcome` is what it led to, so far or in the end, as its reader wrote it.
    """

    id: str
    source: str
    source_id: str | None
    project_id: str | None
    replay_key: str | None
    headers: dict[str, str]
    size: int
    status: str
    received_at: datetime
    finished_at: datetime | None
    outcome: dict[str, Any] | None


class Waiting(NamedTuple):
    """How many messages wait, counted to a cap, and their bytes."""

    messages: int
    size: int


def keep(session: Session, arrivals: Sequence[Arrival], *, now: datetime | None = None) -> list[Kept]:
    """Keep messages and see to it that a job will read them; one that is kept already stays as it is.

    Raises ServiceUnavailable when too much waits already.
    """
    moment = now or clock.now()
    _shut_out(session, others=False)
    ahead = _room(session)
    kept: dict[int, Kept] = {}
    for at, arrival in sorted(
        enumerate(arrivals), key=lambda pair: pair[1].replay_key
    ):  # one order: no deadlock
        kept[at] = _keep(session, arrival, moment, ahead)
    call(session)
    return [kept[at] for at in range(len(arrivals))]


def call(session: Session) -> None:
    """Queue the job that reads what waits, unless one waits to begin."""
    jobs.enqueue(session, JOB, {}, lane=JOB, max_attempts=ATTEMPTS, dedupe_key=JOB)


def call_if_waiting(session: Session) -> None:
    """Queue the job where something waits and the last one was given up."""
    if waiting(session, most=1).messages:
        call(session)


def take(session: Session, *, messages: int, size: int) -> list[IntakeRecord]:
    """Begin to read the oldest that wait, at most so many and of so many bytes (but one at least).

    What an interrupted job had begun waits like the others.
    """
    _shut_out(session, others=True)
    chosen: list[str] = []
    total = 0
    for row in session.execute(_OLDEST, {"most": messages}):
        total += row.size
        if chosen and total > size:
            break
        chosen.append(row.id)
    if not chosen:
        return []
    session.execute(_BEGIN, {"chosen": chosen})
    return [IntakeRecord(*row) for row in session.execute(_CHOSEN, {"chosen": chosen})]


def bodies(session: Session, chosen: Iterable[str]) -> dict[str, bytes]:
    """Return the bodies of messages by id."""
    return {row.id: row.body for row in session.execute(_BODIES, {"chosen": list(chosen)})}


def finish(
    session: Session, intake_id: str, status: str, outcome: Mapping[str, Any], *, now: datetime | None = None
) -> bool:
    """Write down how a message ended, in the transaction of its effects; False: it had ended already."""
    values = {"of_id": intake_id, "to": status, "outcome": outcome, "now": now or clock.now()}
    return session.execute(_FINISH, values).rowcount == 1


def note(session: Session, intake_id: str, outcome: Mapping[str, Any]) -> None:
    """Write down how far a message was worked off, in the transaction of these effects."""
    session.execute(_NOTE, {"of_id": intake_id, "outcome": outcome})


def get(session: Session, intake_id: str) -> IntakeRecord:
    """Return a message without its body; raises NotFound."""
    row = session.execute(_BY_ID, {"id": intake_id}).first()
    if row is None:
        raise NotFound("webhook", intake_id)
    return IntakeRecord(*row)


def waiting(session: Session, *, most: int) -> Waiting:
    """Count what waits, to `most` messages."""
    return Waiting(*session.execute(_WAITING, {"most": most}).one())


def purge(session: Session, before: datetime, *, limit: int = 500) -> int:
    """Delete at most `limit` messages that were finished before a time; return how many."""
    return session.execute(_PURGE, {"before": before, "limit": limit}).rowcount


def _keep(session: Session, arrival: Arrival, moment: datetime, ahead: int) -> Kept:
    row = {
        "id": ids.new_id(), "source": arrival.source, "source_id": arrival.source_id,
        "project_id": arrival.project_id, "replay_key": arrival.replay_key, "headers": arrival.headers,
        "size": len(arrival.body), "status": QUEUED, "received_at": moment,
    }  # fmt: skip
    while session.execute(_insert(session.dialect.name), row).first() is None:
        known = session.execute(_BY_KEY, {"key": arrival.replay_key}).first()
        if known is None:  # it was purged in this moment
            continue
        if arrival.replay_within is None or moment - known.received_at <= arrival.replay_within:
            return Kept(known.id, known.status, ahead)
        session.execute(_FORGET_KEY, {"of_id": known.id})
    session.execute(_KEEP_BODY, {"id": row["id"], "body": arrival.body})
    told = {name: row[name] for name in ("source", "source_id", "size")}
    audit.note("alert_message.received", "alert_message", str(row["id"]), told, actor=arrival.actor)
    return Kept(str(row["id"]), QUEUED, ahead)


def _room(session: Session) -> int:
    """Return how many wait; raises ServiceUnavailable when there is no room for more."""
    found = waiting(session, most=MOST_WAITING)
    if found.messages >= MOST_WAITING or found.size >= MOST_BYTES:
        raise ServiceUnavailable(
            "Too many alerts wait to be read; send it again later.", service="intake", reason="overloaded"
        )
    return found.messages


def _shut_out(session: Session, *, others: bool) -> None:
    """On PostgreSQL: let the reader wait for those who keep, so that none commits behind its back.

    One who keeps may rely on a waiting job that begins, and ends without seeing him, before he commits.
    """
    if session.dialect.name == "postgresql":
        name = "pg_advisory_xact_lock" if others else "pg_advisory_xact_lock_shared"
        session.execute(sa.select(getattr(sa.func, name)(_LOCK)))


_LOCK = 0x696E74616B65  # of PostgreSQL's advisory locks, the intake's: "intake" in ASCII


@cache
def _insert(dialect: str) -> Any:
    return upsert(dialect, intake).on_conflict_do_nothing(index_elements=["replay_key"]).returning(_i.id)


_UNFINISHED = sa.text("finished_at IS NULL")
_CHOSEN_IDS: sa.BindParameter[Any] = sa.bindparam("chosen", expanding=True)
_BY_ID = sa.select(intake).where(_i.id == sa.bindparam("id"))
_BY_KEY = sa.select(_i.id, _i.status, _i.received_at).where(_i.replay_key == sa.bindparam("key"))
_FORGET_KEY = sa.update(intake).where(_i.id == sa.bindparam("of_id")).values(replay_key=None)
_KEEP_BODY = sa.insert(intake_bodies)
_OLDEST = sa.select(_i.id, _i.size).where(_UNFINISHED).order_by(_i.id).limit(sa.bindparam("most"))
_BEGIN = sa.update(intake).where(_i.id.in_(_CHOSEN_IDS)).values(status=PROCESSING)
_CHOSEN = sa.select(intake).where(_i.id.in_(_CHOSEN_IDS)).order_by(_i.id)
_BODIES = sa.select(intake_bodies).where(intake_bodies.c.id.in_(_CHOSEN_IDS))
_FINISH = (
    sa.update(intake)
    .where(_i.id == sa.bindparam("of_id"), _UNFINISHED)
    .values(
        status=sa.bindparam("to"),
        outcome=sa.bindparam("outcome", type_=Json),
        finished_at=sa.bindparam("now", type_=UtcDateTime),
    )
)
_NOTE = (
    sa.update(intake)
    .where(_i.id == sa.bindparam("of_id"), _UNFINISHED)
    .values(outcome=sa.bindparam("outcome", type_=Json))
)
_some = sa.select(_i.size).where(_UNFINISHED).limit(sa.bindparam("most")).subquery()
_WAITING = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(_some.c.size), 0)).select_from(_some)
_PURGE = sa.delete(intake).where(
    _i.id.in_(
        sa.select(_i.id)
        .where(_i.finished_at < sa.bindparam("before", type_=UtcDateTime))
        .limit(sa.bindparam("limit"))
    )
)
