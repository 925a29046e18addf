"""Which messages of alerts were told already, and which of the senders' own troubles are on."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa

from hefesto_api.domain.alert import IncomingAlert
from hefesto_api.storage import hot
from hefesto_api.storage.base import Session, Text, UtcDateTime, metadata, upsert

# Digests: what stands in them comes from others and may be long.
alert_deliveries = sa.Table(
    "alert_deliveries",
    metadata,
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("alert_key", Text, primary_key=True),  # of the source and its alert_id
    sa.Column("news_key", Text, primary_key=True),  # of the delivery_id
    sa.Column("alert_id", Text, nullable=False),  # ours
    sa.Column("seen_at", UtcDateTime, nullable=False),
    sa.Index(None, "seen_at"),
    sqlite_with_rowid=False,
)

# An alert is over when every one of its groups is.
alert_groups = sa.Table(
    "alert_groups",
    metadata,
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("group_key", Text, primary_key=True),  # of the source and its group_id
    sa.Column("alert_id", Text, sa.ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("firing", sa.Boolean, nullable=False),
    sa.Column("fired_at", UtcDateTime),  # in the sender's time
    sa.Index(None, "alert_id"),
)
_d, _g = alert_deliveries.c, alert_groups.c


def keys(project_id: str, incoming: IncomingAlert) -> dict[str, str]:
    """Return what identifies a delivery."""
    return {
        "project_id": project_id,
        "alert_key": digest(incoming.source, incoming.alert_id),
        "news_key": digest(incoming.delivery_id),
    }


def digest(*parts: str) -> str:
    """Return a short digest of texts."""
    content = "\0".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(content, digest_size=16).hexdigest()


def claim(
    session: Session, key: dict[str, str], alert_id: str, moment: datetime
) -> tuple[str, datetime] | None:
    """Note a delivery; when it was told before, return the id of its alert and when it was counted."""
    row = {**key, "alert_id": alert_id, "seen_at": moment}
    if hot.returned(session, _insert(session.dialect.name), row):
        return None
    ((told, seen_at),) = hot.records(session, _KNOWN, _named(key))
    return told, seen_at


def settle(session: Session, key: dict[str, str], alert_id: str, moment: datetime) -> None:
    """Note to which alert a claimed delivery belongs."""
    hot.change(session, _SETTLE, {**_named(key), "to": alert_id, "now": moment})


def fired(session: Session, project_id: str, incoming: IncomingAlert, alert_id: str) -> None:
    """Note that a sender's group is on, and which alert tells of it."""
    if incoming.group_id is None:
        return
    row = {
        "project_id": project_id,
        "group_key": digest(incoming.source, incoming.group_id),
        "alert_id": alert_id,
        "firing": True,
        "fired_at": incoming.timestamp,
    }
    session.execute(_fire(session.dialect.name), row)


def quiet(session: Session, project_id: str, incoming: IncomingAlert) -> str | None:
    """Note that a sender's group is over; return its alert, if it was on and not begun since."""
    key = digest(incoming.source, incoming.group_id or "")
    values = {"of_project_id": project_id, "key": key, "ended_at": incoming.timestamp}
    found: str | None = session.execute(
        _QUIET if incoming.timestamp is None else _QUIET_BEFORE, values
    ).scalar()
    return found


def is_firing(session: Session, alert_id: str) -> bool:
    """Tell whether a group of an alert is still on."""
    return session.execute(_FIRING, {"alert": alert_id}).first() is not None


def told_of(session: Session, project_id: str, incoming: IncomingAlert) -> str | None:
    """Return the alert that the sender's alert was last counted to, whatever the news was."""
    values = {"of_project_id": project_id, "key": digest(incoming.source, incoming.alert_id)}
    found: str | None = session.execute(_TOLD_OF, values).scalar()
    return found


def purge(session: Session, before: datetime, *, limit: int = 5_000) -> int:
    """Forget at most `limit` deliveries from before a time; return how many."""
    return session.execute(_PURGE, {"before": before, "limit": limit}).rowcount


def _named(key: dict[str, str]) -> dict[str, str]:
    return {f"of_{name}": value for name, value in key.items()}


@cache
def _insert(dialect: str) -> Any:
    return upsert(dialect, alert_deliveries).on_conflict_do_nothing().returning(_d.alert_id)


@cache
def _fire(dialect: str) -> Any:
    inserted = upsert(dialect, alert_groups)
    latest = sa.case(
        (sa.or_(_g.fired_at.is_(None), inserted.excluded.fired_at > _g.fired_at), inserted.excluded.fired_at),
        else_=_g.fired_at,
    )
    return inserted.on_conflict_do_update(
        index_elements=["project_id", "group_key"],
        set_={"alert_id": inserted.excluded.alert_id, "firing": sa.true(), "fired_at": latest},
    )


_SAME = sa.and_(
    _d.project_id == sa.bindparam("of_project_id"),
    _d.alert_key == sa.bindparam("of_alert_key"),
    _d.news_key == sa.bindparam("of_news_key"),
)
_KNOWN = sa.select(_d.alert_id, _d.seen_at).where(_SAME)
_SETTLE = (
    sa.update(alert_deliveries)
    .where(_SAME)
    .values(alert_id=sa.bindparam("to"), seen_at=sa.bindparam("now", type_=UtcDateTime))
)
_TOLD_OF = (
    sa.select(_d.alert_id)
    .where(_d.project_id == sa.bindparam("of_project_id"), _d.alert_key == sa.bindparam("key"))
    .order_by(_d.seen_at.desc())
    .limit(1)
)
_QUIET = (
    sa.update(alert_groups)
    .where(
        _g.project_id == sa.bindparam("of_project_id"),
        _g.group_key == sa.bindparam("key"),
        _g.firing.is_(True),
    )
    .values(firing=False)
    .returning(_g.alert_id)
)
_QUIET_BEFORE = _QUIET.where(
    sa.or_(_g.fired_at.is_(None), _g.fired_at <= sa.bindparam("ended_at", type_=UtcDateTime))
)
_FIRING = sa.select(sa.literal(1)).where(_g.alert_id == sa.bindparam("alert"), _g.firing.is_(True)).limit(1)
_PURGE = sa.delete(alert_deliveries).where(
    sa.tuple_(_d.project_id, _d.alert_key, _d.news_key).in_(
        sa.select(_d.project_id, _d.alert_key, _d.news_key)
        .where(_d.seen_at < sa.bindparam("before", type_=UtcDateTime))
        .limit(sa.bindparam("limit"))
    )
)
