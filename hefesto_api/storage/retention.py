"""What goes by policy: findings resolved long ago and old analyses. Off unless a setting says how long."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from hefesto_api.domain import clock
from hefesto_api.storage.analyses import ACTIVE, analyses, batches
from hefesto_api.storage.base import UtcDateTime
from hefesto_api.storage.contents import project_files
from hefesto_api.storage.finding_links import MERGED, finding_links
from hefesto_api.storage.findings import findings

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database

FINDINGS_AT_ONCE = 200
ANALYSES_AT_ONCE = 50  # each may hold megabytes of document


class Pruned(NamedTuple):
    """How many of each were deleted."""

    findings: int = 0
    analyses: int = 0
    batches: int = 0


def run(
    db: Database, *, resolved_days: int, analyses_days: int, stopped: Callable[[], bool] = lambda: False
) -> Pruned:
    """Delete what is older than so many days, in short transactions; 0 days keeps everything.

    Findings go with their histories once they have been resolved that long, whoever resolved them; no
    other status ever goes. Of analyses the newest completed one of each project, branch and tool stays, as
    do those that are active, that hold the document of another or that recorded a file as it is now.
    """
    now = clock.now()
    found = held = empty = 0
    if resolved_days:
        before = now - timedelta(days=resolved_days)
        found = _until_none_is_left(db, stopped, lambda session: _resolved(session, before))
    if analyses_days:
        since = now - timedelta(days=analyses_days)
        held = _until_none_is_left(db, stopped, lambda session: _analyses(session, since))
        empty = _until_none_is_left(db, stopped, lambda session: _batches(session, since))
    return Pruned(found, held, empty)


def _resolved(session: Session, before: datetime) -> int:
    return session.execute(_OLD_FINDINGS, {"before": before, "limit": FINDINGS_AT_ONCE}).rowcount


def _analyses(session: Session, before: datetime) -> int:
    return session.execute(_OLD_ANALYSES, {"before": before, "limit": ANALYSES_AT_ONCE}).rowcount


def _batches(session: Session, before: datetime) -> int:
    return session.execute(_EMPTY_BATCHES, {"before": before, "limit": ANALYSES_AT_ONCE}).rowcount


def _until_none_is_left(
    db: Database, stopped: Callable[[], bool], remove_some: Callable[[Session], int]
) -> int:
    """Remove a few at a time, so that nobody waits long for the writer's door; return how many."""
    total = 0
    while not stopped():
        with db.write() as session:
            removed = remove_some(session)
        if removed == 0:
            break
        total += removed
    return total


def _delete(table: sa.Table, *old: sa.ColumnElement[bool]) -> sa.Delete:
    some = sa.select(table.c.id).where(*old).limit(sa.bindparam("limit"))
    return sa.delete(table).where(table.c.id.in_(some))


_BEFORE = sa.bindparam("before", type_=UtcDateTime)
_OLD_FINDINGS = _delete(
    findings,
    findings.c.status == "resolved",
    findings.c.resolved_at < _BEFORE,
    # What was merged into another is how the later sightings of its place are known to be that one's.
    findings.c.id.not_in(sa.select(finding_links.c.other_id).where(finding_links.c.kind == MERGED)),
)

_newer, _other = analyses.alias(), analyses.alias()
_IS_SURPASSED = sa.exists().where(
    _newer.c.project_id == analyses.c.project_id,
    _newer.c.branch == analyses.c.branch,
    _newer.c.tool == analyses.c.tool,
    _newer.c.status == "completed",
    sa.tuple_(_newer.c.created_at, _newer.c.id) > sa.tuple_(analyses.c.created_at, analyses.c.id),
)
_HOLDERS = sa.select(_other.c.result_id).where(_other.c.result_id != _other.c.id)
# An analysis at work may be about to point to the document of a former one.
_AT_WORK = sa.select(_other.c.project_id).where(_other.c.status.in_(ACTIVE), _other.c.project_id.is_not(None))
_OLD_ANALYSES = _delete(
    analyses,
    analyses.c.created_at < _BEFORE,
    analyses.c.status.not_in(ACTIVE),
    sa.or_(
        analyses.c.project_id.is_(None),
        sa.and_(
            analyses.c.project_id.not_in(_AT_WORK),
            sa.or_(analyses.c.status != "completed", _IS_SURPASSED),
        ),
    ),
    analyses.c.id.not_in(_HOLDERS),
    analyses.c.id.not_in(sa.select(project_files.c.analysis_id)),
)
_EMPTY_BATCHES = _delete(
    batches,
    batches.c.created_at < _BEFORE,
    ~sa.exists().where(analyses.c.batch_id == batches.c.id),
)
