"""Who calls, and what a route demands of them: declared here, enforced by what access control installs."""

from __future__ import annotations

from copy import deepcopy
from functools import wraps
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app, g

from hefesto_api.domain.access import SCOPES, STRANGER, Principal
from hefesto_api.domain.errors import NotFound
from hefesto_api.web.errors import AuthenticationRequired, InsufficientPermissions

if TYPE_CHECKING:
    from collections.abc import Callable

_KEY = "hefesto.authorize"


def principal() -> Principal:
    """Return who makes this request; before that was found out, nobody."""
    return g.get("principal", STRANGER)  # type: ignore[no-any-return] # flask.g is untyped


def admit(slug: str) -> None:
    """Let a caller write to a project; for one who is bound to others it does not exist (NotFound)."""
    projects = principal().projects
    if projects is not None and slug not in projects:
        raise NotFound("project", slug)


def require(scope: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Demand a scope of who calls a route, and say so in its documentation."""
    if scope not in SCOPES:
        raise ValueError(f"{scope} is not a scope")

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            current_app.extensions[_KEY](scope)
            return view(*args, **kwargs)

        guarded._apidoc = deepcopy(getattr(view, "_apidoc", {}))  # type: ignore[attr-defined] # noqa: SLF001
        guarded._apidoc["scope"] = scope  # type: ignore[attr-defined] # noqa: SLF001
        return guarded

    return decorate


def authenticated(view: Callable[..., Any]) -> Callable[..., Any]:
    """Demand that the caller is somebody, whatever he may do, and say so in the route's documentation."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if principal() == STRANGER:
            raise AuthenticationRequired("This needs credentials; there are none.")
        return view(*args, **kwargs)

    return _marked(guarded, "authenticated")


def public(view: Callable[..., Any]) -> Callable[..., Any]:
    """Declare a route whose answer is the same for everybody: credentials are not even looked at."""
    return _marked(view, "public")


def demand(scope: str) -> None:
    """Demand a scope within a route, where only what it finds out shows that one is needed."""
    current_app.extensions[_KEY](scope)


def install(app: Flask, authorize: Callable[[str], None]) -> None:
    """Let `authorize(scope)` decide each guarded call: it returns, or raises in the words of `web.errors`."""
    app.extensions[_KEY] = authorize


def authorize(scope: str) -> None:
    """Let in who holds a scope.

    Raises AuthenticationRequired for who has shown no credentials, else InsufficientPermissions. What asks
    for `admin` is about the whole installation: one who is bound to projects may not.
    """
    caller = principal()
    if caller == STRANGER:
        raise AuthenticationRequired("This needs credentials; there are none.")
    if not caller.has(scope):
        raise InsufficientPermissions(f"This needs the scope {scope}.", scope)
    if scope == "admin" and caller.projects is not None:
        raise InsufficientPermissions("This is for admins who are bound to no project.", scope)


def guards(view: Callable[..., Any]) -> bool:
    """Tell whether a view demands something of who calls it, before anything else."""
    about = getattr(view, "_apidoc", {})
    return "scope" in about or "authenticated" in about


def is_public(view: Callable[..., Any]) -> bool:
    """Tell whether a view was declared public."""
    return "public" in getattr(view, "_apidoc", {})


def _marked(view: Callable[..., Any], mark: str) -> Callable[..., Any]:
    view._apidoc = {**deepcopy(getattr(view, "_apidoc", {})), mark: True}  # type: ignore[attr-defined] # noqa: SLF001
    return view
