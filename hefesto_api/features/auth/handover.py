"""Handing a session to the dashboard after a sign-in with a provider.

The browser comes back by a redirect, and what the dashboard needs must not stand in an address: addresses are
kept in histories and logs. So it rests for a minute in a cookie that no script can read and no other site has
sent along, and the page asks for it once.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import msgspec
from flask import Response, request

from hefesto_api.domain import clock, decoding
from hefesto_api.domain.errors import HefestoError
from hefesto_api.web import address
from hefesto_api.web.context import runtime
from hefesto_api.web.errors import AuthenticationRequired

DASHBOARD = "/dashboard"
LASTS = timedelta(minutes=1)
_PATH = "/api/v1/auth/oidc/session"
_COOKIE = "hefesto_handover"
_PURPOSE = "oidc-handover"
_DONE = "#signed-in"  # tells the page to ask
_NO_STORE = {"Cache-Control": "no-store"}


class Handover(msgspec.Struct, frozen=True):
    """What waits for the dashboard: a refresh token, or why there is none."""

    until: float
    refresh_token: str = ""
    refused: str = ""


_HANDOVER = decoding.of_json(Handover)


def is_place(wanted: str) -> bool:
    """Tell whether an address lies in the dashboard."""
    inside = wanted == DASHBOARD or wanted.startswith((f"{DASHBOARD}/", f"{DASHBOARD}?"))
    return inside and wanted.isascii() and wanted.isprintable() and "#" not in wanted


def ready(place: str, refresh_token: str) -> Response:
    """Send the browser to the dashboard, where a session waits for it."""
    return _sent(place, Handover(_until(), refresh_token=refresh_token))


def refused(place: str, reason: str) -> Response:
    """Send the browser to the dashboard, where it is told why it is not let in."""
    return _sent(place, Handover(_until(), refused=reason))


def taken() -> str:
    """Return the refresh token that waits for this browser; raises AuthenticationRequired."""
    try:
        raw = runtime().vault.decrypt(request.cookies.get(_name(), ""), purpose=_PURPOSE)
    except HefestoError:
        raise AuthenticationRequired("No sign-in waits for this browser: begin again.") from None
    found = _HANDOVER.decode(raw)
    if found.refused:
        raise AuthenticationRequired(found.refused)
    if found.until <= clock.now().timestamp():
        raise AuthenticationRequired("This sign-in has waited too long: begin again.")
    return found.refresh_token


def end(answer: Response) -> None:
    """Let the browser forget what it was handed."""
    answer.delete_cookie(_name(), path=_path(), secure=address.is_secure(), httponly=True)


def _sent(place: str, what: Handover) -> Response:
    answer = Response(status=303, headers={"Location": f"{address.root()}{place}{_DONE}", **_NO_STORE})
    answer.set_cookie(
        _name(),
        runtime().vault.encrypt(msgspec.json.encode(what), purpose=_PURPOSE),
        max_age=LASTS,
        path=_path(),
        secure=address.is_secure(),
        httponly=True,
        samesite="Strict",
    )
    return answer


def _until() -> float:
    return (clock.now() + LASTS).timestamp()


def _name() -> str:
    return f"__Secure-{_COOKIE}" if address.is_secure() else _COOKIE


def _path() -> str:
    return urlsplit(address.root()).path + _PATH
