"""What signed requests are checked with: the secrets that keys sign with, and the signatures seen lately."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from hefesto_api.domain import clock
from hefesto_api.storage.api_keys import api_key_secrets
from hefesto_api.storage.base import Session, Text, UtcDateTime, metadata, upsert
from hefesto_api.storage.sealed import SealedText

PURPOSE = "request signing"

signing_secrets = sa.Table(
    "signing_secrets",
    metadata,
    sa.Column("key_hash", Text, sa.ForeignKey("api_key_secrets.hash", ondelete="CASCADE"), primary_key=True),
    sa.Column("secret", SealedText(PURPOSE, row="key_hash"), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)
seen_signatures = sa.Table(
    "seen_signatures",
    metadata,
    sa.Column("digest", Text, primary_key=True),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Index(None, "expires_at"),
)

_OF_KEY = (
    sa.select(signing_secrets.c.key_hash, signing_secrets.c.secret)
    .join(api_key_secrets, api_key_secrets.c.hash == signing_secrets.c.key_hash)
    .where(
        api_key_secrets.c.key_id == sa.bindparam("key_id"),
        sa.or_(api_key_secrets.c.expires_at.is_(None), api_key_secrets.c.expires_at > sa.bindparam("now")),
    )
    .order_by(signing_secrets.c.created_at.desc(), signing_secrets.c.key_hash)
)
_EXPIRED = sa.delete(seen_signatures).where(seen_signatures.c.expires_at <= sa.bindparam("now"))


def keep(session: Session, key_hash: str, sealed_secret: str) -> None:
    """Keep what a key signs with, sealed for the hash of the key's own secret."""
    row = {"key_hash": key_hash, "secret": sealed_secret, "created_at": clock.now()}
    session.execute(_insert(session.dialect.name), row)


def of_key(session: Session, key_id: str) -> list[tuple[str, str]]:
    """Return what a key may sign with now, the newest first: `(hash of the key's secret, sealed)`.

    While a key is rotated there are two.
    """
    rows = session.execute(_OF_KEY, {"key_id": key_id, "now": clock.now()})
    return [(row.key_hash, row.secret) for row in rows]


def is_new(session: Session, digest: str, until: datetime) -> bool:
    """Note a signature until a moment; False when it was seen already."""
    session.execute(_EXPIRED, {"now": clock.now()})
    row = {"digest": digest, "expires_at": until}
    return session.execute(_note(session.dialect.name), row).first() is not None


@cache
def _insert(dialect: str) -> Any:
    statement = upsert(dialect, signing_secrets)
    changed = {"secret": statement.excluded.secret, "created_at": statement.excluded.created_at}
    return statement.on_conflict_do_update(index_elements=["key_hash"], set_=changed)


@cache
def _note(dialect: str) -> Any:
    return upsert(dialect, seen_signatures).on_conflict_do_nothing().returning(seen_signatures.c.digest)
