"""Which keys a database's secrets are encrypted with, and keys of its own that outlive a change of those."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import cache
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sa

from hefesto_api.domain import clock, sealed
from hefesto_api.domain.errors import UsageError
from hefesto_api.storage.base import Session, Text, UtcDateTime, metadata, upsert
from hefesto_api.storage.sealed import SealedColumn, SealedText, columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from hefesto_api.storage.database import Database

secret_keys = sa.Table(
    "secret_keys",
    metadata,
    sa.Column("key_id", Text, primary_key=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("given_up_at", UtcDateTime),
)
_s = secret_keys.c
kept_keys = sa.Table(
    "kept_keys",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("secret", SealedText("kept key", row="name"), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

KEPT_BYTES = 32
_KNOWN = sa.select(_s.key_id).where(_s.given_up_at.is_(None)).order_by(_s.created_at, _s.key_id)
_GIVEN_UP = sa.select(_s.key_id).where(_s.given_up_at.is_not(None))
_KEPT = sa.select(kept_keys.c.secret).where(kept_keys.c.name == sa.bindparam("name"))


class Sealer(Protocol):
    """What encrypts and decrypts: a vault."""

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The fingerprints of its keys; the first one encrypts."""

    def encrypt(self, plain: bytes, *, purpose: str, row: str = "") -> str:
        """Return a sealed text."""

    def decrypt(self, text: str, *, purpose: str, row: str = "") -> bytes:
        """Return what was sealed."""


def admit(db: Database, key_ids: Sequence[str]) -> None:
    """Note the key that will encrypt; raises UsageError when one is missing that secrets are encrypted with.

    Of several processes that start at once with different keys on a new database, one is admitted. Within
    a transaction of SQLite nothing is noted.
    """
    with db.read() as session:
        known = set(session.execute(_KNOWN).scalars())
        if key_ids[0] in known and known.issubset(key_ids):
            return
        _refuse_missing(session, key_ids)
    if db.is_writing():
        return
    with db.write(witnessed=False) as session:
        if session.dialect.name == "postgresql":
            session.execute(sa.text("LOCK TABLE secret_keys IN EXCLUSIVE MODE"))
        known = set(session.execute(_KNOWN).scalars())
        _refuse_missing(session, key_ids)
        for key_id in known.difference(key_ids):
            forget(session, key_id)
        _note(session, key_ids[0])


def _refuse_missing(session: Session, key_ids: Sequence[str]) -> None:
    given_up = session.execute(_GIVEN_UP).scalars()
    missing = in_use(session).keys() - {"", *key_ids, *given_up}
    if missing:
        raise UsageError(_missing(min(missing)))


def _note(session: Session, key_id: str, given_up_at: datetime | None = None) -> None:
    row = {"key_id": key_id, "created_at": clock.now(), "given_up_at": given_up_at}
    statement = upsert(session.dialect.name, secret_keys)
    again = {"given_up_at": statement.excluded.given_up_at}
    session.execute(statement.on_conflict_do_update(index_elements=["key_id"], set_=again), row)


def in_use(session: Session) -> dict[str, int]:
    """Count the secrets that each key encrypted; "" stands for those that none did."""
    counts: dict[str, int] = {}
    for statement in _all_by_beginning():
        for row in session.execute(statement):
            key_id = _key_id(row.beginning)
            counts[key_id] = counts.get(key_id, 0) + row.secrets
    return counts


def known(session: Session) -> list[str]:
    """Return the keys that secrets may be encrypted with, the oldest first."""
    return list(session.execute(_KNOWN).scalars())


def forget(session: Session, key_id: str) -> None:
    """Note that nothing is encrypted with a key any more."""
    session.execute(sa.delete(secret_keys).where(_s.key_id == key_id))


def kept(db: Database, vault: Sealer, name: str) -> bytes:
    """Return 32 random bytes that were made once for a name and stay the same when the vault's keys change.

    For what must outlive a rotation, such as a chain of signatures. Raises what the vault raises.
    """
    with db.read() as session:
        found = session.execute(_KEPT, {"name": name}).scalar_one_or_none()
    if found is None:
        with db.write() as session:
            found = make_kept(session, vault, name)
    return urlsafe_b64decode(vault.decrypt(found, purpose="kept key", row=name))


def make_kept(session: Session, vault: Sealer, name: str) -> str:
    """Make a kept key unless another process was first, and return it sealed."""
    made = urlsafe_b64encode(secrets.token_bytes(KEPT_BYTES))
    text = vault.encrypt(made, purpose="kept key", row=name)
    row = {"name": name, "secret": text, "created_at": clock.now()}
    session.execute(upsert(session.dialect.name, kept_keys).on_conflict_do_nothing(), row)
    found: str = session.execute(_KEPT, {"name": name}).scalar_one()
    return found


def give_up(session: Session, key_id: str) -> Mapping[str, int]:
    """Go on without a key that is lost; return how many secrets of each column cannot be read any more.

    They stay as they are, to be entered anew by whoever they belong to; kept keys are made anew.
    """
    lost = {column.name: _count(session, column, key_id) for column in columns()}
    beginning = sealed.beginning(key_id)
    session.execute(sa.delete(kept_keys).where(_begins(kept_keys.c.secret, len(beginning)) == beginning))
    _note(session, key_id, given_up_at=clock.now())
    return {name: count for name, count in lost.items() if count}


def _count(session: Session, column: SealedColumn, key_id: str) -> int:
    rows = session.execute(_by_beginning(column))
    return sum(row.secrets for row in rows if _key_id(row.beginning) == key_id)


@cache
def _all_by_beginning() -> tuple[sa.Select[str, int], ...]:
    return tuple(map(_by_beginning, columns()))


def _by_beginning(column: SealedColumn) -> sa.Select[str, int]:
    beginning = _begins(column.column, _LENGTH).label("beginning")
    return (
        sa.select(beginning, sa.func.count().label("secrets"))
        .where(column.column.is_not(None))
        .group_by(beginning)
    )


_LENGTH = len(sealed.beginning("0" * 2 * sealed.KEY_ID_BYTES))


def _begins(column: sa.ColumnElement[str], length: int) -> sa.ColumnElement[str]:
    return sa.func.substr(column, 1, length, type_=Text())


def _key_id(beginning: str) -> str:
    found = sealed.parts(f"{beginning}x")
    return found[0] if found else ""


def _missing(key_id: str) -> str:
    return (
        f"The database holds secrets that were encrypted with the key {key_id}, which is not at hand. List "
        "it behind the new one, as in HEFESTO_SECRET_KEY=new,old; then run `hefesto keys rotate-secret`. "
        "Where none was set, it is in the file secret.key that lay beside the database. If it is lost: "
        f"`hefesto keys rotate-secret --lost {key_id}`."
    )
