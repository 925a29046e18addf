"""The short way to an answer that is kept: around Flask, whose own way costs as much as the server's.

A request that is like one that went the long way (same address, host, way here) and found its answer kept
goes the short one: who calls, the limits and the route's scope are looked at by the same parts; what counts
and logs requests is told. Whatever is out of the ordinary goes the long way, refusals too, which are written
and told there; so does everything where traces are told, for a span is told there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flask import request
from msgspec import Struct

from hefesto_api.adapters import logs, telemetry
from hefesto_api.domain.access import ANONYMOUS, STRANGER
from hefesto_api.domain.errors import HefestoError
from hefesto_api.web import authentication, client, context, kept, limits, tracing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flask import Flask

    from hefesto_api.adapters.cache.entry import Entry
    from hefesto_api.domain.access import Principal
    from hefesto_api.runtime import Runtime
    from hefesto_api.settings import Settings
    from hefesto_api.web.authentication import Authenticator
    from hefesto_api.web.limiter import Limiter

    WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_KEY = "hefesto.shortcuts"
MOST = 4096
# What a request may bring that the long way looks at.
_UNUSUAL = (
    "HTTP_ORIGIN",
    "HTTP_X_SIGNATURE",
    "HTTP_TRANSFER_ENCODING",
    "HTTP_RANGE",
    "HTTP_EXPECT",
    "HTTP_UPGRADE",
)
# What of a request decides, besides who calls, whether and how it is answered.
_SHAPE = ("PATH_INFO", "QUERY_STRING", "RAW_URI", "HTTP_HOST", "HTTP_ACCEPT", "wsgi.url_scheme")


class Shortcut(Struct, frozen=True):
    """Where a request of some shape leads: the key of its answer but for who calls, and its route."""

    path: str
    query: str
    told_path: str
    scope: str
    rule: str


class Shortcuts:
    """The short way of one application."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = app
        self._held: Runtime = app.extensions[context.KEY]
        self._known: dict[tuple[Any, ...], Shortcut] = {}
        self._local_only = not settings.auth
        self._nobody = STRANGER if settings.auth == "required" else ANONYMOUS
        self._is_limited = limits.wanted(settings)
        self._limiter: Limiter | None = None
        self._authenticator: Authenticator | None = None
        self._inner: WsgiApp = app.wsgi_app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET" and self._known and not telemetry.is_on():
            found = self._answered(environ)
            if found is not None:
                status, headers, body = found
                start_response(status, headers)
                return (body,)
        return self._inner(environ, start_response)

    def remember(self, environ: dict[str, Any], shortcut: Shortcut) -> None:
        """Remember where a request leads that went the long way and was answered."""
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[self._shape(environ)] = shortcut

    def _shape(self, environ: dict[str, Any]) -> tuple[Any, ...]:
        get = environ.get
        here = get("REMOTE_ADDR") if self._local_only else None
        return (*map(get, _SHAPE), here)

    def _answered(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes] | None:
        """Return the answer to a request; None where it has to go the long way."""
        began = time.perf_counter()
        shortcut = self._known.get(self._shape(environ))
        if shortcut is None or _is_unusual(environ) or (self._local_only and _was_forwarded(environ)):
            return None
        caller = self._caller(environ)
        if caller is None or caller.must_sign or not caller.has(shortcut.scope):
            return None
        key = (shortcut.path, shortcut.query, caller.projects)
        entry = self._good(key)
        if entry is None or not self._is_let_through(caller, environ):
            return None
        status, headers, body = kept.told(entry, environ)
        self._held.answers.hit(key)
        headers.append(("X-Request-ID", tracing.bound(environ)))
        self._count(environ, caller, shortcut, int(status[:3]), began)
        return status, headers, body

    def _caller(self, environ: dict[str, Any]) -> Principal | None:
        header: str = environ.get("HTTP_AUTHORIZATION", "")
        if not header:
            return self._nobody if self._nobody is not STRANGER else None
        scheme, _, credential = header.partition(" ")
        if scheme.lower() != "bearer":
            return None
        if self._authenticator is None:
            self._authenticator = self._app.extensions[authentication.KEY]
        try:
            return self._authenticator.authenticate(credential.strip())
        except HefestoError:
            return None

    def _good(self, key: tuple[Any, ...]) -> Entry | None:
        answers = self._held.answers
        if answers.local.get(key) is None:
            return None
        try:
            return answers.good(key, answers.look())
        except HefestoError:
            return None

    def _is_let_through(self, caller: Principal, environ: dict[str, Any]) -> bool:
        if not self._is_limited:
            return True
        if caller.kind == ANONYMOUS.kind:  # who is counted by where he calls from
            return False
        if self._limiter is None:
            self._limiter = next(iter(self._app.extensions["limiter"]))
        return self._limiter.take(caller, environ)

    def _count(
        self, environ: dict[str, Any], caller: Principal, shortcut: Shortcut, status: int, began: float
    ) -> None:
        held = self._held
        route = f"GET {shortcut.rule}"
        if caller.kind == "key":
            held.usage.count(caller.id, route, failed=False)
        seconds = time.perf_counter() - began
        held.metrics.count_request("GET", shortcut.rule, status, seconds)
        held.measures.count(route, status, seconds)
        if logs.wants("info"):
            query, address = environ.get("QUERY_STRING", ""), client.address_of(environ)
            tracing.log("GET", shortcut.told_path, query, status, seconds, address)


def install(app: Flask, settings: Settings) -> None:
    """Put the short way around Flask; all that is put around later is around it, too."""
    app.extensions[_KEY] = ways = Shortcuts(app, settings)
    app.wsgi_app = ways  # type: ignore[method-assign]


def remember(app: Flask, query: str, scope: str) -> None:
    """Remember the way of the request at hand, whose answer was kept."""
    ways: Shortcuts | None = app.extensions.get(_KEY)
    rule = request.url_rule
    environ = request.environ
    if ways is None or rule is None or request.method != "GET" or "hefesto.warming" in environ:
        return
    ways.remember(environ, Shortcut(environ["PATH_INFO"], query, request.path, scope, rule.rule))


def _is_unusual(environ: dict[str, Any]) -> bool:
    if environ.get("CONTENT_LENGTH") not in {None, "", "0"}:
        return True
    return not environ.keys().isdisjoint(_UNUSUAL)


def _was_forwarded(environ: dict[str, Any]) -> bool:
    return not environ.keys().isdisjoint(client.FORWARDED)
