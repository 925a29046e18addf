"""What went on lately: alerts that were told of and findings that came, by project; and the latest events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from hefesto_api.storage.alert_deliveries import alert_deliveries
from hefesto_api.storage.base import Session, Text, UtcDateTime
from hefesto_api.storage.correlations import correlations
from hefesto_api.storage.findings import findings
from hefesto_api.storage.outbox import Event, outbox

LOOKED_THROUGH = 5000  # events, of which those that are wanted are picked


def alerts_told(session: Session, since: datetime, until: datetime) -> dict[str, int]:
    """Return how many messages of alerts came in a time, by project."""
    return {row[0]: row[1] for row in session.execute(_TOLD, {"since": since, "until": until})}


def findings_come(session: Session, since: datetime, until: datetime) -> dict[str, int]:
    """Return how many findings were first seen in a time, by project."""
    # Ids begin with the time that they were made at, and are the key.
    asked = {"since": _first_id(since), "until": _first_id(until)}
    return {row[0]: row[1] for row in session.execute(_COME, asked)}


def latest(
    session: Session, types: Collection[str], project_ids: Sequence[str] | None, limit: int
) -> list[Event]:
    """Return the latest events of some types that may be seen, the newest first.

    Looked for among the latest few thousand of all. What belongs to no project is for who may see all.
    """
    last = sa.select(sa.func.coalesce(sa.func.max(outbox.c.seq), 0)).scalar_subquery()
    wanted: list[sa.ColumnElement[bool]] = [outbox.c.seq > last - LOOKED_THROUGH]
    wanted.append(outbox.c.type.in_(list(types)))
    if project_ids is not None:
        wanted.append(outbox.c.project_id.in_(project_ids))
    statement = sa.select(outbox).where(*wanted).order_by(outbox.c.seq.desc()).limit(limit)
    return [Event(*row) for row in session.execute(statement)]


def answers(session: Session, correlation_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what correlations answered, by their ids."""
    wanted = list(correlation_ids)
    if not wanted:
        return {}
    rows = session.execute(_ANSWERS, {"ids": wanted})
    return {row.id: orjson.loads(row.answer) for row in rows}


def _first_id(moment: datetime) -> str:
    """Return what no id from before a moment comes after (see `domain.ids`)."""
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}"


_SINCE, _UNTIL = (sa.bindparam(name, type_=UtcDateTime) for name in ("since", "until"))
_TOLD = (
    sa.select(alert_deliveries.c.project_id, sa.func.count())
    .where(alert_deliveries.c.seen_at >= _SINCE, alert_deliveries.c.seen_at < _UNTIL)
    .group_by(alert_deliveries.c.project_id)
)
_COME = (
    sa.select(findings.c.project_id, sa.func.count())
    .where(
        findings.c.id >= sa.bindparam("since", type_=Text), findings.c.id < sa.bindparam("until", type_=Text)
    )
    .group_by(findings.c.project_id)
)
_ANSWERS = sa.select(correlations.c.id, correlations.c.answer).where(
    correlations.c.id.in_(sa.bindparam("ids", expanding=True))
)
