"""Second factors: what makes a user's one-time codes, and the backup codes for when that is lost."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.storage.base import Blob, Session, Text, UtcDateTime, metadata, upsert
from hefesto_api.storage.sealed import SealedText

PURPOSE = "totp"
second_factors = sa.Table(
    "second_factors",
    metadata,
    sa.Column("user_id", Text, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("sealed", SealedText(PURPOSE, "user_id"), nullable=False),
    sa.Column("salt", Blob, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("confirmed_at", UtcDateTime),
    sa.Column("last_step", sa.BigInteger, nullable=False),
)
backup_codes = sa.Table(
    "backup_codes",
    metadata,
    sa.Column("user_id", Text, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("hash", Text, primary_key=True),
    sa.Column("used_at", UtcDateTime),
)
_f, _b = second_factors.c, backup_codes.c


class FactorRecord(Struct, frozen=True):
    """A row of `second_factors`: `sealed` is the seed of its codes, `salt` that of the backup codes.

    It is in force from `confirmed_at` on; of `last_step` and the steps before it no code is taken any more.
    """

    user_id: str
    sealed: str
    salt: bytes
    created_at: datetime
    confirmed_at: datetime | None
    last_step: int

    def __repr__(self) -> str:
        return f"FactorRecord({self.user_id!r}, confirmed_at={self.confirmed_at!r})"


_USER = sa.bindparam("of_user", type_=Text)
_NOW = sa.bindparam("now", type_=UtcDateTime)
_STEP = sa.bindparam("step", type_=sa.BigInteger)
_OF_USER = sa.select(second_factors).where(_f.user_id == _USER)
_TAKE_STEP = (
    sa.update(second_factors).where(_f.user_id == _USER, _f.last_step < _STEP).values(last_step=_STEP)
)
_CONFIRM = (
    sa.update(second_factors).where(_f.user_id == _USER, _f.confirmed_at.is_(None)).values(confirmed_at=_NOW)
)
_TAKE_CODE = (
    sa.update(backup_codes)
    .where(_b.user_id == _USER, _b.hash == sa.bindparam("of_hash"), _b.used_at.is_(None))
    .values(used_at=_NOW)
)
_LEFT = sa.select(sa.func.count()).select_from(backup_codes).where(_b.user_id == _USER, _b.used_at.is_(None))


def find(session: Session, user_id: str) -> FactorRecord | None:
    """Return a user's second factor, in force or about to be."""
    row = session.execute(_OF_USER, {"of_user": user_id}).first()
    return None if row is None else FactorRecord(*row)


def prepare(session: Session, user_id: str, sealed: str, salt: bytes, *, now: datetime) -> bool:
    """Keep the seed of a factor to be, in place of one that was not confirmed; no: one is in force."""
    row = {"user_id": user_id, "sealed": sealed, "salt": salt, "created_at": now, "last_step": 0}
    return session.execute(_prepare(session.dialect.name), row).first() is not None


def confirm(session: Session, user_id: str, *, now: datetime) -> bool:
    """Put a prepared factor in force; no: it is already, or there is none."""
    return session.execute(_CONFIRM, {"of_user": user_id, "now": now}).rowcount == 1


def take_step(session: Session, user_id: str, step: int) -> bool:
    """Use up the code of a step of time; of all who try at once, one is told yes."""
    return session.execute(_TAKE_STEP, {"of_user": user_id, "step": step}).rowcount == 1


def take_code(session: Session, user_id: str, code_hash: str, *, now: datetime) -> bool:
    """Use up a backup code; of all who try at once, one is told yes."""
    values = {"of_user": user_id, "of_hash": code_hash, "now": now}
    return session.execute(_TAKE_CODE, values).rowcount == 1


def replace_codes(session: Session, user_id: str, salt: bytes, hashes: Iterable[str]) -> None:
    """Keep new backup codes; the former ones count no more."""
    session.execute(sa.delete(backup_codes).where(_b.user_id == user_id))
    session.execute(sa.update(second_factors).where(_f.user_id == user_id).values(salt=salt))
    session.execute(sa.insert(backup_codes), [{"user_id": user_id, "hash": one} for one in hashes])


def codes_left(session: Session, user_id: str) -> int:
    """Return how many backup codes are unused."""
    return int(session.execute(_LEFT, {"of_user": user_id}).scalar_one())


def remove(session: Session, user_id: str) -> bool:
    """Delete a user's factor with its backup codes; tell whether one was in force."""
    found = find(session, user_id)
    session.execute(sa.delete(backup_codes).where(_b.user_id == user_id))
    session.execute(sa.delete(second_factors).where(_f.user_id == user_id))
    return found is not None and found.confirmed_at is not None


def purge(session: Session, before: datetime) -> int:
    """Delete factors that were prepared before a time and never confirmed."""
    stale = sa.delete(second_factors).where(_f.confirmed_at.is_(None), _f.created_at < before)
    return session.execute(stale).rowcount


@cache
def _prepare(dialect: str) -> Any:
    insert = upsert(dialect, second_factors)
    new = {name: insert.excluded[name] for name in ("sealed", "salt", "created_at", "last_step")}
    return insert.on_conflict_do_update(
        index_elements=["user_id"], set_=new, where=_f.confirmed_at.is_(None)
    ).returning(_f.user_id)
