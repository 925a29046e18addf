"""How far streams out of the service have come: a cursor for each, who moves it, how the last try went."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain import clock, ids
from hefesto_api.storage import outbox
from hefesto_api.storage.base import Session, Text, UtcDateTime, metadata, upsert
from hefesto_api.storage.findings import FindingRecord, HistoryEntry, finding_history, findings
from hefesto_api.storage.outbox import Event

export_cursors = sa.Table(
    "export_cursors",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("lease_token", Text),
    sa.Column("leased_by", Text),
    sa.Column("lease_expires_at", UtcDateTime),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("rests_until", UtcDateTime),
    sa.Column("last_error", Text),
    sa.Column("last_success_at", UtcDateTime),
    sa.Column("rows_sent", sa.BigInteger, nullable=False),
    sa.Column("rows_refused", sa.BigInteger, nullable=False),
)

EVENTS, FINDINGS = "bigquery.events", "bigquery.findings"
STREAMS = (EVENTS, FINDINGS)
LEASE = timedelta(seconds=90)  # more than a batch can take
_c = export_cursors.c
_NOW = sa.bindparam("now", type_=UtcDateTime)


class CursorRecord(Struct, frozen=True):
    """A row of `export_cursors`; what lies behind `position` was taken by the other side."""

    name: str
    position: int
    lease_token: str | None
    leased_by: str | None
    lease_expires_at: datetime | None
    failures: int
    rests_until: datetime | None
    last_error: str | None
    last_success_at: datetime | None
    rows_sent: int
    rows_refused: int


class Settled(NamedTuple):
    """How far finding histories are written, and the transactions (on PostgreSQL) that were open then.

    All entries up to `last` stand once `oldest` of a later look is no less than `horizon` of this one.
    """

    last: int
    horizon: int
    oldest: int


_ALL = sa.select(export_cursors)
_LEASE = (
    sa.update(export_cursors)
    .where(
        _c.name == sa.bindparam("of"),
        sa.or_(_c.lease_expires_at.is_(None), _c.lease_expires_at <= _NOW),
        sa.or_(_c.rests_until.is_(None), _c.rests_until <= _NOW),
    )
    .values(
        lease_token=sa.bindparam("token"),
        leased_by=sa.bindparam("worker"),
        lease_expires_at=sa.bindparam("until", type_=UtcDateTime),
    )
    .returning(*export_cursors.c)
)
_h = finding_history.c
_ENTRIES = (
    sa.select(
        _h.id,
        *(_h[name].label(f"history_{name}") for name in HistoryEntry.__struct_fields__),
        *findings.c,
    )
    .join(findings, findings.c.id == _h.finding_id)
    .where(_h.id > sa.bindparam("after"), _h.id <= sa.bindparam("until"))
    .order_by(_h.id)
    .limit(sa.bindparam("limit"))
)
_LAST_ENTRY = sa.select(sa.func.coalesce(sa.func.max(_h.id), 0))
_OF_POSTGRESQL = (
    "SELECT coalesce(max(id), 0), pg_snapshot_xmax(pg_current_snapshot())::text::bigint, "
    "pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM finding_history"
)


def begin(session: Session) -> None:
    """Have the cursors, from now on, where there are none: what happened before is for `rewind`."""
    made = upsert(session.dialect.name, export_cursors).on_conflict_do_nothing(index_elements=["name"])
    starts = {EVENTS: outbox.last(session), FINDINGS: int(session.execute(_LAST_ENTRY).scalar_one())}
    rows = [
        {"name": name, "position": at, "failures": 0, "rows_sent": 0, "rows_refused": 0}
        for name, at in starts.items()
    ]
    session.execute(made, rows)


def rewind(session: Session) -> None:
    """Have everything that is on record sent (again), from the beginning."""
    begin(session)
    session.execute(
        sa.update(export_cursors)
        .where(_c.name.in_(STREAMS))
        .values(position=0, failures=0, rests_until=None, lease_token=None, lease_expires_at=None)
    )


def every(session: Session) -> dict[str, CursorRecord]:
    """Return the cursors by their names."""
    return {row.name: CursorRecord(*row) for row in session.execute(_ALL)}


def lease(session: Session, name: str, worker: str) -> CursorRecord | None:
    """Become the one who sends a stream; None while another is, or while it rests after a failure."""
    now = clock.now()
    values = {"of": name, "token": ids.new_id(), "worker": worker, "now": now, "until": now + LEASE}
    row = session.execute(_LEASE, values).first()
    return None if row is None else CursorRecord(*row)


def advance(session: Session, held: CursorRecord, position: int, sent: int, refused: int) -> bool:
    """Note what was taken, and let go; False: another sends by now, who says how far it came."""
    return _end(
        session,
        held,
        position=position,
        failures=0,
        rests_until=None,
        last_error=None,
        last_success_at=clock.now() if sent else held.last_success_at,
        rows_sent=_c.rows_sent + sent,
        rows_refused=_c.rows_refused + refused,
    )


def put_off(session: Session, held: CursorRecord, reason: str, until: datetime) -> bool:
    """Note that nothing was taken, and let go until later."""
    return _end(session, held, failures=held.failures + 1, rests_until=until, last_error=reason[:500])


def let_go(session: Session, held: CursorRecord) -> bool:
    """Let another send a stream of which nothing was sent now."""
    return _end(session, held)


def release(session: Session, worker: str) -> None:
    """Let others send what a worker held that is known to be dead."""
    gone = sa.update(export_cursors).where(_c.leased_by == worker)
    session.execute(gone.values(lease_token=None, leased_by=None, lease_expires_at=None))


def behind(session: Session) -> bool:
    """Tell whether events wait that a stream is yet to send; a stream that never began waits for none."""
    at = session.execute(sa.select(_c.position).where(_c.name == EVENTS)).scalar()
    return at is not None and at < outbox.last(session)


def waiting(session: Session) -> dict[str, int]:
    """Return how many events, and entries of the histories of findings, each stream is yet to send."""
    at = {name: one.position for name, one in every(session).items()}
    tables = {EVENTS: outbox.outbox.c.seq, FINDINGS: _h.id}
    return {
        name: session.execute(sa.select(sa.func.count()).where(column > at[name])).scalar_one()
        for name, column in tables.items()
        if name in at
    }


def events(session: Session, after: int, limit: int) -> list[Event]:
    """Return the events behind a position, in order."""
    return outbox.after(session, after, limit=limit)


def settled(session: Session) -> Settled:
    """Look how far the histories of findings are written.

    On SQLite whoever writes is alone. On PostgreSQL numbers are given before commits, in whatever order
    those come; but a transaction has its own number before it writes history, since it writes the finding
    first. So once all transactions of a moment have ended, all entries that it showed numbers of stand.
    """
    if session.dialect.name == "postgresql":
        return Settled(*session.exec_driver_sql(_OF_POSTGRESQL).one())
    return Settled(int(session.execute(_LAST_ENTRY).scalar_one()), 0, 0)


def entries(
    session: Session, after: int, until: int, limit: int
) -> list[tuple[int, HistoryEntry, FindingRecord]]:
    """Return what happened to findings, in order, each with the finding as it is now."""
    width = 1 + len(HistoryEntry.__struct_fields__)
    found = session.execute(_ENTRIES, {"after": after, "until": until, "limit": limit})
    return [(row[0], HistoryEntry(*row[1:width]), FindingRecord(*row[width:])) for row in found]


def _end(session: Session, held: CursorRecord, **values: object) -> bool:
    mine = sa.update(export_cursors).where(_c.name == held.name, _c.lease_token == held.lease_token)
    free = {"lease_token": None, "leased_by": None, "lease_expires_at": None}
    return session.execute(mine.values(**free, **values)).rowcount == 1
