"""Who sits before the pages: a session that only they know, kept in a cookie that only they are sent.

A form carries a proof that it was made for this cookie and this question, so that no other page can send it
in somebody's name, nor sign somebody in as another.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from flask import request

from hefesto_api.domain import clock
from hefesto_api.domain.errors import HefestoError
from hefesto_api.storage import sessions
from hefesto_api.web import address
from hefesto_api.web.context import runtime

if TYPE_CHECKING:
    from flask import Response

    from hefesto_api.storage.sessions import Place
    from hefesto_api.storage.users import UserRecord

PATH = "/oauth/authorize"
LASTS = timedelta(hours=1)
_FORM_LASTS = timedelta(minutes=15)
_NAME = "hefesto_authorize"
_COOKIE_PURPOSE, _FORM_PURPOSE = "oauth-page", "oauth-form"
_LONGEST = 1000  # characters of a cookie of ours


class Sitting(NamedTuple):
    """A session of these pages."""

    id: str
    user: UserRecord


def cookie() -> str:
    """Return the cookie that was sent; "" when it cannot be ours."""
    found = request.cookies.get(_name(), "")
    return found if len(found) <= _LONGEST and found.isascii() else ""


def new_cookie() -> str:
    """Return a cookie for somebody who has not signed in."""
    return secrets.token_urlsafe(24)


def present(value: str) -> Sitting | None:
    """Return the session that a cookie stands for, while it goes on."""
    try:
        session_id, until = runtime().vault.decrypt(value, purpose=_COOKIE_PURPOSE).decode().split(" ")
    except HefestoError:
        return None
    now = clock.now()
    if float(until) <= now.timestamp():
        return None
    with runtime().db.read() as session:
        found = sessions.standing(session, session_id, now)
    return None if found is None else Sitting(session_id, found.user)


def opened(session_id: str, place: Place) -> str:
    """Return the cookie of a session that was just started for these pages, and is to last no longer."""
    now = clock.now()
    with runtime().db.write(witnessed=False) as session:
        sessions.touch(session, session_id, place, now=now, until=now + LASTS)
    text = f"{session_id} {(now + LASTS).timestamp():.0f}"
    return runtime().vault.encrypt(text.encode(), purpose=_COOKIE_PURPOSE)


def proof(value: str, query: str) -> str:
    """Return what a form must carry that is made for a cookie and a question."""
    until = (clock.now() + _FORM_LASTS).timestamp()
    return runtime().vault.encrypt(f"{until:.0f}".encode(), purpose=_FORM_PURPOSE, row=_row(value, query))


def is_proven(shown: str, value: str, query: str) -> bool:
    """Tell whether a form was made for this cookie and this question, not long ago."""
    if not value:
        return False
    try:
        until = runtime().vault.decrypt(shown, purpose=_FORM_PURPOSE, row=_row(value, query))
    except HefestoError:
        return False
    return float(until) > clock.now().timestamp()


def keep(response: Response, value: str) -> None:
    """Send a cookie: to these pages alone, to no script, and along with no form of another site."""
    response.set_cookie(
        _name(),
        value,
        max_age=LASTS,
        path=urlsplit(address.root()).path + PATH,
        secure=address.is_secure(),
        httponly=True,
        samesite="Lax",
    )


def _name() -> str:
    return f"__Secure-{_NAME}" if address.is_secure() else _NAME


def _row(value: str, query: str) -> str:
    return sha256(f"{value}\0{query}".encode("utf-8", "surrogatepass")).hexdigest()
