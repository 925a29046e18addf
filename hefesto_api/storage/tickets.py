"""Tickets: for a socket's handshake, which can show no header, one that is good once and not for long."""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa

from hefesto_api.domain.access import Principal
from hefesto_api.storage.base import Json, Session, Text, UtcDateTime, metadata

tickets = sa.Table(
    "tickets",
    metadata,
    sa.Column("hash", Text, primary_key=True),
    sa.Column("principal", Json, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Index(None, "expires_at"),
)
_t = tickets.c

_TAKE = sa.delete(tickets).where(_t.hash == sa.bindparam("of_hash")).returning(_t.principal, _t.expires_at)


def issue(session: Session, ticket_hash: str, principal: Principal, *, until: datetime) -> None:
    """Keep the hash of a ticket for a principal."""
    row = {"hash": ticket_hash, "principal": msgspec.to_builtins(principal), "expires_at": until}
    session.execute(sa.insert(tickets), row)


def redeem(session: Session, ticket_hash: str, *, now: datetime) -> Principal | None:
    """Take a ticket and return whose it is; None when there is none (any more)."""
    row = session.execute(_TAKE, {"of_hash": ticket_hash}).first()
    if row is None or row.expires_at <= now:
        return None
    return msgspec.convert(row.principal, Principal)


def purge(session: Session, now: datetime) -> int:
    """Delete what expired."""
    return session.execute(sa.delete(tickets).where(_t.expires_at <= now)).rowcount
