"""How much a caller may ask for: what routes declare of it. What counts them is `limiter`.

Requests are counted after it is known who calls, and before anything is read or done.
"""

from __future__ import annotations

from copy import deepcopy
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hefesto_api.domain import limits as policies
from hefesto_api.domain.limits import Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from hefesto_api.settings import Settings

    View = Callable[..., Any]

_MARK = "limit"
_UNLIMITED = Policy("unlimited", ())  # what a route may be marked with, besides a policy for each address


def unlimited(view: View) -> View:
    """Declare a route that may be called as often as one likes: what machines ask on their own."""
    return _marked(view, _UNLIMITED)


def per_address(limit: int) -> Callable[[View], View]:
    """Declare a route that each address may call so often in any minute, instead of what its tier allows."""
    return lambda view: _marked(view, policies.per_minute("address", limit))


def is_unlimited(about: dict[str, Any]) -> bool:
    """Tell from what is known of a route whether it was declared unlimited."""
    return about.get(_MARK) == _UNLIMITED


def of_route(view: View) -> Policy | None:
    """Return the policy that a route declares for each address, if it does."""
    about = getattr(view, "_apidoc", {})
    policy: Policy | None = None if is_unlimited(about) else about.get(_MARK)
    return policy


def install(app: Flask, settings: Settings) -> None:
    """Count requests, if they are to be; after authentication, before anything is read or done.

    Raises UsageError for settings that cannot be honoured.
    """
    if wanted(settings):
        # Imported late: the library takes a tenth of a second, and who is not limited needs none of it.
        import_module("hefesto_api.web.limiter").install(app, settings)


def declare(app: Flask) -> None:
    """Tell what counts requests which limits the routes have, once all of them are there."""
    for limiter in app.extensions.get("limiter", ()):
        limiter.declare(app.view_functions)


def wanted(settings: Settings) -> bool:
    """Tell whether requests are counted: unless said, wherever others than this machine may call."""
    return settings.rate_limits == "on" or (settings.rate_limits == "auto" and settings.auth != "")


def _marked(view: View, policy: Policy) -> View:
    view._apidoc = {**deepcopy(getattr(view, "_apidoc", {})), _MARK: policy}  # type: ignore[attr-defined] # noqa: SLF001
    return view
