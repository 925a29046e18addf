"""Giving clients their tokens: each a transaction that either uses up what was shown for it or gives nothing.

An access token names its grant and counts only while that stands. Tokens are minted outside of transactions,
since the keys that sign them are kept in the same database.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from hefesto_api.adapters.tokens import ACCESS_SECONDS
from hefesto_api.domain import audit, clock, credentials, ids
from hefesto_api.domain.errors import NotFound
from hefesto_api.storage import oauth_clients, oauth_grants
from hefesto_api.storage.oauth_grants import CodeRecord, GrantRecord, RefreshRecord, Standing

if TYPE_CHECKING:
    from hefesto_api.adapters.tokens import Tokens
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.oauth_clients import ClientRecord
    from hefesto_api.storage.users import UserRecord

CODE = "hefc_"
REFRESH = "hefo_"
CODE_LIVES = timedelta(seconds=60)
REFRESH_LIVES = timedelta(days=30)
ACCESS_LIVES = timedelta(seconds=ACCESS_SECONDS)
GRACE = timedelta(seconds=10)  # within which a lost answer may be asked for again
PURPOSE = "oauth-refresh"
_RESOURCE = "oauth_grant"


class Refused(Exception):
    """What was shown is not good (any more)."""


class Giving(Struct, frozen=True):
    """What it takes to give: where it is kept, who signs, and the keys from which refresh tokens follow."""

    db: Database
    tokens: Tokens
    keys: Callable[[], Sequence[bytes]]


def to_itself(giving: Giving, client: ClientRecord, scopes: Collection[str]) -> dict[str, Any]:
    """Give a client a token of its own; raises Refused when nothing is left of what it may."""
    now = clock.now()
    grant = GrantRecord(ids.new_id(), client.id, None, sorted(scopes), 0, now, now + ACCESS_LIVES)
    with giving.db.write() as session:
        oauth_grants.add(session, grant)
        standing = _used(session, grant.id, now)
        _note(standing)
    return _answer(giving, standing, scopes)


def a_code(
    giving: Giving,
    client: ClientRecord,
    user: UserRecord,
    *,
    redirect_uri: str,
    scopes: Collection[str],
    challenge: str,
) -> str:
    """Return a code for what a user consented to: good once, for a minute."""
    text, now = credentials.new(CODE), clock.now()
    code = CodeRecord(
        hash=credentials.hashed(text),
        client_id=client.id,
        user_id=user.id,
        epoch=user.token_epoch,
        redirect_uri=redirect_uri,
        scopes=sorted(scopes),
        challenge=challenge,
        grant_id=ids.new_id(),
        created_at=now,
        expires_at=now + CODE_LIVES,
    )
    with giving.db.write() as session:
        oauth_grants.add_code(session, code)
        changes = {"client": client.name, "client_id": client.id, "scopes": code.scopes}
        audit.note("oauth_consent.given", "oauth_client", client.id, changes, actor=_person(user))
    return text


def code_of(giving: Giving, text: str, client_id: str) -> CodeRecord | None:
    """Return a code that is good for a client; one that was used already takes down what it gave."""
    with giving.db.read() as session:
        found = oauth_grants.find_code(session, credentials.hashed(text))
    if found is None or found.client_id != client_id:
        return None
    if found.used_at is not None:
        _take(giving, found.grant_id, "its code was shown again")
        return None
    return found if found.expires_at > clock.now() else None


def for_code(giving: Giving, code: CodeRecord, *, renewable: bool) -> dict[str, Any]:
    """Give a client what a code is for; raises Refused when somebody else was faster."""
    now = clock.now()
    grant = GrantRecord(
        code.grant_id,
        code.client_id,
        code.user_id,
        code.scopes,
        code.epoch,
        now,
        now + (REFRESH_LIVES if renewable else ACCESS_LIVES),
    )
    refresh = credentials.new(REFRESH) if renewable else None
    with giving.db.write() as session:
        first = oauth_grants.use_code(session, code.hash, now)
        if first:
            oauth_grants.add(session, grant)
            if refresh is not None:
                _keep(session, refresh, grant.id, now)
            standing = _used(session, grant.id, now)
            _note(standing)
    if not first:
        _take(giving, code.grant_id, "its code was shown again")
        raise Refused
    return _answer(giving, standing, code.scopes, refresh)


def refresh_of(giving: Giving, text: str, client_id: str) -> Standing | None:
    """Return the grant that a refresh token renews for a client, if it is good or was until just now."""
    with giving.db.read() as session:
        found = oauth_grants.find_refresh(session, credentials.hashed(text))
        standing = None if found is None else oauth_grants.standing(session, found.grant_id)
    now = clock.now()
    if found is None or standing is None or standing.client.id != client_id:
        return None
    return standing if standing.holds(now) and found.expires_at > now else None


def unused(giving: Giving, text: str) -> tuple[Standing, datetime] | None:
    """Return the grant of a refresh token that is the latest of its line, and until when it is good."""
    with giving.db.read() as session:
        found = oauth_grants.find_refresh(session, credentials.hashed(text))
        standing = None if found is None else oauth_grants.standing(session, found.grant_id)
    now = clock.now()
    if found is None or standing is None or found.used_at is not None:
        return None
    return (standing, found.expires_at) if standing.holds(now) and found.expires_at > now else None


def renewed(giving: Giving, text: str, scopes: Collection[str]) -> dict[str, Any]:
    """Trade a refresh token for its successor; raises Refused.

    One that was traded already is answered with the same successor for some seconds, unless that was used:
    the answer may have got lost. Shown later, it was stolen, or the other was: the grant ends.
    """
    now = clock.now()
    hashed = credentials.hashed(text)
    with giving.db.write(witnessed=False) as session:
        found = oauth_grants.find_refresh(session, hashed)
        if found is None:
            raise Refused
        successor = _successor(giving, session, text, found, now)
        standing = None if successor is None else _used(session, found.grant_id, now)
        if standing is not None:
            oauth_grants.renew(session, found.grant_id, now + REFRESH_LIVES)
    if standing is None:
        _take(giving, found.grant_id, "a refresh token was shown again")
        raise Refused
    return _answer(giving, standing, scopes, successor)


def taken_back(giving: Giving, grant_id: str) -> None:
    """Let nothing of a grant count any more, because its client says so."""
    _take(giving, grant_id, "its client asked for it")


def given_by(db: Database, user_id: str) -> list[dict[str, Any]]:
    """Return what a user lets clients do, as it goes over the wire."""
    with db.read() as session:
        found = oauth_grants.of_user(session, user_id, clock.now())
    return [
        {
            "id": grant.id,
            "client_id": grant.client_id,
            "client": client,
            "scopes": grant.scopes,
            "created_at": clock.rfc3339(grant.created_at),
            "expires_at": clock.rfc3339(grant.expires_at),
        }
        for grant, client in found
    ]


def withdrawn(db: Database, grant_id: str, user_id: str) -> None:
    """Take back what a user lets a client do; raises NotFound."""
    with db.write() as session:
        if not oauth_grants.revoke_of_user(session, grant_id, user_id, clock.now()):
            raise NotFound(_RESOURCE, grant_id)
        audit.note("oauth_grant.revoked", _RESOURCE, grant_id, {"reason": "its user took it back"})


def _successor(
    giving: Giving, session: Session, text: str, found: RefreshRecord, now: datetime
) -> str | None:
    """Return what replaces a refresh token: a new one, or for a while the one that did; None when stolen."""
    if oauth_grants.use_refresh(session, found.hash, now):
        successor = credentials.following(text, _all_keys(giving)[0])
        _keep(session, successor, found.grant_id, now)
        return successor
    traded = oauth_grants.find_refresh(session, found.hash)
    if traded is None or traded.used_at is None or now - traded.used_at > GRACE:
        return None
    for key in _all_keys(giving):  # the first may have been replaced meanwhile
        successor = credentials.following(text, key)
        kept = oauth_grants.find_refresh(session, credentials.hashed(successor))
        if kept is not None:
            return successor if kept.used_at is None else None
    return None


def _answer(
    giving: Giving, standing: Standing, scopes: Collection[str], refresh: str | None = None
) -> dict[str, Any]:
    """Mint the token that goes with a grant; what it names is what it is good for now."""
    grant, user = standing.grant, standing.user
    allowed = oauth_grants.within(scopes, standing.scopes)
    token = giving.tokens.mint_access(
        grant.client_id if user is None else user.id,
        kind="client",
        scopes=allowed,
        session=grant.id,
        client=grant.client_id,
        epoch=grant.epoch,
    )
    told = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
        "scope": " ".join(sorted(allowed)),
    }
    return told if refresh is None else {**told, "refresh_token": refresh}


def _used(session: Session, grant_id: str, now: datetime) -> Standing:
    """Note that a client was served; raises Refused when its grant does not stand."""
    standing = oauth_grants.standing(session, grant_id)
    if standing is None or not standing.holds(now):
        raise Refused
    oauth_clients.used(session, standing.client.id, now)
    return standing


def _all_keys(giving: Giving) -> Sequence[bytes]:
    """Return the keys that successors follow from, the newest first."""
    return giving.keys()


def _keep(session: Session, refresh: str, grant_id: str, now: datetime) -> None:
    oauth_grants.add_refresh(
        session, RefreshRecord(credentials.hashed(refresh), grant_id, now, now + REFRESH_LIVES)
    )


def _take(giving: Giving, grant_id: str, reason: str) -> None:
    with giving.db.write() as session:
        if oauth_grants.revoke(session, grant_id, clock.now()):
            audit.note("oauth_grant.revoked", _RESOURCE, grant_id, {"reason": reason})


def _note(standing: Standing) -> None:
    """Tell the audit log what a client was given."""
    grant, client = standing.grant, standing.client
    changes = {"client": client.name, "scopes": grant.scopes, "user_id": grant.user_id}
    actor = audit.Actor(client.id, client.name, credential=client.id)
    audit.note("oauth_grant.created", _RESOURCE, grant.id, changes, actor=actor)


def _person(user: UserRecord) -> audit.Actor:
    return audit.Actor(user.id, user.email)
