"""Identities: who a user is to an OpenID provider."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.storage.base import Session, Text, UtcDateTime, metadata

identities = sa.Table(
    "identities",
    metadata,
    sa.Column("issuer", Text, primary_key=True),
    sa.Column("subject", Text, primary_key=True),
    sa.Column("user_id", Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("email", Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index(None, "user_id"),
)
_i = identities.c


class IdentityRecord(Struct, frozen=True):
    """A row of `identities`; `email` is what the provider said when the two were linked."""

    issuer: str
    subject: str
    user_id: str
    email: str | None
    created_at: datetime


_FIND = sa.select(identities).where(
    _i.issuer == sa.bindparam("issuer"), _i.subject == sa.bindparam("subject")
)
_OF_USER = sa.select(identities).where(_i.user_id == sa.bindparam("user_id")).order_by(_i.created_at)


def find(session: Session, issuer: str, subject: str) -> IdentityRecord | None:
    """Return whom a provider's subject stands for, if that is known."""
    row = session.execute(_FIND, {"issuer": issuer, "subject": subject}).first()
    return None if row is None else IdentityRecord(*row)


def of_user(session: Session, user_id: str) -> list[IdentityRecord]:
    """Return what a user is known by, the oldest first."""
    return [IdentityRecord(*row) for row in session.execute(_OF_USER, {"user_id": user_id})]


def remove(session: Session, identity: IdentityRecord) -> None:
    """Let a provider's subject stand for nobody any more."""
    session.execute(sa.delete(identities).where(_i.issuer == identity.issuer, _i.subject == identity.subject))


def add(session: Session, identity: IdentityRecord) -> None:
    """Insert an identity."""
    session.execute(sa.insert(identities), structs.asdict(identity))
