"""Who is let near at all, before any credential: this machine alone, unless it was said otherwise.

A service without access control that trusts loopback can still be reached from afar, by a proxy on the same
machine or by a name that resolves to it (DNS rebinding); both show in the headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask, request

from hefesto_api.domain.errors import HefestoError, MalformedRequest, UsageError
from hefesto_api.storage import admins
from hefesto_api.web import client
from hefesto_api.web.context import runtime
from hefesto_api.web.errors import InsufficientPermissions

if TYPE_CHECKING:
    from hefesto_api.settings import Settings
    from hefesto_api.storage.database import Database

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
REMEDY = (
    "Set HEFESTO_AUTH=required to ask callers for credentials, "
    "or HEFESTO_AUTH=open to serve everybody who can reach this address."
)

NO_ADMIN = """HEFESTO_AUTH=required, and there is no admin yet: nobody may call. Make the first one here:
  hefesto keys create --name first --scope admin       prints an API key
  hefesto users create you@example.org --role admin    somebody who logs in"""


def install(app: Flask, settings: Settings) -> None:
    """Refuse what the settings do not let in."""
    if not settings.auth:
        app.before_request(refuse_strangers)
    elif settings.allowed_hosts:
        app.before_request(refuse_other_hosts)
    if settings.auth != "required":
        app.before_request(refuse_other_pages)


def refuse_unless_decided(settings: Settings) -> None:
    """Refuse to serve behind a server whose address we cannot know, until somebody says who may call."""
    if not settings.auth and not settings.development:
        raise UsageError(
            "HEFESTO_AUTH is not set, and a WSGI server may be bound to any address. "
            "Set HEFESTO_AUTH=required (callers need credentials), HEFESTO_AUTH=open (everybody who can "
            "reach it may call), or HEFESTO_ENV=development."
        )


def notices(settings: Settings, db: Database) -> list[str]:
    """Return what somebody who starts the service should know about who may call it."""
    if settings.auth == "open":
        return ["HEFESTO_AUTH=open: whoever reaches this address may do everything."]
    if settings.auth == "required" and not _is_governed(db):
        return [NO_ADMIN]
    return []


def _is_governed(db: Database) -> bool:
    """Tell whether there is an admin; a database that cannot be asked yet is not said to have none."""
    try:
        with db.read() as session:
            return admins.are_there(session)
    except HefestoError:
        return True


def refuse_strangers() -> None:
    """Refuse requests from other machines, through a proxy, or for another host name."""
    if client.was_forwarded():
        raise InsufficientPermissions(f"Open on this machine only: the request was forwarded. {REMEDY}")
    if not client.is_local():
        raise InsufficientPermissions(f"Open on this machine only: the call is from another. {REMEDY}")
    if _host() not in LOOPBACK_NAMES.union(runtime().settings.allowed_hosts):
        raise InsufficientPermissions(f"Open on this machine only: the Host is foreign. {REMEDY}")


def refuse_other_pages() -> None:
    """Refuse what a page of another origin has a browser send without asking first (an upload, a form).

    Where nobody shows credentials, whoever looks at such a page would change things for it.
    """
    origin = request.environ.get("HTTP_ORIGIN")
    if origin and request.method not in {"GET", "HEAD", "OPTIONS"} and not is_ours(origin):
        raise InsufficientPermissions("Pages of other origins may not call; see HEFESTO_CORS_ORIGINS.")


def refuse_other_hosts() -> None:
    """Refuse host names that the settings do not allow; loopback stays, for probes on the machine."""
    if _host() not in LOOPBACK_NAMES.union(runtime().settings.allowed_hosts):
        raise InsufficientPermissions("This service does not answer to that Host; see HEFESTO_ALLOWED_HOSTS.")


def is_ours(origin: str) -> bool:
    """Tell whether a page of an origin may call: it is of this host, or the settings name it."""
    settings = runtime().settings
    if not {origin, "*"}.isdisjoint(settings.cors_origins):
        return True
    try:
        name = urlsplit(origin).hostname
    except ValueError:
        return False
    ours = {"localhost", "127.0.0.1", "::1", *settings.allowed_hosts}
    return name in ours or f"{name}" == _host().strip("[]")


def _host() -> str:
    host: str = request.environ.get("HTTP_HOST") or request.environ.get("SERVER_NAME", "")
    name = host[: host.rindex(":")] if _has_port(host) else host
    if not name or not name.isascii():
        raise MalformedRequest("The Host header is not a host name.")
    return name.lower().rstrip(".")


def _has_port(host: str) -> bool:
    colon = host.rfind(":")
    return colon > host.rfind("]")
