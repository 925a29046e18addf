"""How much a caller may ask for: counted after it is known who calls, told in every answer's headers.

Callers are counted by who they are, or by where they call from when they are nobody or show what is not good.
The headers are those of draft-ietf-httpapi-ratelimit-headers, and the older three that most clients read.
"""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from hefesto_api.domain import clock
from hefesto_api.domain import limits as policies
from hefesto_api.domain.access import ANONYMOUS
from hefesto_api.domain.errors import HefestoError
from hefesto_api.domain.limits import Policy
from hefesto_api.web.client import client_network
from hefesto_api.web.context import KEY
from hefesto_api.web.envelope import answer_domain_error
from hefesto_api.web.scopes import principal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flask import Response

    from hefesto_api.adapters.limits import Limiter
    from hefesto_api.domain.limits import Standing
    from hefesto_api.runtime import Runtime
    from hefesto_api.settings import Settings

    View = Callable[..., Any]
    WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_TOLD = "hefesto.limits"  # in the environment of a request that was looked at: the headers of its answer
_MARK = "limit"
# What a route may be marked with, besides a policy of its own for each address.
_UNLIMITED = Policy("unlimited", ())
_BY_CALLER = Policy("by caller", ())
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


def unlimited(view: View) -> View:
    """Declare a route that may be called as often as one likes: what machines ask on their own."""
    return _marked(view, _UNLIMITED)


def per_address(limit: int) -> Callable[[View], View]:
    """Declare a route that each address may call so often in any minute, instead of what its tier allows."""
    return lambda view: _marked(view, policies.per_minute("address", limit))


def is_unlimited(about: dict[str, Any]) -> bool:
    """Tell from what is known of a route whether it was declared unlimited."""
    return about.get(_MARK) == _UNLIMITED


def install(app: Flask, settings: Settings) -> None:
    """Count requests, if they are to be; after authentication, before anything is read or done.

    Raises UsageError for settings that cannot be honoured.
    """
    if not wanted(settings):
        return
    held: Runtime = app.extensions[KEY]
    limits = _Limits(app, settings, held.limiter)
    app.before_request(limits.count)
    app.after_request(limits.count_refused)
    app.wsgi_app = _telling(app.wsgi_app)  # type: ignore[method-assign,assignment]


def wanted(settings: Settings) -> bool:
    """Tell whether requests are counted: unless said, wherever others than this machine may call."""
    return settings.rate_limits == "on" or (settings.rate_limits == "auto" and settings.auth != "")


class _Limits:
    """The policies of an application's routes and callers."""

    def __init__(self, app: Flask, settings: Settings, limiter: Limiter) -> None:
        self._limiter = limiter
        self._views = app.view_functions
        self._routes: dict[str | None, Policy] = {None: _BY_CALLER}
        self._tiers = {
            "free": policies.tier("free", *settings.rate_limit_free),
            "pro": policies.tier("pro", *settings.rate_limit_pro),
            "enterprise": policies.tier("enterprise", *settings.rate_limit_enterprise),
        }
        self._single = {name: policies.tier(name, *numbers) for name, numbers in settings.rate_limit_keys}

    def count(self) -> None:
        """Count a request before it is done; raises RateLimitExceeded when there is no room for it."""
        endpoint = request.endpoint
        policy = self._routes.get(endpoint) or self._of_route(endpoint)
        if policy is _UNLIMITED or request.method == "OPTIONS":  # which browsers ask, without credentials
            request.environ[_TOLD] = ()
        elif policy is _BY_CALLER:
            self._count_caller()
        else:
            self._acquire(f"{endpoint} {client_network()}", policy)

    def count_refused(self, response: Response) -> Response:
        """Count for its address what was refused for bad credentials, before it could be counted."""
        if response.status_code != 401 or _TOLD in request.environ:
            return response
        try:
            self._acquire(f"address {client_network()}", self._tiers["free"])
        except RateLimitExceeded as error:
            return answer_domain_error(error)
        return response

    def _count_caller(self) -> None:
        caller = principal()
        if caller.kind == ANONYMOUS.kind:
            self._acquire(f"address {client_network()}", self._tiers["free"])
        else:
            self._acquire(
                f"{caller.kind} {caller.id}", self._single.get(caller.id) or self._tiers[caller.tier]
            )

    def _acquire(self, who: str, policy: Policy) -> None:
        standing = self._limiter.acquire(who, policy)
        request.environ[_TOLD] = _headers(policy, standing)
        if not standing.allowed:
            raise RateLimitExceeded(standing)

    def _of_route(self, endpoint: str | None) -> Policy:
        about = getattr(self._views.get(endpoint or ""), "_apidoc", {})
        marked = about.get(_MARK, _BY_CALLER)
        policy = next((one for one in (_UNLIMITED, _BY_CALLER) if one == marked), marked)  # not a copy of it
        return self._routes.setdefault(endpoint, policy)


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


def _marked(view: View, policy: Policy) -> View:
    view._apidoc = {**deepcopy(getattr(view, "_apidoc", {})), _MARK: policy}  # type: ignore[attr-defined] # noqa: SLF001
    return view
