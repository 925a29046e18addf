"""What OAuth clients were given: grants, the codes that become them, and the refresh tokens that renew them.

Every access token of a client names its grant, and counts only while that stands. Codes and refresh tokens
are kept as hashes, used once by one statement, and remembered afterwards: one that comes again was stolen.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.storage.base import Json, Session, Text, UtcDateTime, metadata
from hefesto_api.storage.oauth_clients import ClientRecord, oauth_clients
from hefesto_api.storage.users import UserRecord, users

oauth_grants = sa.Table(
    "oauth_grants",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("client_id", Text, sa.ForeignKey("oauth_clients.id", ondelete="CASCADE"), nullable=False),
    sa.Column("user_id", Text, sa.ForeignKey("users.id", ondelete="CASCADE")),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("revoked_at", UtcDateTime),
    sa.Index(None, "client_id"),
    sa.Index(None, "user_id"),
    sa.Index(None, "expires_at"),
)
oauth_codes = sa.Table(
    "oauth_codes",
    metadata,
    sa.Column("hash", Text, primary_key=True),
    sa.Column("client_id", Text, sa.ForeignKey("oauth_clients.id", ondelete="CASCADE"), nullable=False),
    sa.Column("user_id", Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("redirect_uri", Text, nullable=False),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("challenge", Text, nullable=False),
    sa.Column("grant_id", Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("used_at", UtcDateTime),
    sa.Index(None, "client_id"),
    sa.Index(None, "user_id"),
    sa.Index(None, "expires_at"),
)
oauth_refresh_tokens = sa.Table(
    "oauth_refresh_tokens",
    metadata,
    sa.Column("hash", Text, primary_key=True),
    sa.Column("grant_id", Text, sa.ForeignKey("oauth_grants.id", ondelete="CASCADE"), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("used_at", UtcDateTime),
    sa.Index(None, "grant_id"),
)
ENDED_GRANTS = timedelta(days=1)
SHOWN_CODES = timedelta(days=31)  # longer than what one gave lasts without being renewed
_g, _k, _r = oauth_grants.c, oauth_codes.c, oauth_refresh_tokens.c


class GrantRecord(Struct, frozen=True):
    """A row of `oauth_grants`: what a user (None: the client itself) lets a client do, until when.

    `epoch` is the user's count of withdrawals when it was given.
    """

    id: str
    client_id: str
    user_id: str | None
    scopes: list[str]
    epoch: int
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


class CodeRecord(Struct, frozen=True):
    """A row of `oauth_codes`; `grant_id` names the grant that it becomes."""

    hash: str
    client_id: str
    user_id: str
    epoch: int
    redirect_uri: str
    scopes: list[str]
    challenge: str
    grant_id: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None

    def __repr__(self) -> str:
        return f"CodeRecord(for {self.grant_id!r})"


class RefreshRecord(Struct, frozen=True):
    """A row of `oauth_refresh_tokens`."""

    hash: str
    grant_id: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None

    def __repr__(self) -> str:
        return f"RefreshRecord(of {self.grant_id!r})"


class Standing(NamedTuple):
    """A grant with what decides whether it stands: its client, that one's owner, and the user who gave it."""

    grant: GrantRecord
    client: ClientRecord
    owner: UserRecord | None
    user: UserRecord | None

    def holds(self, now: datetime) -> bool:
        """Tell whether tokens of this grant count."""
        grant, user = self.grant, self.user
        if grant.revoked_at is not None or grant.expires_at <= now or not self.client.is_active:
            return False
        if self.owner is not None and not self.owner.is_active:
            return False
        if grant.user_id is None:
            return True
        return user is not None and user.is_active and user.token_epoch == grant.epoch

    @property
    def scopes(self) -> frozenset[str]:
        """What the grant allows now: never more than its client may, nor the person behind it."""
        allowed = within(self.grant.scopes, frozenset(self.client.scopes))
        return allowed if self._person is None else within(allowed, self._person.scopes)

    @property
    def projects(self) -> frozenset[str] | None:
        """Where it allows that; None is everywhere."""
        bounds = [self.client.projects, self._person.projects if self._person is not None else None]
        named = [frozenset(bound) for bound in bounds if bound is not None]
        return frozenset.intersection(*named) if named else None

    @property
    def _person(self) -> UserRecord | None:
        """Who answers for it: the user who gave it, or for the client itself whom that belongs to."""
        return self.owner if self.grant.user_id is None else self.user


_owners, _givers = users.alias("owners"), users.alias("givers")
_STANDING = (
    sa.select(*oauth_grants.c, *oauth_clients.c, *_owners.c, *_givers.c)
    .join_from(oauth_grants, oauth_clients, _g.client_id == oauth_clients.c.id)
    .outerjoin(_owners, oauth_clients.c.user_id == _owners.c.id)
    .outerjoin(_givers, _g.user_id == _givers.c.id)
    .where(_g.id == sa.bindparam("id"))
)
_ENDS = (
    len(oauth_grants.c),
    len(oauth_grants.c) + len(oauth_clients.c),
    len(oauth_grants.c) + len(oauth_clients.c) + len(users.c),
)
_CODE = sa.select(oauth_codes).where(_k.hash == sa.bindparam("hash"))
_REFRESH = sa.select(oauth_refresh_tokens).where(_r.hash == sa.bindparam("hash"))
_NOW = sa.bindparam("now", type_=UtcDateTime)
_OF_HASH: sa.BindParameter[str] = sa.bindparam("of_hash")
_USE_CODE = (
    sa.update(oauth_codes)
    .where(_k.hash == _OF_HASH, _k.used_at.is_(None), _k.expires_at > _NOW)
    .values(used_at=_NOW)
)
_USE_REFRESH = (
    sa.update(oauth_refresh_tokens)
    .where(_r.hash == _OF_HASH, _r.used_at.is_(None), _r.expires_at > _NOW)
    .values(used_at=_NOW)
)
_REVOKE = (
    sa.update(oauth_grants)
    .where(_g.id == sa.bindparam("of_grant"), _g.revoked_at.is_(None))
    .values(revoked_at=_NOW)
)
_OF_USER = (
    sa.select(*oauth_grants.c, oauth_clients.c.name)
    .join_from(oauth_grants, oauth_clients, _g.client_id == oauth_clients.c.id)
    .where(_g.user_id == sa.bindparam("of_user"), _g.revoked_at.is_(None), _g.expires_at > _NOW)
    .order_by(_g.id.desc())
)


def add(session: Session, grant: GrantRecord) -> None:
    """Insert a grant."""
    session.execute(sa.insert(oauth_grants), structs.asdict(grant))


def standing(session: Session, grant_id: str) -> Standing | None:
    """Return a grant with all that decides whether it stands."""
    row = session.execute(_STANDING, {"id": grant_id}).first()
    if row is None:
        return None
    values = tuple(row)
    first, second, third = _ENDS
    owner, user = values[second:third], values[third:]
    return Standing(
        GrantRecord(*values[:first]),
        ClientRecord(*values[first:second]),
        None if owner[0] is None else UserRecord(*owner),
        None if user[0] is None else UserRecord(*user),
    )


def revoke(session: Session, grant_id: str, now: datetime) -> bool:
    """Let no token of a grant count any more; tell whether that changed anything."""
    return session.execute(_REVOKE, {"of_grant": grant_id, "now": now}).rowcount == 1


def of_user(session: Session, user_id: str, now: datetime) -> list[tuple[GrantRecord, str]]:
    """Return what a user lets clients do, the latest first, each with the client's name."""
    found = session.execute(_OF_USER, {"of_user": user_id, "now": now})
    many = len(oauth_grants.c)
    return [(GrantRecord(*row[:many]), row[many]) for row in map(tuple, found)]


def revoke_of_user(session: Session, grant_id: str, user_id: str, now: datetime) -> bool:
    """Let no token of a grant count any more, if this user gave it; tell whether that changed anything."""
    mine = _REVOKE.where(_g.user_id == user_id)
    return session.execute(mine, {"of_grant": grant_id, "now": now}).rowcount == 1


def revoke_all(session: Session, client_id: str, now: datetime) -> int:
    """Take from a client all that it was given; return how much that was."""
    codes = sa.update(oauth_codes).where(_k.client_id == client_id, _k.used_at.is_(None)).values(used_at=now)
    session.execute(codes)
    held = sa.update(oauth_grants).where(_g.client_id == client_id, _g.revoked_at.is_(None))
    return session.execute(held.values(revoked_at=now)).rowcount


def renew(session: Session, grant_id: str, expires_at: datetime) -> None:
    """Let a grant last longer."""
    session.execute(sa.update(oauth_grants).where(_g.id == grant_id).values(expires_at=expires_at))


def add_code(session: Session, code: CodeRecord) -> None:
    """Insert a code."""
    session.execute(sa.insert(oauth_codes), structs.asdict(code))


def find_code(session: Session, code_hash: str) -> CodeRecord | None:
    """Return a code, used and expired ones as well."""
    row = session.execute(_CODE, {"hash": code_hash}).first()
    return None if row is None else CodeRecord(*row)


def use_code(session: Session, code_hash: str, now: datetime) -> bool:
    """Use a code up; False when somebody has already, or it is too old."""
    return session.execute(_USE_CODE, {"of_hash": code_hash, "now": now}).rowcount == 1


def add_refresh(session: Session, token: RefreshRecord) -> None:
    """Insert a refresh token."""
    session.execute(sa.insert(oauth_refresh_tokens), structs.asdict(token))


def find_refresh(session: Session, token_hash: str) -> RefreshRecord | None:
    """Return a refresh token, used and expired ones as well."""
    row = session.execute(_REFRESH, {"hash": token_hash}).first()
    return None if row is None else RefreshRecord(*row)


def use_refresh(session: Session, token_hash: str, now: datetime) -> bool:
    """Use a refresh token up; False when somebody has already, or it is too old."""
    return session.execute(_USE_REFRESH, {"of_hash": token_hash, "now": now}).rowcount == 1


def purge(session: Session, now: datetime, *, limit: int = 1000) -> int:
    """Delete some grants that ended a while ago, with their refresh tokens, and old codes; return how many.

    A code outlives the grant that it became: when it comes again it still tells of a theft.
    """
    held = sa.select(_g.id).where(_g.expires_at < now - ENDED_GRANTS).limit(limit)
    grants = session.execute(sa.delete(oauth_grants).where(_g.id.in_(held))).rowcount
    shown = sa.select(_k.hash).where(_k.expires_at < now - SHOWN_CODES).limit(limit)
    codes = session.execute(sa.delete(oauth_codes).where(_k.hash.in_(shown))).rowcount
    return grants + codes


def within(wanted: Collection[str], held: frozenset[str]) -> frozenset[str]:
    """Return what of some scopes is held; `admin` holds all."""
    if "admin" in held:
        return frozenset(wanted)
    if "admin" in wanted:
        return held
    return held.intersection(wanted)
