"""In production nothing is served in the clear: a request by HTTP is sent on to HTTPS, probes excepted."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Flask, request

from hefesto_api.adapters import logs
from hefesto_api.domain.errors import MalformedRequest
from hefesto_api.web import client
from hefesto_api.web.envelope import Answer
from hefesto_api.web.errors import InsufficientPermissions

if TYPE_CHECKING:
    from flask import Response

    from hefesto_api.settings import Settings

PROBES = frozenset({"/health", "/livez", "/readyz", "/health/deep"})
LOCAL = frozenset({"/metrics"})
"""What a collector on the same machine may read as well."""
_SAFE = "/:@!$&'()*+,;=~-._"


def install(app: Flask, settings: Settings) -> None:
    """Send requests on to HTTPS where the duties of production hold."""
    if settings.production:
        app.before_request(send_on)


def send_on() -> Response | None:
    """Answer a request that came in the clear; 308 keeps the method and the body, unlike 301.

    Raises InsufficientPermissions where an unknown proxy says that its client did use HTTPS: sent on, the
    client would come round in a circle.
    """
    if request.scheme == "https" or request.path in PROBES or (request.path in LOCAL and client.is_local()):
        return None
    if not client.through_trusted_proxy() and _says_https():
        logs.of("https").warning("proxy_not_trusted", peer=client.peer_address())
        raise InsufficientPermissions(
            "A proxy says that this came by HTTPS, but HEFESTO_TRUSTED_PROXIES does not name the proxy."
        )
    return Answer(status=308, headers={"Location": _location()})


def _says_https() -> bool:
    said: str = request.environ.get("HTTP_X_FORWARDED_PROTO", "")
    return said.rpartition(",")[2].strip().lower() == "https"


def _location() -> str:
    """Return the address of the same thing by HTTPS, at its usual port."""
    name = client.host_name(request.environ.get("HTTP_HOST", ""))
    if not name:
        raise MalformedRequest("The Host header is not a host name.")
    path = quote(request.environ.get("PATH_INFO", "/").encode("latin-1"), safe=_SAFE)
    query = quote(request.environ.get("QUERY_STRING", "").encode("latin-1"), safe=_SAFE + "?%")
    return f"https://{name}{path}{f'?{query}' if query else ''}"
