"""Sealing the audit log: now and then the heads of all strands are tied into one chain of seals.

A seal that was noted elsewhere (it is printed in the log) proves later that nothing before it was changed,
not even by somebody who could bring the whole database back to an earlier state.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain import chain, clock
from hefesto_api.storage.audit import SEALS, audit_seals, heads, hold, move

if TYPE_CHECKING:
    from hefesto_api.storage.audit import Head, Ledger
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database


class Seal(Struct, frozen=True):
    """A seal: over how many entries in all, pruned ones included, and its hash."""

    number: int
    entries: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.number}:{self.hash.hex()}"


def seal(db: Database, ledger: Ledger) -> Seal | None:
    """Seal what was written since the last seal; None when there is nothing new."""
    with db.read() as session:
        if not _is_new(session, ledger):
            return None
    with db.write(witnessed=False) as session:
        return _sealed(session, ledger) if _is_new(session, ledger) else None


def newest(session: Session) -> Seal | None:
    """Return the newest seal."""
    row = session.execute(_NEWEST).first()
    return None if row is None else Seal(*row)


def _is_new(session: Session, ledger: Ledger) -> bool:
    key = ledger.key(session)
    if key is None:
        return False
    entries = sum(head.count for head in _proved(session, key))
    last = newest(session)
    return entries != (last.entries if last else 0)


def _proved(session: Session, key: bytes) -> list[Head]:
    return [head for head in heads(session) if head.strand != SEALS and head.is_proved(key)]


def _sealed(session: Session, ledger: Ledger) -> Seal | None:
    key = ledger.key(session)
    last = hold(session, SEALS)
    if key is None or not last.is_proved(key):  # whoever verifies shall find it as it is
        return None
    tied = _proved(session, key)
    row: dict[str, Any] = {
        "number": last.count + 1,
        "sealed_at": clock.rfc3339(clock.now()),
        "entries": sum(head.count for head in tied),
        "heads": orjson.dumps([[head.strand, head.count, head.last_hash.hex()] for head in tied]).decode(),
    }
    hashed = chain.seal_hash(key, tuple(row.values()), last.last_hash)
    row["sealed_at"] = datetime.fromisoformat(row["sealed_at"])
    session.execute(_INSERT, {**row, "previous_hash": last.last_hash, "hash": hashed})
    move(session, key, last, count=last.count + 1, last_hash=hashed)
    return Seal(row["number"], row["entries"], hashed)


_INSERT = sa.insert(audit_seals)
_s = audit_seals.c
_NEWEST = sa.select(_s.number, _s.entries, _s.hash).order_by(_s.number.desc()).limit(1)
