"""Whether an answer exists in a form that the client takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, current_app, request

from hefesto_api.web.errors import NotAcceptable

if TYPE_CHECKING:
    from collections.abc import Callable

_KEY = "hefesto.produced"
_JSON = ("application/json", "application/problem+json")


def install(app: Flask) -> None:
    """Refuse requests for forms that a route of ours does not make."""
    app.before_request(check_accept)


def declare_produced(app: Flask) -> None:
    """Note the media types that each documented route answers with; call it when all are registered."""
    app.extensions[_KEY] = {
        endpoint: produced for endpoint, view in app.view_functions.items() if (produced := _produced(view))
    }


def check_accept() -> None:
    """Raise NotAcceptable when the Accept header names nothing that the route makes."""
    accept: str = request.environ.get("HTTP_ACCEPT", "")
    if not accept or ("q=" not in accept and ("*/*" in accept or "application/json" in accept)):
        return  # what nearly everybody sends
    produced = current_app.extensions[_KEY].get(request.endpoint or "")
    if produced and request.accept_mimetypes.best_match(produced) is None:
        raise NotAcceptable(f"This route answers {', '.join(produced)}.", available=list(produced))


def _produced(view: Callable[..., Any]) -> tuple[str, ...]:
    about = getattr(view, "_apidoc", {}).get("response", {}).get("responses", {})
    types = [
        answer["content_type"] for answers in about.values() for answer in answers if isinstance(answer, dict)
    ]
    return tuple(dict.fromkeys((*(kind for kind in types if kind), *_JSON))) if about else ()
