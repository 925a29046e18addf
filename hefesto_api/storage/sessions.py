"""Sessions: each is a family of refresh tokens, of which one is good at a time, and ends as a whole."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain import ids
from hefesto_api.domain.access import Principal
from hefesto_api.domain.claims import Claims
from hefesto_api.domain.errors import NotFound
from hefesto_api.storage import users
from hefesto_api.storage.base import Session, Text, UtcDateTime, metadata
from hefesto_api.storage.users import UserRecord

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("user_id", Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("ip_address", Text, nullable=False),
    sa.Column("network", Text, nullable=False),
    sa.Column("user_agent", Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("last_used_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("end_reason", Text),
    sa.Index(None, "user_id", "network"),
    sa.Index(None, "expires_at"),
)
refresh_tokens = sa.Table(
    "refresh_tokens",
    metadata,
    sa.Column("hash", Text, primary_key=True),
    sa.Column("session_id", Text, sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("used_at", UtcDateTime),
    sa.Index(None, "session_id"),
    sa.Index(None, "expires_at"),
)
_s, _t, _users = sessions.c, refresh_tokens.c, users.users

MOST_OF_ONE = 100  # sessions of one user at a time; one more ends the one that rested longest
REMEMBERED = timedelta(days=90)  # after its end, so that the places that a user logs in from stay known


class SessionRecord(Struct, frozen=True):
    """A row of `sessions`; `network` is what `ip_address` is counted by, `epoch` the user's at the login.

    `expires_at` is when it ends unless it is used; `end_reason` is logout, revoked, password_changed, reuse
    or crowded_out.
    """

    id: str
    user_id: str
    epoch: int
    ip_address: str
    network: str
    user_agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    end_reason: str | None = None

    def is_live(self, now: datetime) -> bool:
        """Tell whether it goes on."""
        return self.ended_at is None and now < self.expires_at


class Standing(NamedTuple):
    """A session and whose it is."""

    session: SessionRecord
    user: UserRecord

    def counts(self, now: datetime) -> bool:
        """Tell whether the session goes on, and the user may still come in as of then."""
        user = self.user
        return self.session.is_live(now) and user.is_active and user.token_epoch == self.session.epoch


class Place(Struct, frozen=True):
    """Where somebody calls from, and with what."""

    ip_address: str
    network: str
    user_agent: str


class TokenRecord(Struct, frozen=True):
    """A row of `refresh_tokens`."""

    hash: str
    session_id: str
    expires_at: datetime
    used_at: datetime | None


_USER = sa.bindparam("of_user", type_=Text)
_NOW = sa.bindparam("now", type_=UtcDateTime)
_LIVE = sa.and_(_s.ended_at.is_(None), _s.expires_at > _NOW)
_BY_ID = sa.select(sessions).where(_s.id == sa.bindparam("id"))
_OF_USER = sa.select(sessions).where(_s.user_id == _USER, _LIVE).order_by(_s.last_used_at.desc(), _s.id)
_CROWD = (
    sa.select(_s.id).where(_s.user_id == _USER, _LIVE).order_by(_s.last_used_at.desc()).offset(MOST_OF_ONE)
)
_WITH_USER = (
    sa.select(sessions, *_users.c).join(_users, _users.c.id == _s.user_id).where(_s.id == sa.bindparam("id"))
)
_INSERT = sa.insert(sessions)
_END = sa.update(sessions).where(_LIVE).values(ended_at=_NOW, end_reason=sa.bindparam("reason"))
_END_ONE = _END.where(_s.id == sa.bindparam("of_id"))
_END_ALL = _END.where(_s.user_id == _USER, _s.id != sa.bindparam("but"))
_TOUCH = (
    sa.update(sessions)
    .where(_s.id == sa.bindparam("of_id"))
    .values(
        last_used_at=_NOW,
        expires_at=sa.bindparam("until", type_=UtcDateTime),
        ip_address=sa.bindparam("address"),
        network=sa.bindparam("from_network"),
        user_agent=sa.bindparam("agent"),
    )
)
_IS_KNOWN = (
    sa.select(sa.literal(1)).where(_s.user_id == _USER, _s.network == sa.bindparam("from_network")).limit(1)
)
_TOKEN = sa.select(refresh_tokens).where(_t.hash == sa.bindparam("hash"))
_INSERT_TOKEN = sa.insert(refresh_tokens)
_SPEND = (
    sa.update(refresh_tokens)
    .where(_t.hash == sa.bindparam("of_hash"), _t.used_at.is_(None))
    .values(used_at=_NOW)
)


def start(
    session: Session, user_id: str, epoch: int, place: Place, *, now: datetime, until: datetime
) -> SessionRecord:
    """Insert a session; a user who has too many loses the one that rested longest."""
    made = SessionRecord(
        ids.new_id(), user_id, epoch, place.ip_address, place.network, place.user_agent, now, now, until
    )
    session.execute(_INSERT, structs.asdict(made))
    crowd = [row.id for row in session.execute(_CROWD, {"of_user": user_id, "now": now})]
    for session_id in crowd:
        end(session, session_id, "crowded_out", now=now)
    return made


def find(session: Session, session_id: str) -> SessionRecord | None:
    """Return a session, if there is one of that id."""
    row = session.execute(_BY_ID, {"id": session_id}).first()
    return None if row is None else SessionRecord(*row)


def principal_of(session: Session, claims: Claims, now: datetime) -> Principal | None:
    """Return who shows a token of a session; None when the session or the user does not stand any more."""
    found = standing(session, claims.sid, now)
    if found is None or found.user.id != claims.sub or found.user.token_epoch != claims.epoch:
        return None
    user = found.user
    bound = None if user.projects is None else frozenset(user.projects)
    return Principal(user.id, user.email, user.scopes, bound, "user", user.tier, found.session.id)


def standing(session: Session, session_id: str, now: datetime) -> Standing | None:
    """Return a session that goes on, with its user; None when one of them does not."""
    row = session.execute(_WITH_USER, {"id": session_id}).first()
    if row is None:
        return None
    many = len(sessions.c)
    found = Standing(SessionRecord(*row[:many]), UserRecord(*row[many:]))
    return found if found.counts(now) else None


def of_user(session: Session, user_id: str, *, now: datetime) -> list[SessionRecord]:
    """Return the sessions of a user that go on, the latest used first."""
    return [SessionRecord(*row) for row in session.execute(_OF_USER, {"of_user": user_id, "now": now})]


def touch(session: Session, session_id: str, place: Place, *, now: datetime, until: datetime) -> None:
    """Note that a session was used, and from where."""
    values = {
        "of_id": session_id, "now": now, "until": until, "address": place.ip_address,
        "from_network": place.network, "agent": place.user_agent,
    }  # fmt: skip
    session.execute(_TOUCH, values)


def end(session: Session, session_id: str, reason: str, *, now: datetime) -> bool:
    """End a session; tell whether it was going on."""
    return session.execute(_END_ONE, {"of_id": session_id, "reason": reason, "now": now}).rowcount == 1


def end_of_user(session: Session, user_id: str, session_id: str, *, now: datetime) -> None:
    """End a user's session; raises NotFound when it is somebody else's or does not go on."""
    found = find(session, session_id)
    if found is None or found.user_id != user_id or not end(session, session_id, "revoked", now=now):
        raise NotFound("session", session_id)


def end_all(session: Session, user_id: str, reason: str, *, now: datetime, but: str = "") -> int:
    """End a user's sessions, all but one; return how many went on."""
    values = {"of_user": user_id, "but": but, "reason": reason, "now": now}
    return session.execute(_END_ALL, values).rowcount


def is_known_place(session: Session, user_id: str, network: str) -> bool:
    """Tell whether a user has logged in from a network in the last months."""
    known = session.execute(_IS_KNOWN, {"of_user": user_id, "from_network": network})
    return known.first() is not None


def add_token(session: Session, token_hash: str, session_id: str, *, until: datetime) -> None:
    """Keep the hash of a session's next refresh token."""
    row = {"hash": token_hash, "session_id": session_id, "expires_at": until}
    session.execute(_INSERT_TOKEN, row)


def find_token(session: Session, token_hash: str) -> TokenRecord | None:
    """Return a refresh token by its hash, if there is one."""
    row = session.execute(_TOKEN, {"hash": token_hash}).first()
    return None if row is None else TokenRecord(*row)


def spend_token(session: Session, token_hash: str, *, now: datetime) -> bool:
    """Use a refresh token up; of all who try at once, one is told yes."""
    return session.execute(_SPEND, {"of_hash": token_hash, "now": now}).rowcount == 1


def purge(session: Session, now: datetime, *, limit: int = 5000) -> int:
    """Delete tokens that expired and sessions that ended long ago; return how many rows, at most `limit`."""
    old_tokens = sa.select(_t.hash).where(_t.expires_at < now).limit(limit)
    gone = session.execute(sa.delete(refresh_tokens).where(_t.hash.in_(old_tokens))).rowcount
    old = sa.select(_s.id).where(_s.expires_at < now - REMEMBERED).limit(limit - gone)
    return gone + session.execute(sa.delete(sessions).where(_s.id.in_(old))).rowcount
