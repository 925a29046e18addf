"""Tickets: for a socket's handshake, which can show no header, one that is good once and not for long."""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain import decoding
from hefesto_api.domain.access import Principal
from hefesto_api.domain.claims import Claims
from hefesto_api.storage.base import Json, Session, Text, UtcDateTime, metadata

tickets = sa.Table(
    "tickets",
    metadata,
    sa.Column("hash", Text, primary_key=True),
    sa.Column("holder", Json, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Index(None, "expires_at"),
)
_t = tickets.c

_TAKE = sa.delete(tickets).where(_t.hash == sa.bindparam("of_hash")).returning(_t.holder, _t.expires_at)


class Holder(Struct, frozen=True):
    """Who asked for a ticket, and what for: an access token, an API key (by its hash), or nothing at all."""

    principal: Principal
    claims: Claims | None = None
    key_hash: str = ""


_holder = decoding.of_builtins(Holder)


def issue(session: Session, ticket_hash: str, holder: Holder, *, until: datetime) -> None:
    """Keep the hash of a ticket."""
    row = {"hash": ticket_hash, "holder": msgspec.to_builtins(holder), "expires_at": until}
    session.execute(sa.insert(tickets), row)


def redeem(session: Session, ticket_hash: str, *, now: datetime) -> Holder | None:
    """Take a ticket and return whose it is; None when there is none (any more)."""
    row = session.execute(_TAKE, {"of_hash": ticket_hash}).first()
    if row is None or row.expires_at <= now:
        return None
    return _holder(row.holder)


def purge(session: Session, now: datetime) -> int:
    """Delete what expired."""
    return session.execute(sa.delete(tickets).where(_t.expires_at <= now)).rowcount
