"""What counts requests: flask-limiter, which asks once a call, for an item that is all windows of a policy.

Callers are counted by who they are, or by where they call from when they are nobody or show what is not good.
The headers are those of draft-ietf-httpapi-ratelimit-headers, and the older three that most clients read.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import flask_limiter
from flask import Flask, current_app, request
from flask_limiter import ApplicationLimit, ExemptionScope
from flask_limiter._manager import LimitManager

from hefesto_api.adapters.limits import (
    shared,  # noqa: F401 - it knows the addresses that begin with `hefesto+`
    windows,
)
from hefesto_api.adapters.limits.windows import PolicyItem
from hefesto_api.domain import clock
from hefesto_api.domain import limits as policies
from hefesto_api.domain.access import ANONYMOUS
from hefesto_api.domain.errors import HefestoError
from hefesto_api.web import limits
from hefesto_api.web.client import client_network
from hefesto_api.web.context import KEY
from hefesto_api.web.scopes import principal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from flask import Response
    from flask_limiter import RequestLimit

    from hefesto_api.adapters.limits.host import HostStorage
    from hefesto_api.domain.access import Principal
    from hefesto_api.domain.limits import Policy, Standing
    from hefesto_api.runtime import Runtime
    from hefesto_api.settings import Settings

    View = Callable[..., Any]
    WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_TOLD = "hefesto.limits"  # in the environment of a request that came as far as here: headers of its answer
_STANDING = (
    "hefesto.standing"  # how the caller of a request stands that was counted, or was not to be any more
)
_CONTEXT = "hefesto.limiter"
_NOWHERE = "nowhere"  # the endpoint of what is no route: the library exempts what has none
_CALLER = "caller"
_NAMES = {
    policies.MINUTE: "minute",
    policies.TEN_MINUTES: "ten-minutes",
    policies.HOUR: "hour",
    policies.DAY: "day",
}


class RateLimitExceeded(HefestoError):
    """The caller has used up what it may ask for; `Retry-After` says when to come back."""

    code = "RATE_LIMIT_EXCEEDED"

    def __init__(self, standing: Standing) -> None:
        window, seconds = standing.window, _seconds(standing.wait)
        super().__init__(
            f"At most {window.limit} requests in {window.seconds} seconds; try again in {seconds} seconds.",
            limit=window.limit,
            window_seconds=window.seconds,
            retry_after=seconds,
        )
        self.headers = {"Retry-After": str(seconds)}


class RequestPolicy(ApplicationLimit):
    """The one limit of a request: what its route declares for each address, else that of who calls.

    One, for what one limit refuses others would have counted, and because each costs as much as all this.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__("1 per day", who_calls)  # a likeness: what texts cannot say, items of ours do
        self._tiers = {
            "free": self._of_caller(policies.tier("free", *settings.rate_limit_free)),
            "pro": self._of_caller(policies.tier("pro", *settings.rate_limit_pro)),
            "enterprise": self._of_caller(policies.tier("enterprise", *settings.rate_limit_enterprise)),
        }
        self._single = {
            name: self._of_caller(policies.tier(name, *numbers)) for name, numbers in settings.rate_limit_keys
        }
        self._routes: dict[str, Any] = {}
        self.of_strangers = self._tiers["free"]

    def __iter__(self) -> Iterator[Any]:
        """Return the limit of the request that is being looked at."""
        return iter((self._routes.get(request.endpoint or "") or self._by_caller(),))

    def declare(self, endpoint: str, policy: Policy) -> None:
        """Have each address be counted at a route by itself, instead of with what else its caller does."""
        self._routes[endpoint] = self._limit(policy, address, endpoint)

    def _by_caller(self) -> Any:
        caller = principal()
        return self.of_strangers if caller.kind == ANONYMOUS.kind else self.of(caller)

    def of(self, caller: Principal) -> Any:
        """Return the limit of somebody who is known."""
        return self._single.get(caller.id) or self._tiers[caller.tier]

    def _of_caller(self, policy: Policy) -> Any:
        return self._limit(policy, who_calls, _CALLER)

    def _limit(self, policy: Policy, key_func: Callable[[], str], scope: str) -> Any:
        (likeness,) = super().__iter__()
        return replace(likeness, limit=PolicyItem(policy, _heard), key_func=key_func, scope=scope)


class Memory(LimitManager):
    """The library's, which remembers of each route what that looks up anew at each of its requests."""

    def __init__(self, limit: RequestPolicy) -> None:
        super().__init__([limit], [], {}, {}, {}, {})
        self._scopes: dict[str | None, ExemptionScope] = {}

    def exemption_scope(self, app: Flask, endpoint: str | None, blueprint: str | None) -> ExemptionScope:
        """Return what a route is exempt from."""
        scope = self._scopes.get(endpoint)
        if scope is None:
            scope = self._scopes[endpoint] = super().exemption_scope(app, endpoint, blueprint)
        return scope

    def blueprint_limits(self, app: Flask, blueprint: str) -> list[Any]:
        """Return the limits of a group of routes; mostly no group has any."""
        return super().blueprint_limits(app, blueprint) if self._blueprint_limits else []

    def add_route_exemption(self, route: str, scope: ExemptionScope) -> None:
        """Exempt a route."""
        self._scopes.clear()
        super().add_route_exemption(route, scope)

    def add_blueprint_exemption(self, blueprint: str, scope: ExemptionScope) -> None:
        """Exempt a group of routes."""
        self._scopes.clear()
        super().add_blueprint_exemption(blueprint, scope)


class Limiter(flask_limiter.Limiter):
    """The library's, with our policies, storage and words."""

    def __init__(self, settings: Settings, held: Runtime) -> None:
        self._policy = RequestPolicy(settings)
        super().__init__(
            who_calls,
            application_limits=[self._policy],
            storage_uri=held.limits.uri,
            storage_options=held.limits.options,
            strategy=windows.NAME,
            on_breach=_refusal,
            headers_enabled=False,  # of several windows it would have to ask again; see `_telling`
            swallow_errors=False,  # the storage goes on by itself; what fails then is a fault, and no way in
            request_identifier=lambda: request.endpoint or _NOWHERE,
        )
        self.limit_manager = Memory(self._policy)
        self.request_filter(lambda: request.method == "OPTIONS")  # browsers ask so, without credentials

    @property
    def context(self) -> Any:
        """What the library notes of a request: asked for seven times, and found by it through two proxies."""
        environ = request.environ
        found = environ.get(_CONTEXT)
        if found is None:
            found = environ[_CONTEXT] = super().context
        return found

    def declare(self, views: Mapping[str, View]) -> None:
        """Take over what routes declare of their limits."""
        for endpoint, view in views.items():
            policy = limits.of_route(view)
            if limits.is_unlimited(getattr(view, "_apidoc", {})):
                self.exempt(view)
            elif policy is not None:
                self._policy.declare(endpoint, policy)

    def take(self, caller: Principal, environ: dict[str, Any]) -> bool:
        """Count a call of somebody who is known, outside of a request of Flask's, as it would be within.

        A call that is not let through is not counted: it may be looked at again in the usual way.
        """
        limit = self._policy.of(caller)
        policy = limit.limit.policy
        storage = cast("HostStorage", self.storage)
        standing = storage.acquire(f"{caller.kind} {caller.id} {limit.scope}", policy)
        if standing.allowed:
            environ[_TOLD] = _headers(policy, standing)
        return standing.allowed

    def count_refused(self, response: Response) -> Response:
        """Count for its address what was refused for bad credentials, before it could be counted."""
        if response.status_code != 401 or _TOLD in request.environ:
            return response
        limit = self._policy.of_strangers
        if self.limiter.hit(limit.limit, address(), limit.scope):
            return response
        return _refusal()


def install(app: Flask, settings: Settings) -> None:
    """Have flask-limiter look at every request; raises UsageError for settings that cannot be honoured."""
    held: Runtime = app.extensions[KEY]
    limiter = Limiter(settings, held)
    app.before_request(_arrive)
    limiter.init_app(app)
    app.after_request(limiter.count_refused)
    app.wsgi_app = _telling(app.wsgi_app)  # type: ignore[method-assign,assignment]
    storage = cast("HostStorage", limiter.storage)
    held.endings.append(storage.close)
    held.counted_by.append(storage.counted_by)
    logging.getLogger("flask-limiter").setLevel(logging.WARNING)  # the audit log tells of who was refused


def who_calls() -> str:
    """Return what a caller is counted by: who it is, or where it calls from when it is nobody."""
    caller = principal()
    return address() if caller.kind == ANONYMOUS.kind else f"{caller.kind} {caller.id}"


def address() -> str:
    """Return what counts those together who call from one place."""
    return f"address {client_network()}"


def _arrive() -> None:
    """Note that a request came as far as the limits: what is refused before is counted when it leaves."""
    request.environ[_TOLD] = ()


def _heard(policy: Policy, standing: Standing) -> None:
    environ = request.environ
    environ[_STANDING] = standing
    environ[_TOLD] = _headers(policy, standing)


def _refusal(_limit: RequestLimit | None = None) -> Response:
    """Answer as the route's own errors are answered: pages for people and OAuth have forms of theirs."""
    error = RateLimitExceeded(request.environ[_STANDING])
    return current_app.make_response(current_app.handle_user_exception(error))


def _headers(policy: Policy, standing: Standing) -> list[tuple[str, str]]:
    window, seconds = standing.window, _seconds(standing.wait)
    return [
        ("RateLimit-Policy", _described(policy)),
        ("RateLimit", f'"{_NAMES[window.seconds]}";r={standing.remaining};t={seconds}'),
        ("X-RateLimit-Limit", str(window.limit)),
        ("X-RateLimit-Remaining", str(standing.remaining)),
        ("X-RateLimit-Reset", str(int(clock.now().timestamp()) + seconds)),
    ]


@lru_cache(maxsize=256)
def _described(policy: Policy) -> str:
    return ", ".join(f'"{_NAMES[one.seconds]}";q={one.limit};w={one.seconds}' for one in policy.windows)


def _seconds(milliseconds: int) -> int:
    """Return whole seconds that are surely enough."""
    return -(-milliseconds // 1000)


def _telling(inner: WsgiApp) -> WsgiApp:
    """Put the headers on around Flask, where they are a plain list."""

    def tell(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start_response(status, [*headers, *environ.get(_TOLD, ())], *error)

        return inner(environ, start)

    return tell
