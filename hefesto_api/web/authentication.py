"""Who calls: what the Authorization header shows, looked up at most twice a second.

A credential that is revoked, disabled or expired is refused within half a second by every process, since none
keeps what it found for longer.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections import OrderedDict
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, cast

from flask import Flask, current_app, g, request

from hefesto_api.adapters.tokens import InvalidToken
from hefesto_api.domain import api_keys as texts
from hefesto_api.domain import clock
from hefesto_api.domain.access import ANONYMOUS, STRANGER, Principal
from hefesto_api.storage import api_keys, sessions
from hefesto_api.web import context, scopes
from hefesto_api.web.errors import AuthenticationRequired, InvalidCredentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from flask import Response

    from hefesto_api.domain.claims import Claims
    from hefesto_api.runtime import Runtime
    from hefesto_api.settings import Settings
    from hefesto_api.storage.api_keys import Shown
    from hefesto_api.storage.database import Database

    Bearer = Callable[[Runtime, Claims], Principal | None]

KEY = "hefesto.authenticator"
_KINDS = "hefesto.bearers"
FRESH_SECONDS = 0.5
_FRESH = timedelta(seconds=FRESH_SECONDS)
_LONGEST = 4096 + 64  # of a credential, in characters: the longest token, and some air
_MOST = 10_000
_OF_CREDENTIALS = ("/api/v1/auth/", "/oauth/")  # where a change may revoke some
_NOT_GOOD = "The credentials are not good (any more)."


class Authenticator:
    """Tells whose a credential is; safe to use from several threads, with or without a request at hand.

    `seconds` is a clock that never goes back.
    """

    def __init__(
        self, resolve: Callable[[str], Principal], seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._resolve = resolve
        self._seconds = seconds
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def authenticate(self, credential: str) -> Principal:
        """Return whose a credential is; raises AuthenticationRequired when it is nobody's (any more)."""
        if not 0 < len(credential) <= _LONGEST or not credential.isascii():
            raise InvalidCredentials(_NOT_GOOD)
        name = texts.digest(credential)
        asked, now = self._seconds(), clock.now()
        known = self._known.get(name)
        if known is None or not known.is_fresh(asked, now):
            known = _Known(self._resolve(credential), asked, now)
            self._keep(name, known)
        return known.principal

    def forget(self) -> None:
        """Look every credential up anew from now on: what was just revoked here is refused here at once."""
        with self._lock:
            self._known.clear()

    def _keep(self, name: str, known: _Known) -> None:
        with self._lock:
            self._known[name] = known
            self._known.move_to_end(name)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)


class _Known(NamedTuple):
    """Whose a credential is, as of when, by the clock of durations and by that of dates."""

    principal: Principal
    asked: float
    at: datetime

    def is_fresh(self, asked: float, now: datetime) -> bool:
        """Tell whether little time has passed, by both: dates may be set, and expire what was shown."""
        return asked - self.asked < FRESH_SECONDS and timedelta() <= now - self.at < _FRESH


def install(app: Flask, settings: Settings, kinds: Mapping[str, Bearer]) -> None:
    """Find out before each request who makes it; without credentials, that depends on the mode.

    `kinds` says for each kind of access token who its bearer is, as long as it stands.
    """
    held: Runtime = app.extensions[context.KEY]
    app.extensions[_KINDS] = kinds
    app.extensions[KEY] = Authenticator(lambda credential: resolve(held, kinds, credential))
    nobody = STRANGER if settings.auth == "required" else ANONYMOUS

    def identify() -> None:
        g.principal = _caller(nobody)

    def tally(response: Response) -> Response:
        caller: Principal = g.get("principal", nobody)
        if caller.kind == "key" and request.url_rule is not None:
            route = f"{request.method} {request.url_rule.rule}"
            held.usage.count(caller.id, route, failed=response.status_code >= 400)
        return response

    def forget(response: Response) -> Response:
        if request.method not in {"GET", "HEAD", "OPTIONS"} and request.path.startswith(_OF_CREDENTIALS):
            authenticator().forget()
        return response

    app.before_request(identify)
    app.after_request(tally)
    app.after_request(forget)
    scopes.install(app, scopes.authorize)


def authenticator() -> Authenticator:
    """Return what tells whose a credential is, for those who keep a connection open."""
    return cast("Authenticator", current_app.extensions[KEY])


def kinds_of_tokens() -> Mapping[str, Bearer]:
    """Return who shows an access token of each kind, for those who keep a connection open."""
    return cast("Mapping[str, Bearer]", current_app.extensions[_KINDS])


def resolve(held: Runtime, kinds: Mapping[str, Bearer], credential: str) -> Principal:
    """Look up whose a credential is; raises AuthenticationRequired."""
    if credential.startswith(texts.PREFIX):
        return of_key(held.db, credential)
    try:
        claims = held.tokens.verify_access(credential)
    except InvalidToken as error:
        raise InvalidCredentials(_NOT_GOOD) from error
    bearer = kinds.get(claims.kind)
    found = None if bearer is None else bearer(held, claims)
    if found is None:
        raise InvalidCredentials(_NOT_GOOD)
    return found


def of_user(held: Runtime, claims: Claims) -> Principal | None:
    """Look up the user of a token; None when his session has ended, or what he was given is withdrawn."""
    with held.db.read() as session:
        return sessions.principal_of(session, claims, clock.now())


def of_key(db: Database, credential: str) -> Principal:
    """Look up whose an API key is: one indexed read; raises AuthenticationRequired."""
    if not texts.is_key(credential):
        raise InvalidCredentials(_NOT_GOOD)
    return of_key_hash(db, texts.digest(credential))


def of_key_hash(db: Database, wanted: str) -> Principal:
    """Look up whose the API key of a hash is; raises AuthenticationRequired."""
    with db.read() as session:
        shown = api_keys.shown(session, wanted)
    if shown is None or not hmac.compare_digest(shown.hash.encode(), wanted.encode()):
        raise InvalidCredentials(_NOT_GOOD)
    if not _counts(shown, clock.now()):
        raise InvalidCredentials(_NOT_GOOD)
    return api_keys.principal_of(shown.key, shown.owner)


def _counts(shown: Shown, now: datetime) -> bool:
    moments = (shown.until, shown.key.expires_at)
    current = all(moment is None or moment > now for moment in moments)
    return current and shown.key.is_active and (shown.owner is None or shown.owner.is_active)


def _caller(nobody: Principal) -> Principal:
    """Return who makes this request; what is not good is refused where a route asks who calls."""
    view = current_app.view_functions.get(request.endpoint or "")
    header: str = request.environ.get("HTTP_AUTHORIZATION", "")
    scheme, _, credential = header.partition(" ")
    if view is None or scheme.lower() != "bearer" or scopes.is_public(view):
        return nobody
    try:
        return authenticator().authenticate(credential.strip())
    except AuthenticationRequired:
        if scopes.guards(view):
            raise
        return nobody
