"""The keys that access tokens are signed with; the private halves come sealed and stay so."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from hefesto_api.domain import signing
from hefesto_api.domain.signing import PURPOSE, SigningKey
from hefesto_api.storage.base import Blob, Session, Text, UtcDateTime, metadata
from hefesto_api.storage.database import Database
from hefesto_api.storage.sealed import SealedText

signing_keys = sa.Table(
    "signing_keys",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("public", Blob, nullable=False),
    sa.Column("sealed", SealedText(PURPOSE, "id"), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)
_k = signing_keys.c

_EVERY = sa.select(signing_keys).order_by(_k.created_at, _k.id)
_SINCE = sa.select(_k.id).where(_k.created_at > sa.bindparam("since", type_=UtcDateTime)).limit(1)
_INSERT = sa.insert(signing_keys)


class Shelf:
    """The keys of one database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def every(self) -> list[SigningKey]:
        """Return all keys, the oldest first."""
        with self._db.read() as session:
            return every(session)

    def add(self, key: SigningKey, *, unless_since: datetime) -> None:
        """Keep a key, unless another was made since: two processes that find it time make one."""
        with self._db.write() as session:
            if session.execute(_SINCE, {"since": unless_since}).first() is None:
                add(session, key)


def every(session: Session) -> list[SigningKey]:
    """Return all keys, the oldest first."""
    return [SigningKey(*row) for row in session.execute(_EVERY)]


def add(session: Session, key: SigningKey) -> None:
    """Keep a key."""
    row = {"id": key.id, "public": key.public, "sealed": key.sealed, "created_at": key.created_at}
    session.execute(_INSERT, row)


def purge(session: Session, now: datetime) -> None:
    """Delete the keys whose last token has expired."""
    known = every(session)
    current = {key.id for key in signing.verifying(known, now)}
    _remove(session, [key.id for key in known if key.id not in current])


def withdraw(session: Session) -> int:
    """Delete all keys, and return how many: every access token is refused within a second.

    Whoever has a refresh token gets another, signed by a new key.
    """
    return session.execute(sa.delete(signing_keys)).rowcount


def _remove(session: Session, key_ids: list[str]) -> None:
    session.execute(sa.delete(signing_keys).where(_k.id.in_(key_ids)))
