"""What happened to alerts: a history that only grows."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.storage.base import Serial, Session, Text, UtcDateTime, metadata

alert_history = sa.Table(
    "alert_history",
    metadata,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("alert_id", Text, sa.ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("timestamp", UtcDateTime, nullable=False),
    sa.Column("action", Text, nullable=False),
    sa.Column("user", Text),
    sa.Column("details", Text, nullable=False),
    sa.Index(None, "alert_id"),
)


class HistoryEntry(Struct, frozen=True):
    """One thing that happened to an alert; `action` is created, acknowledged, commented, resolved, ..."""

    alert_id: str
    timestamp: datetime
    action: str
    user: str | None
    details: str


_ADD_HISTORY = sa.insert(alert_history)
_HISTORY = (
    sa.select(*(alert_history.c[name] for name in HistoryEntry.__struct_fields__))
    .where(alert_history.c.alert_id == sa.bindparam("of_id"))
    .order_by(alert_history.c.id)
)


def add(session: Session, entry: HistoryEntry) -> None:
    """Append to an alert's history."""
    session.execute(_ADD_HISTORY, structs.asdict(entry))


def of(session: Session, alert_id: str) -> list[HistoryEntry]:
    """Return what happened to an alert, oldest first."""
    return [HistoryEntry(*row) for row in session.execute(_HISTORY, {"of_id": alert_id})]
