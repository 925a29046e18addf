"""API keys: what programs show; of their secrets only hashes are kept."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain import clock, ids, rights
from hefesto_api.domain.access import TIERS, Principal
from hefesto_api.domain.errors import NotFound
from hefesto_api.storage.base import Json, Session, Text, UtcDateTime, metadata
from hefesto_api.storage.users import UserRecord, users

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("hint", Text, nullable=False),
    sa.Column("role", Text),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("projects", Json),
    sa.Column("tier", Text, nullable=False),
    sa.Column("user_id", Text, sa.ForeignKey("users.id", ondelete="CASCADE")),
    sa.Column("created_by", Text, nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("require_signature", sa.Boolean, nullable=False),
    sa.Column("expires_at", UtcDateTime),
    sa.Column("last_used_at", UtcDateTime),
    sa.Column("rotated_at", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Index(None, "user_id", "id"),
    sa.Index(None, "role"),
)
api_key_secrets = sa.Table(
    "api_key_secrets",
    metadata,
    sa.Column("hash", Text, primary_key=True),
    sa.Column("key_id", Text, sa.ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False),
    sa.Column("expires_at", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index(None, "key_id"),
)
_k, _s = api_keys.c, api_key_secrets.c


class KeyRecord(Struct, frozen=True):
    """A row of `api_keys`.

    It may what its `role` and its `scopes` say, in its `projects` (None: in all), and never more than the
    user may to whom it belongs. `hint` is the beginning of its secret.
    """

    id: str
    name: str
    hint: str
    role: str | None
    scopes: list[str]
    projects: list[str] | None
    tier: str
    user_id: str | None
    created_by: str
    is_active: bool
    require_signature: bool
    expires_at: datetime | None
    last_used_at: datetime | None
    rotated_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def all_scopes(self) -> frozenset[str]:
        """What the role and the single scopes allow together."""
        return rights.all_of(self.role, self.scopes)


class Shown(NamedTuple):
    """What a secret stands for: the hash it was found by, until when it counts, its key, whose that is."""

    hash: str
    until: datetime | None
    key: KeyRecord
    owner: UserRecord | None


_ALL = sa.select(api_keys)
_BY_ID = _ALL.where(_k.id == sa.bindparam("id"))
_SHOWN = (
    sa.select(_s.hash, _s.expires_at, *api_keys.c, *users.c)
    .join_from(api_key_secrets, api_keys, _s.key_id == _k.id)
    .outerjoin(users, _k.user_id == users.c.id)
    .where(_s.hash == sa.bindparam("hash"))
)
_KEY_STARTS, _OWNER_STARTS = 2, 2 + len(api_keys.c)


def create(
    session: Session,
    name: str,
    secret_hash: str,
    hint: str,
    *,
    created_by: str,
    role: str | None = None,
    scopes: Collection[str] = (),
    projects: Collection[str] | None = None,
    tier: str = "pro",
    user_id: str | None = None,
    require_signature: bool = False,
    expires_at: datetime | None = None,
) -> KeyRecord:
    """Insert a key with its first secret, given as its hash, and return it."""
    now = clock.now()
    made = KeyRecord(
        id=ids.new_id(),
        name=name,
        hint=hint,
        role="admin" if "admin" in scopes else role,
        scopes=sorted(scopes),
        projects=None if projects is None else sorted(projects),
        tier=tier,
        user_id=user_id,
        created_by=created_by,
        is_active=True,
        require_signature=require_signature,
        expires_at=expires_at,
        last_used_at=None,
        rotated_at=None,
        created_at=now,
        updated_at=now,
    )
    session.execute(sa.insert(api_keys), structs.asdict(made))
    _add_secret(session, made.id, secret_hash, now)
    return made


def shown(session: Session, secret_hash: str) -> Shown | None:
    """Return what a secret of this hash stands for, whether or not it still counts."""
    row = session.execute(_SHOWN, {"hash": secret_hash}).first()
    if row is None:
        return None
    values = tuple(row)
    owner = values[_OWNER_STARTS:]
    return Shown(
        values[0],
        values[1],
        KeyRecord(*values[_KEY_STARTS:_OWNER_STARTS]),
        None if owner[0] is None else UserRecord(*owner),
    )


def principal_of(key: KeyRecord, owner: UserRecord | None) -> Principal:
    """Return who a key calls as: it may never more than the user it belongs to may now."""
    allowed, tier = key.all_scopes, key.tier
    projects = None if key.projects is None else frozenset(key.projects)
    if owner is not None:
        allowed = allowed & owner.scopes
        projects = rights.shared(projects, None if owner.projects is None else frozenset(owner.projects))
        tier = min(tier, owner.tier, key=TIERS.index)
    return Principal(
        key.id, key.name, allowed, projects, "key", tier, key.id, must_sign=key.require_signature
    )


def get(session: Session, key_id: str) -> KeyRecord:
    """Return a key; raises NotFound."""
    row = session.execute(_BY_ID, {"id": key_id}).first()
    if row is None:
        raise NotFound("api_key", key_id)
    return KeyRecord(*row)


def matching(session: Session, *, user_id: str | None = None) -> list[KeyRecord]:
    """Return all keys, or a user's, the oldest first."""
    wanted = [] if user_id is None else [_k.user_id == user_id]
    return [KeyRecord(*row) for row in session.execute(_ALL.where(*wanted).order_by(_k.id))]


def rotate(
    session: Session, key_id: str, secret_hash: str, hint: str, *, until: datetime | None = None
) -> KeyRecord:
    """Give a key a new secret; the former ones count until a moment, or (None) no longer."""
    now = clock.now()
    if until is None:
        session.execute(sa.delete(api_key_secrets).where(_s.key_id == key_id))
    else:
        lasting = sa.or_(_s.expires_at.is_(None), _s.expires_at > until)
        session.execute(
            sa.update(api_key_secrets).where(_s.key_id == key_id, lasting).values(expires_at=until)
        )
        session.execute(sa.delete(api_key_secrets).where(_s.key_id == key_id, _s.expires_at <= now))
    _add_secret(session, key_id, secret_hash, now)
    return change(session, key_id, hint=hint, rotated_at=now)


def change(session: Session, key_id: str, **fields: Any) -> KeyRecord:
    """Set columns of a key; raises NotFound."""
    session.execute(sa.update(api_keys).where(_k.id == key_id).values(**fields, updated_at=clock.now()))
    return get(session, key_id)


def delete(session: Session, key_id: str) -> None:
    """Delete a key with its secrets and its usage; raises NotFound."""
    if session.execute(sa.delete(api_keys).where(_k.id == key_id)).rowcount != 1:
        raise NotFound("api_key", key_id)


def purge(session: Session, now: datetime) -> int:
    """Delete the secrets of rotated keys whose time has passed; return how many it was."""
    return session.execute(sa.delete(api_key_secrets).where(_s.expires_at <= now)).rowcount


def _add_secret(session: Session, key_id: str, secret_hash: str, now: datetime) -> None:
    row = {"hash": secret_hash, "key_id": key_id, "expires_at": None, "created_at": now}
    session.execute(sa.insert(api_key_secrets), row)
