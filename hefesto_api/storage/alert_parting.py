"""Moving occurrences from one alert to another: to a new one that they are parted into, or in a merger."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain import clock, ids
from hefesto_api.domain.alert import IncomingAlert
from hefesto_api.domain.finding import Severity
from hefesto_api.storage import alert_history, alerts
from hefesto_api.storage.alert_deliveries import alert_deliveries, alert_groups
from hefesto_api.storage.alert_history import HistoryEntry
from hefesto_api.storage.alert_occurrences import COLUMN_OF, alert_occurrences, alert_samples
from hefesto_api.storage.alerts import RESOLVED, AlertRecord, incoming_of
from hefesto_api.storage.base import Session, upsert

_a, _o, _s = alerts.alerts.c, alert_occurrences.c, alert_samples.c
_d, _g = alert_deliveries.c, alert_groups.c


class Kept(Struct, frozen=True):
    """What is kept of some occurrences, added up; None of none."""

    count: int
    first_seen: datetime | None
    last_seen: datetime | None
    severity_rank: int | None
    affected_users: int | None


def locked(session: Session, *alert_ids: str) -> list[AlertRecord]:
    """Return alerts that nobody else changes until the transaction ends (SQLite's writer is alone anyway)."""
    some = _a.id.in_(alert_ids)
    session.execute(sa.select(_a.id).where(some).order_by(_a.id).with_for_update()).fetchall()
    return [alerts.get(session, one) for one in alert_ids]


def named(session: Session, alert_id: str, occurrence_ids: Collection[str]) -> list[str]:
    """Return which of some occurrences are an alert's."""
    statement = sa.select(_o.id).where(_o.alert_id == alert_id, _o.id.in_(occurrence_ids))
    return list(session.execute(statement).scalars())


def of_print(alert_id: str, fingerprint: str) -> sa.ColumnElement[bool]:
    """Say that occurrences are of an alert and, by grouping, of a fingerprint."""
    return sa.and_(_o.alert_id == alert_id, _o.fingerprint == fingerprint)


def of_ids(alert_id: str, occurrence_ids: Collection[str]) -> sa.ColumnElement[bool]:
    """Say that occurrences are certain ones of an alert."""
    return sa.and_(_o.alert_id == alert_id, _o.id.in_(occurrence_ids))


def kept(session: Session, chosen: sa.ColumnElement[bool]) -> Kept:
    """Add some occurrences up."""
    statement = sa.select(
        sa.func.count(), sa.func.min(_o.occurred_at), sa.func.max(_o.occurred_at),
        sa.func.max(_o.severity_rank), sa.func.max(_o.affected_users),
    ).where(chosen)  # fmt: skip
    return Kept(*session.execute(statement).one())


def prints(session: Session, chosen: sa.ColumnElement[bool]) -> list[str]:
    """Return the fingerprints that grouping gave some occurrences."""
    return list(session.execute(sa.select(_o.fingerprint).where(chosen).distinct()).scalars())


def values(
    session: Session, chosen: sa.ColumnElement[bool], trait: str, *, most: int
) -> list[tuple[str, str]]:
    """Return what some occurrences have of a trait, with their fingerprints; at most so many."""
    statement = sa.select(_o.fingerprint, COLUMN_OF[trait]).where(chosen).distinct().limit(most)
    return [(row[0], row[1]) for row in session.execute(statement)]


def is_shared(
    session: Session,
    project_id: str,
    chosen: sa.ColumnElement[bool],
    fingerprints: Sequence[str],
    trait: str | None,
) -> bool:
    """Tell whether others of the same fingerprints have what the chosen ones have of a trait.

    Without a trait: whether there are others. What was parted before counts as well, wherever it is now.
    """
    others = sa.and_(_o.project_id == project_id, _o.fingerprint.in_(fingerprints), sa.not_(chosen))
    if trait is not None:
        mine = sa.select(COLUMN_OF[trait]).where(chosen)
        others = sa.and_(others, COLUMN_OF[trait].in_(mine))
    return (
        session.execute(
            sa.select(sa.literal(1)).select_from(alert_occurrences).where(others).limit(1)
        ).first()
        is not None
    )


def part(session: Session, of: AlertRecord, chosen: sa.ColumnElement[bool], fingerprint: str, by: str) -> str:
    """Make an alert of some occurrences of another, under a fingerprint that is not open; return its id.

    It is pending, or over where the other is. Announce it afterwards.
    """
    moment, total = clock.now(), kept(session, chosen)
    made_id = ids.new_id()
    row = alerts.new_row(of.project_id, _first(session, of, chosen), fingerprint, made_id, moment)
    over = of.status == RESOLVED
    row |= {
        "occurrence_count": total.count,
        "first_seen": total.first_seen,
        "last_seen": total.last_seen,
        "severity": _severity(total.severity_rank),
        "severity_rank": total.severity_rank,
        "affected_users": total.affected_users,
        "split_from": of.id,
    }
    if over:
        row |= {
            "status": RESOLVED, "open_key": None, "resolved_at": of.resolved_at,
            "resolved_by": of.resolved_by,
        }  # fmt: skip
    session.execute(sa.insert(alerts.alerts), row)
    _move(session, of.project_id, of.id, made_id, chosen)
    _lessen(session, of, total.count)
    alert_history.add(session, HistoryEntry(made_id, moment, "created", by, f"Parted from alert {of.id}."))
    return made_id


def absorb(session: Session, gone: AlertRecord, stays: AlertRecord, by: str, comment: str) -> None:
    """Move all of an alert into another, and end it. Announce it afterwards."""
    moment = clock.now()
    _move(session, gone.project_id, gone.id, stays.id, _o.alert_id == gone.id)
    worse = max((gone, stays), key=lambda one: one.severity_rank)
    users = [one.affected_users for one in (gone, stays) if one.affected_users is not None]
    session.execute(
        _of(stays).values(
            occurrence_count=stays.occurrence_count + gone.occurrence_count,
            first_seen=min(gone.first_seen, stays.first_seen),
            last_seen=max(gone.last_seen, stays.last_seen),
            severity=worse.severity,
            severity_rank=worse.severity_rank,
            affected_users=max(users, default=None),
            updated_at=moment,
        )
    )
    session.execute(
        _of(gone).values(
            status=RESOLVED,
            open_key=None,
            merged_into=stays.id,
            resolved_at=max(moment, gone.first_seen),
            resolved_by=by,
            comment=comment or gone.comment,
            updated_at=moment,
        )
    )


def _of(record: AlertRecord) -> Any:
    return sa.update(alerts.alerts).where(_a.id == record.id)


def _first(session: Session, of: AlertRecord, chosen: sa.ColumnElement[bool]) -> IncomingAlert:
    """Return the message of the first of some occurrences: as it came if it was kept, else in outline."""
    row = session.execute(
        sa.select(alert_occurrences, _s.incoming.label("whole"))
        .outerjoin(alert_samples, sa.and_(_s.alert_id == _o.alert_id, _s.variant == _o.variant))
        .where(chosen)
        .order_by(_o.occurred_at, _o.id)
        .limit(1)
    ).one()
    if row.whole is not None:
        return incoming_of(row.whole)
    return structs.replace(
        of.received(),
        alert_id=row.sender_id,
        source=row.source,
        error_message=row.message,
        error_type=row.error_type or None,
        service_name=row.service_name or None,
        environment=row.environment or None,
        release=row.release,
        commit_hash=row.commit_hash,
        affected_users=row.affected_users,
        timestamp=row.occurred_at,
    )


def _severity(rank: int | None) -> str:
    return next(one.value for one in Severity if one.rank == rank)


def _move(session: Session, project_id: str, old: str, new: str, chosen: sa.ColumnElement[bool]) -> None:
    """Hand some occurrences over, with their samples, and what the senders' next news about them goes by."""
    told = sa.select(_o.alert_key).where(chosen)
    keys = [_d.project_id == project_id, _d.alert_key.in_(told), _d.alert_id == old]
    session.execute(sa.update(alert_deliveries).where(*keys).values(alert_id=new))
    remain = sa.select(_o.group_key).where(_o.alert_id == old, sa.not_(chosen), _o.group_key.is_not(None))
    groups = sa.select(_o.group_key).where(chosen, _o.group_key.is_not(None))
    both = [_g.alert_id == old, _g.group_key.in_(groups), _g.group_key.not_in(remain)]
    session.execute(sa.update(alert_groups).where(*both).values(alert_id=new))
    variants = sa.select(_o.variant).where(chosen)
    samples = sa.select(sa.literal(new), _s.variant, _s.incoming).where(
        _s.alert_id == old, _s.variant.in_(variants)
    )
    session.execute(
        _copy(session.dialect.name)
        .from_select(["alert_id", "variant", "incoming"], samples)
        .on_conflict_do_nothing()
    )
    session.execute(sa.update(alert_occurrences).where(chosen).values(alert_id=new))


def _lessen(session: Session, of: AlertRecord, many: int) -> None:
    """Take occurrences off an alert; what is no longer kept of it is believed as it was told."""
    rest = kept(session, _o.alert_id == of.id)
    left = max(of.occurrence_count - many, 1)
    changed: dict[str, Any] = {"occurrence_count": left, "updated_at": clock.now()}
    if rest.last_seen is not None:
        changed["last_seen"] = rest.last_seen
    if rest.count == left:
        changed |= {
            "first_seen": rest.first_seen,
            "severity": _severity(rest.severity_rank),
            "severity_rank": rest.severity_rank,
            "affected_users": rest.affected_users,
        }
    session.execute(_of(of).values(**changed))


@cache
def _copy(dialect: str) -> Any:
    return upsert(dialect, alert_samples)
