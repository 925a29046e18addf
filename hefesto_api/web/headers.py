"""What every answer carries: the version, the security headers, and how it may be cached.

They are put on around Flask, where the headers are a plain list: through its header objects the same would
cost as much as routing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flask import Flask

    from hefesto_api.settings import Settings

    WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
    Headers = list[tuple[str, str]]

# Nothing that we serve as data may run, load or be framed; pages bring their own policy.
API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
# A report as a page: the style sheet within it, which its own policy names by its hash, and nothing else.
PAGE_POLICY = f"{API_POLICY}; style-src 'unsafe-inline'"
_STANDING = [
    ("X-API-Version", "v1"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("X-XSS-Protection", "0"),  # the filter it once switched on was itself a hole
    ("Referrer-Policy", "no-referrer"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Vary", "Accept, Accept-Encoding, Authorization"),
]
_DEFAULTS = [
    ("Content-Security-Policy", API_POLICY),
    ("Cache-Control", "private, no-cache"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
_HSTS = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
_BODILESS = ("101", "204", "304")
_COME_BACK = ("Retry-After", "1")  # what is out of reach is back in seconds, or somebody else answers


def install(app: Flask, settings: Settings) -> None:
    """Put the standing headers on every answer."""
    app.wsgi_app = _carrying(app.wsgi_app, secured=settings.production)  # type: ignore[method-assign,assignment]


def _carrying(inner: WsgiApp, *, secured: bool) -> WsgiApp:
    def carry(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        secure = secured and environ.get("wsgi.url_scheme") == "https"

        def start(status: str, headers: Headers, *error: Any) -> Any:
            return start_response(status, complete(status, headers, secure=secure), *error)

        return inner(environ, start)

    return carry


def complete(status: str, headers: Headers, *, secure: bool) -> Headers:
    """Return the headers with ours; what a view set itself stays."""
    present = {name for name, _ in headers}
    if status.startswith(_BODILESS):
        headers = [header for header in headers if header[0] != "Content-Type"]
    missing = [header for header in _DEFAULTS if header[0] not in present]
    if status.startswith("503") and "Retry-After" not in present:
        missing.append(_COME_BACK)
    return headers + _STANDING + missing + ([_HSTS] if secure else [])
