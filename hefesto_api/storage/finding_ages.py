"""When findings came and went: what the trend of a list and the time to a fix are computed from."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from hefesto_api.storage import finding_list
from hefesto_api.storage.findings import findings

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.finding_list import Filter

_f = findings.c
MOST = 10_000


class Age(NamedTuple):
    """When a finding was seen first, and when it was resolved, if it is."""

    first_seen: datetime
    resolved_at: datetime | None


def ages(session: Session, wanted: Filter, total: int) -> list[Age]:
    """Return the ages of the findings that are meant; of more than `MOST`, those that came last."""
    conditions, values = finding_list.clauses(wanted)
    statement = sa.select(_f.first_seen, _f.resolved_at).where(*conditions).limit(MOST)
    if total >= MOST:
        statement = statement.order_by(_f.id.desc())  # ids are ordered by time
    return [Age(*row) for row in session.execute(statement, values)]


def resolved_at(session: Session, finding_ids: Collection[str]) -> dict[str, datetime | None]:
    """Return when findings were resolved, by id."""
    wanted = sa.select(_f.id, _f.resolved_at).where(_f.id.in_(list(finding_ids)))
    return {row[0]: row[1] for row in session.execute(wanted)} if finding_ids else {}
