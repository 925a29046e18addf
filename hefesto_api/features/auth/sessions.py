"""Sessions: started by a login, renewed by refresh tokens that are good once, ended as a whole."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct, structs

from hefesto_api.adapters import logs
from hefesto_api.adapters.tokens import ACCESS_SECONDS
from hefesto_api.domain import audit, clock, credentials
from hefesto_api.storage import sessions, users
from hefesto_api.web.errors import InvalidCredentials

if TYPE_CHECKING:
    from hefesto_api.adapters.passwords import Passwords
    from hefesto_api.adapters.secrets import Vault
    from hefesto_api.adapters.tokens import Tokens
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.sessions import Place, SessionRecord, Standing, TokenRecord
    from hefesto_api.storage.users import UserRecord

REFRESHED_WITHIN = timedelta(days=30)  # or a session ends
LONGEST = timedelta(days=90)  # that a session lasts without another login, however it is used
GRACE = timedelta(seconds=10)  # in which the answer to a refresh may be asked for again, since it may be lost
NOT_GOOD = "This refresh token is not good (any more): log in again."
_PURPOSE = "refresh-tokens"


class Desk(NamedTuple):
    """What dealing with sessions takes."""

    db: Database
    vault: Vault
    tokens: Tokens
    passwords: Passwords


class Issued(Struct, frozen=True):
    """What a client has a session with."""

    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - a kind of token
    expires_in: int = ACCESS_SECONDS

    def __repr__(self) -> str:
        return f"Issued({self.token_type!r}, {self.expires_in!r})"


class _Renewed(NamedTuple):
    """A session with its next refresh token."""

    standing: Standing
    refresh_token: str


def begin(session: Session, user: UserRecord, place: Place, now: datetime) -> tuple[SessionRecord, str]:
    """Start a session within the transaction of a login; return it with its first refresh token."""
    until = now + REFRESHED_WITHIN
    started = sessions.start(session, user.id, user.token_epoch, place, now=now, until=until)
    refresh_token = credentials.new(credentials.REFRESH)
    sessions.add_token(session, credentials.hashed(refresh_token), started.id, until=until)
    users.logged_in(session, user.id, now)
    actor = _as_user(user, started.id)
    audit.note("session.started", "session", started.id, {"user": user.email}, actor=actor)
    return started, refresh_token


def issued(desk: Desk, user: UserRecord, session_id: str, refresh_token: str) -> Issued:
    """Return what a session's client is given; call it when the transaction is through."""
    access_token = desk.tokens.mint_access(
        user.id, kind="user", scopes=user.scopes, session=session_id, epoch=user.token_epoch
    )
    return Issued(access_token, refresh_token)


def renew(desk: Desk, shown: str, place: Place) -> Issued:
    """Return the next tokens of a session; a refresh token that was used up before ends it.

    Whoever comes with the same token within `GRACE` is given the same successor: his answer may have been
    lost. Later it was stolen, from him or by him. Raises InvalidCredentials.
    """
    token_hash = credentials.hashed(shown)
    with desk.db.read() as session:
        if not shown.startswith(credentials.REFRESH) or sessions.find_token(session, token_hash) is None:
            raise InvalidCredentials(NOT_GOOD)
    with desk.db.write(witnessed=False) as session:
        renewed = _renewed(session, desk.vault, shown, place)
    if renewed is None:
        raise InvalidCredentials(NOT_GOOD)
    standing = renewed.standing
    return issued(desk, standing.user, standing.session.id, renewed.refresh_token)


def end(db: Database, session_id: str, user_id: str) -> None:
    """End a session of a user: a logout."""
    with db.write() as session:
        if sessions.end(session, session_id, "logout", now=clock.now()):
            audit.note("session.ended", "session", session_id, {"user_id": user_id})


def end_by_token(db: Database, shown: str) -> None:
    """End the session of a refresh token, if it is one; who shows a token need not be told what it was."""
    with db.write() as session:
        token = sessions.find_token(session, credentials.hashed(shown))
        if token is not None and sessions.end(session, token.session_id, "logout", now=clock.now()):
            audit.note("session.ended", "session", token.session_id)


def revoke(db: Database, user_id: str, session_id: str) -> None:
    """End one of a user's sessions from another; raises NotFound."""
    with db.write() as session:
        sessions.end_of_user(session, user_id, session_id, now=clock.now())
        audit.note("session.revoked", "session", session_id, {"reason": "by its user"})


def revoke_others(db: Database, user_id: str, session_id: str) -> int:
    """End all of a user's sessions but one; return how many these were."""
    with db.write() as session:
        ended = sessions.end_all(session, user_id, "revoked", now=clock.now(), but=session_id)
        audit.note("session.revoked", "user", user_id, {"sessions": ended, "reason": "by their user"})
        return ended


def listed(session: Session, user_id: str, present: str) -> list[dict[str, Any]]:
    """Return a user's sessions as they go over the wire, the latest used first."""
    return [_as_told(one, present) for one in sessions.of_user(session, user_id, now=clock.now())]


def _as_user(user: UserRecord, session_id: str) -> audit.Actor:
    """Return who acts once a stranger has become a user."""
    act = audit.current()
    stranger = audit.SYSTEM if act is None else act.who()
    return structs.replace(stranger, user_id=user.id, user_name=user.email, credential=session_id)


def _as_told(record: SessionRecord, present: str) -> dict[str, Any]:
    moments = {
        name: clock.rfc3339(getattr(record, name)) for name in ("created_at", "last_used_at", "expires_at")
    }
    return {
        "id": record.id,
        "ip_address": record.ip_address,
        "user_agent": record.user_agent,
        "is_current": record.id == present,
        **moments,
    }


def _renewed(session: Session, vault: Vault, shown: str, place: Place) -> _Renewed | None:
    now = clock.now()
    token = sessions.find_token(session, credentials.hashed(shown))
    if token is None or token.expires_at <= now:
        return None
    standing = sessions.standing(session, token.session_id, now)
    if standing is None:
        return None
    if sessions.spend_token(session, token.hash, now=now):
        return _Renewed(standing, _successor(session, vault, shown, standing.session, place))
    used = sessions.find_token(session, token.hash)
    if used is not None and used.used_at is not None and now - used.used_at <= GRACE:
        again = _successor_again(session, vault, shown)
        return None if again is None else _Renewed(standing, again)
    _stolen(session, token, standing)
    return None


def _successor(session: Session, vault: Vault, shown: str, record: SessionRecord, place: Place) -> str:
    now = clock.now()
    until = min(now + REFRESHED_WITHIN, record.created_at + LONGEST)
    successor = credentials.following(shown, vault.key(_PURPOSE))
    sessions.add_token(session, credentials.hashed(successor), record.id, until=until)
    sessions.touch(session, record.id, place, now=now, until=until)
    return successor


def _successor_again(session: Session, vault: Vault, shown: str) -> str | None:
    """Return the successor that somebody was given, whichever of our keys it was made by."""
    made = (credentials.following(shown, key) for key in vault.keys(_PURPOSE))
    return next((one for one in made if sessions.find_token(session, credentials.hashed(one))), None)


def _stolen(session: Session, token: TokenRecord, standing: Standing) -> None:
    sessions.end(session, token.session_id, "reuse", now=clock.now())
    told = {"user": standing.user.email, "reason": "a refresh token was shown again after its use"}
    audit.note("session.revoked", "session", token.session_id, told)
    logs.of("sessions").warning("refresh_token_reused", session=token.session_id, user=standing.user.id)
