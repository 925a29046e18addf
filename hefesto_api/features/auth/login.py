"""Logging in: a password, a second factor where there is one, and no more tries than an owner needs.

Failures count by account and place together, so that nobody can lock an owner out from elsewhere. All
failures of an account from places that it never logged in from count as well: they close it to such places.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from hefesto_api.domain import audit, clock, credentials, emails
from hefesto_api.domain.errors import HefestoError
from hefesto_api.features.auth import mfa, sessions
from hefesto_api.storage import sessions as records
from hefesto_api.storage import throttles, users
from hefesto_api.storage.throttles import Limit
from hefesto_api.web.errors import AuthenticationRequired

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from hefesto_api.features.auth.sessions import Desk, Issued
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.sessions import Place
    from hefesto_api.storage.users import UserRecord

    Failed = Callable[[], None]

FROM_HERE = Limit(10, timedelta(minutes=15))  # of one account from one place
FROM_ELSEWHERE = Limit(100, timedelta(hours=1))  # of one account from all places that it does not know
WRONG = "The email address or the password is wrong."


class TooManyFailures(HefestoError):
    """Nothing is heard of this account from here for a while."""

    code = "RATE_LIMIT_EXCEEDED"

    def __init__(self, wait: timedelta) -> None:
        seconds = max(int(wait.total_seconds()) + 1, 1)
        super().__init__("Too many failed logins; wait before the next.", retry_after=seconds)
        self.headers = {"Retry-After": str(seconds)}


class Attempt(NamedTuple):
    """Somebody's try to be let in: as whom, whoever that may be, and from where."""

    email: str
    user: UserRecord | None
    place: Place
    from_known_place: bool

    @property
    def here(self) -> str:
        """What failures of this account from this place are counted by."""
        return account_key(self.email) + credentials.hashed(f"login here {self.place.network} {self.email}")

    @property
    def elsewhere(self) -> str:
        """What failures of this account from places that it does not know are counted by."""
        return account_key(self.email) + credentials.hashed(f"login elsewhere {self.email}")


def account_key(email: str) -> str:
    """Return what the keys of all counters of an account begin with, by which they are found."""
    return credentials.hashed(f"login account {email}")


def login(desk: Desk, wanted: Mapping[str, str], place: Place) -> Issued:
    """Start a session; raises AuthenticationRequired, TooManyFailures.

    What is unknown takes as long as what is known, and is told the same.
    """
    attempt = _attempt(desk, wanted["email"], place)
    _heard(desk, attempt)
    with desk.passwords.turn():
        _heard(desk, attempt)  # others were heard while this one waited
        user = _recognised(desk, attempt, wanted["password"])
        mfa.expect(desk, user, wanted.get("totp"), lambda: failed(desk, attempt))
    return _started(desk, attempt, user, wanted["password"])


def confirm(desk: Desk, user: UserRecord, password: str, place: Place) -> None:
    """Have somebody who is logged in show the password again; raises as `login` does."""
    attempt = _attempt(desk, user.email, place)
    _heard(desk, attempt)
    with desk.passwords.turn():
        _heard(desk, attempt)
        _recognised(desk, attempt, password)


def attempt_of(desk: Desk, user: UserRecord, place: Place) -> Attempt:
    """Return a try of somebody who is logged in to show a second factor; raises TooManyFailures."""
    attempt = _attempt(desk, user.email, place)
    _heard(desk, attempt)
    return attempt


def failed(desk: Desk, attempt: Attempt) -> None:
    """Count a failure; the one that closes the door stands in the audit log."""
    now = clock.now()
    with desk.db.write(durable=False, witnessed=False) as session:
        here = throttles.fail(session, attempt.here, FROM_HERE, now=now)
        elsewhere = (
            0
            if attempt.from_known_place
            else throttles.fail(session, attempt.elsewhere, FROM_ELSEWHERE, now=now)
        )
        if here == FROM_HERE.failures or elsewhere == FROM_ELSEWHERE.failures:
            user_id = attempt.user.id if attempt.user else None
            told = {"email": attempt.email, "network": attempt.place.network}
            audit.note("login.closed", "user", user_id, told, outcome=audit.REFUSED)


def unlock(db: Database, user_id: str) -> bool:
    """Hear an account again from everywhere at once, whatever failed before; tell whether there was anything.

    Raises NotFound.
    """
    with db.write() as session:
        user = users.get(session, user_id)
        forgotten = throttles.clear_all(session, account_key(emails.normal(user.email)))
        if forgotten:
            audit.note("user.unlocked", "user", user_id, {"email": user.email, "counters": forgotten})
    return forgotten > 0


def _attempt(desk: Desk, email: str, place: Place) -> Attempt:
    address = emails.normal(email)
    with desk.db.read() as session:
        user = users.by_email(session, address)
        known = records.is_known_place(session, user.id if user else "", place.network)
    return Attempt(address, user, place, known)


def _heard(desk: Desk, attempt: Attempt) -> None:
    with desk.db.read() as session:
        wait = _wait(session, attempt, clock.now())
    if wait is not None:
        raise TooManyFailures(wait)


def _wait(session: Session, attempt: Attempt, now: datetime) -> timedelta | None:
    here = throttles.blocked_for(session, attempt.here, FROM_HERE, now=now)
    elsewhere = throttles.blocked_for(session, attempt.elsewhere, FROM_ELSEWHERE, now=now)
    return here if attempt.from_known_place else max(filter(None, (here, elsewhere)), default=None)


def _recognised(desk: Desk, attempt: Attempt, password: str) -> UserRecord:
    """Return the user whose password this is; call it within a turn."""
    user = attempt.user if attempt.user and attempt.user.is_active else None
    if not desk.passwords.matches(user.password_hash if user else None, password) or user is None:
        failed(desk, attempt)
        raise AuthenticationRequired(WRONG)
    return user


def _started(desk: Desk, attempt: Attempt, user: UserRecord, password: str) -> Issued:
    """Start the session of somebody who was recognised, unless he was shut out meanwhile."""
    renewed = _renewed_hash(desk, user, password)
    with desk.db.write() as session:
        present = users.find(session, user.id)
        if present is not None and present.is_active and present.password_hash == user.password_hash:
            if renewed is not None:
                users.change(session, user.id, password_hash=renewed)
            throttles.clear(session, attempt.here)
            started, refresh_token = sessions.begin(session, present, attempt.place, clock.now())
    if present is None or not present.is_active:
        raise AuthenticationRequired(WRONG)
    if present.password_hash != user.password_hash:  # it was changed, or another login hashed it anew
        with desk.passwords.turn():
            _recognised(desk, attempt._replace(user=present), password)
        return _started(desk, attempt, present, password)
    return sessions.issued(desk, present, started.id, refresh_token)


def _renewed_hash(desk: Desk, user: UserRecord, password: str) -> str | None:
    """Hash a password anew that was hashed at another cost than today's."""
    if user.password_hash is None or not desk.passwords.is_outdated(user.password_hash):
        return None
    return desk.passwords.hash(password)
