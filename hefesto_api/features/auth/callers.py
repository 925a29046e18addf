"""What the routes of this feature ask of a request: from where it comes, and which user makes it."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from flask import request

from hefesto_api.domain import clock
from hefesto_api.features.auth import login
from hefesto_api.features.auth.sessions import Desk
from hefesto_api.storage import sessions
from hefesto_api.storage.sessions import Place, SessionRecord
from hefesto_api.storage.users import UserRecord
from hefesto_api.web.client import client_address, client_network
from hefesto_api.web.context import runtime
from hefesto_api.web.errors import AuthenticationRequired, InsufficientPermissions
from hefesto_api.web.scopes import principal

_LONGEST_AGENT = 256
_FRESH = timedelta(minutes=15)  # after a login, in which the password need not be shown again


class LoggedIn(NamedTuple):
    """A user, and the session that he calls in."""

    user: UserRecord
    session: SessionRecord


def desk() -> Desk:
    """Return what dealing with sessions takes."""
    held = runtime()
    return Desk(held.db, held.vault, held.tokens, held.passwords)


def place() -> Place:
    """Return where the request comes from."""
    agent = request.headers.get("User-Agent", "")[:_LONGEST_AGENT]
    return Place(client_address(), client_network(), agent)


def credential() -> str:
    """Return what the request shows to be let in; "" when that is nothing."""
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    return shown.strip() if scheme.lower() == "bearer" else ""


def logged_in() -> LoggedIn:
    """Return the user who calls in a session; keys and OAuth clients do not log in, so they are refused."""
    caller = principal()
    if caller.kind == "anonymous":
        raise AuthenticationRequired("This is about a user: log in, and send the access token.")
    with runtime().db.read() as session:
        found = sessions.standing(session, caller.credential, clock.now()) if caller.kind == "user" else None
    if found is None:
        raise InsufficientPermissions("This is for users who are logged in.")
    return LoggedIn(found.user, found.session)


def confirmed(password: str | None) -> LoggedIn:
    """Return the user who calls, if he has just logged in or shows the password once more.

    Who finds a session open must not be able to shut its owner out.
    """
    caller = logged_in()
    if password is not None:
        login.confirm(desk(), caller.user, password, place())
    elif clock.now() - caller.session.created_at > _FRESH:
        raise AuthenticationRequired("Show your password once more, as `password`.", password_required=True)
    return caller
