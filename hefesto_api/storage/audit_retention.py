"""Pruning the audit log by policy: its oldest entries go, and the strand's head says up to where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hefesto_api.domain import audit, clock
from hefesto_api.storage.audit import SEALS, Head, audit_logs, heads, hold, move

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hefesto_api.storage.audit import Ledger
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database

AT_ONCE = 1000


def prune(
    db: Database, ledger: Ledger, before: datetime, *, stopped: Callable[[], bool] = lambda: False
) -> int:
    """Delete entries older than a moment, in short transactions; return how many.

    The head keeps the hash of the last one that went, proved, so that what remains still verifies. That
    entries went is an entry itself. A strand whose head was changed keeps all it has.
    """
    with db.read() as session:
        strands = [head.strand for head in heads(session) if head.strand != SEALS]
    total = 0
    for strand in strands:
        while not stopped():
            with db.write(witnessed=False) as session:
                pruned = _prune_some(session, ledger, strand, before)
            total += pruned
            if pruned < AT_ONCE:
                break
    return total


def _prune_some(session: Session, ledger: Ledger, strand: int, before: datetime) -> int:
    key = ledger.key(session)
    head = hold(session, strand)
    if key is None or not head.is_proved(key):
        return 0
    last = _last_old(session, head, before)
    if last is None:
        return 0
    move(session, key, head, pruned=last.number, pruned_hash=last.hash)
    session.execute(_DELETE, {"of_strand": strand, "up_to": last.number})
    pruned = int(last.number - head.pruned)
    changes = {"entries": pruned, "older_than": clock.rfc3339(before)}
    audit.note("audit_log.pruned", "audit_log", None, changes)
    return pruned


def _last_old(session: Session, head: Head, before: datetime) -> Any:
    """Return the last entry that goes: old enough, as are all before it; None: nothing goes."""
    asked = {"of_strand": head.strand, "after": head.pruned, "most": head.pruned + AT_ONCE}
    found = None
    for row in session.execute(_OLDEST, asked):
        if row.timestamp >= before:
            break
        found = row
    return found


_l = audit_logs.c
_SAME = _l.strand == sa.bindparam("of_strand")
_OLDEST = (
    sa.select(_l.number, _l.timestamp, _l.hash)
    .where(_SAME, _l.number > sa.bindparam("after"), _l.number <= sa.bindparam("most"))
    .order_by(_l.number)
)
_DELETE = sa.delete(audit_logs).where(_SAME, _l.number <= sa.bindparam("up_to"))
