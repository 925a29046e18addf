"""Signing in with an OpenID provider: whom it vouches for, who that is here, and what he may.

A provider's subject is linked to a user once, and stays it whatever its address becomes. An address alone
links only when the provider says that it is its holder's, and when whoever made the account here cannot have
been a stranger who waits for that.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from hefesto_api.adapters import logs
from hefesto_api.domain import audit, clock, emails
from hefesto_api.domain.errors import Conflict, UsageError
from hefesto_api.features.auth import accounts, people
from hefesto_api.storage import identities, second_factors, users
from hefesto_api.storage.identities import IdentityRecord
from hefesto_api.web.errors import AuthenticationRequired, InsufficientPermissions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hefesto_api.settings import Settings
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.users import UserRecord

FLOW_LASTS = timedelta(minutes=10)
_LONGEST_NAME = 200
_MOST_VALUES = 1000  # of a claim that names groups


class Flow(NamedTuple):
    """A sign-in under way in one browser; it goes on at `next`, for `user_id` to be linked."""

    state: str
    nonce: str
    verifier: str
    until: float
    next: str = ""
    user_id: str = ""


class Vouched(NamedTuple):
    """Whom the provider vouches for; `email` is None unless it is surely that person's."""

    issuer: str
    subject: str
    email: str | None
    name: str | None
    role: str | None


def refuse_incomplete(settings: Settings) -> None:
    """Refuse settings with which nobody could sign in; raises UsageError."""
    if settings.oidc_issuer and not settings.oidc_client_id:
        raise UsageError("HEFESTO_OIDC_ISSUER needs HEFESTO_OIDC_CLIENT_ID: what the provider calls us.")
    if bool(settings.oidc_role_claim) != bool(settings.oidc_role_mapping):
        raise UsageError(
            "HEFESTO_OIDC_ROLE_CLAIM and HEFESTO_OIDC_ROLE_MAPPING go together: set both, or neither."
        )


def provider_name(settings: Settings) -> str:
    """Return what the provider is called; "" where there is none."""
    return settings.oidc_name or urlsplit(settings.oidc_issuer).hostname or ""


def begin(*, next_: str = "", user_id: str = "") -> Flow:
    """Return a sign-in that has just begun."""
    until = (clock.now() + FLOW_LASTS).timestamp()
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Flow(state, nonce, verifier, until, next_, user_id)


def vouched(settings: Settings, claims: Mapping[str, Any]) -> Vouched:
    """Read what the provider says of somebody; raises InsufficientPermissions for who has no role here."""
    email, said = claims.get("email"), claims.get("email_verified")
    verified = said is True or said == "true" or (said is None and settings.oidc_trust_email)
    surely = isinstance(email, str) and verified and emails.is_email(email)
    name = claims.get("name")
    return Vouched(
        issuer=settings.oidc_issuer,
        subject=claims["sub"],
        email=emails.normal(str(email)) if surely else None,
        name=name[:_LONGEST_NAME] if isinstance(name, str) and name.isprintable() and name else None,
        role=_role(settings, claims),
    )


def user_of(db: Database, settings: Settings, somebody: Vouched, user_id: str = "") -> UserRecord:
    """Return the user whom the provider vouches for: known, linked now, or made now.

    Raises AuthenticationRequired, InsufficientPermissions, Conflict.
    """
    with db.write() as session:
        user = _known(session, somebody, user_id) or _met(session, settings, somebody)
    if not user.is_active:
        raise AuthenticationRequired("This account is switched off.")
    return _with_role(db, user, somebody.role if settings.oidc_role_mapping else None)


def _known(session: Session, somebody: Vouched, user_id: str) -> UserRecord | None:
    """Return the user whom a subject is linked to, or whom it is to be linked to by his own wish."""
    found = identities.find(session, somebody.issuer, somebody.subject)
    if found is not None and user_id not in {"", found.user_id}:
        raise Conflict("This account of the provider is linked to another user.", resource_type="identity")
    if found is not None:
        return users.get(session, found.user_id)
    if not user_id:
        return None
    user = users.get(session, user_id)
    _link(session, somebody, user)
    return user


def _met(session: Session, settings: Settings, somebody: Vouched) -> UserRecord:
    """Return the user of a subject that was never here."""
    if somebody.email is None:
        raise AuthenticationRequired(
            "The provider does not say that your email address is yours, so nobody here is known to be you."
        )
    user = users.by_email(session, somebody.email)
    if user is None:
        user = _new(session, settings, somebody, somebody.email)
    elif not _may_be_linked(session, settings, user):
        raise Conflict(
            "There is an account with your address that has its own password or second factor. "
            "Log in with these, and link the provider from there (POST /api/v1/auth/oidc/link).",
            resource_type="user",
            reason="link_first",
        )
    _link(session, somebody, user)
    return user


def _may_be_linked(session: Session, settings: Settings, user: UserRecord) -> bool:
    """Tell whether an address is enough to become a user.

    Where anybody may register, a stranger may have made the account with a password that he knows. Whoever
    has a second factor wants more than an address to be asked for.
    """
    factor = second_factors.find(session, user.id)
    if factor is not None and factor.confirmed_at is not None:
        return False
    return user.password_hash is None or not _anybody_registers(settings)


def _new(session: Session, settings: Settings, somebody: Vouched, email: str) -> UserRecord:
    chosen = somebody.role or settings.oidc_role
    if not chosen and not _anybody_registers(settings):
        raise InsufficientPermissions("Nobody new is let in by the provider: ask an admin for an account.")
    made = users.create(
        session,
        email,
        role=chosen or accounts.ROLE,
        name=somebody.name,
        projects=None if chosen else (),  # who lets himself in sees nothing until an admin says what
    )
    audit.note("user.created", "user", made.id, {"email": made.email, "role": made.role}, actor=_actor(made))
    return made


def _link(session: Session, somebody: Vouched, user: UserRecord) -> None:
    record = IdentityRecord(somebody.issuer, somebody.subject, user.id, somebody.email, clock.now())
    identities.add(session, record)
    changes = {"issuer": somebody.issuer, "subject": somebody.subject, "user": user.email}
    audit.note("identity.linked", "user", user.id, changes, actor=_actor(user))


def _with_role(db: Database, user: UserRecord, role: str | None) -> UserRecord:
    """Give a user the role that the provider's groups mean, unless he is the last admin."""
    if role is None or role == user.role:
        return user
    try:
        people.change(db, user.id, {"role": role})
    except Conflict:
        logs.of("oidc").warning("last_admin_keeps_role", user=user.id, role=role)
    with db.read() as session:
        return users.get(session, user.id)


def _role(settings: Settings, claims: Mapping[str, Any]) -> str | None:
    """Return the role that somebody's groups mean; where groups decide, who is in none of them has none."""
    if not settings.oidc_role_mapping:
        return None
    held = set(_values(claims, settings.oidc_role_claim))
    found = next((role for value, role in settings.oidc_role_mapping if value in held), None)
    if found is None and not settings.oidc_role:
        raise InsufficientPermissions("None of your groups at the provider has a role here.")
    return found or settings.oidc_role


def _values(claims: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield the texts of a claim, named as a whole (`https://a.b/roles`) or by a way through several."""
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    for value in found[:_MOST_VALUES] if isinstance(found, list) else [found]:
        if isinstance(value, str):
            yield value


def _anybody_registers(settings: Settings) -> bool:
    try:
        accounts.expect_open(settings)
    except InsufficientPermissions:
        return False
    return True


def _actor(user: UserRecord) -> audit.Actor:
    return audit.Actor(user.id, user.name)
