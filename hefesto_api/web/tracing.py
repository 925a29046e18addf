"""Following one request: its ids in and out, and its line in the access log."""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote

import structlog
from flask import Flask, g, request

from hefesto_api.adapters import logs
from hefesto_api.domain.redaction import is_secret
from hefesto_api.web import client

if TYPE_CHECKING:
    from flask import Response

_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}", re.ASCII)
# Of a query more is masked than of a body: nobody reads it in a log for what it is.
_SECRET = re.compile(r"key|code|state|nonce", re.IGNORECASE)
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


def install(app: Flask) -> None:
    """Trace every request; install it first, so that its log line is written last."""
    app.before_request(begin)
    app.after_request(end)


def begin() -> None:
    """Take over the caller's ids where they are sound, and bind them to all that is logged meanwhile."""
    g.started = time.perf_counter()
    environ = request.environ
    given = environ.get("HTTP_X_REQUEST_ID", "")
    g.request_id = given if _ID.fullmatch(given) else secrets.token_hex(16)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    trace = _TRACEPARENT.fullmatch(environ.get("HTTP_TRACEPARENT", ""))
    if trace:
        structlog.contextvars.bind_contextvars(trace_id=trace.group(1))


def end(response: Response) -> Response:
    """Name the request in its answer and in the log."""
    if "request_id" not in g:  # a hook before ours failed
        begin()
    response.headers["X-Request-ID"] = g.request_id
    if not logs.wants("info"):
        return response
    environ = request.environ
    logs.of("access").info(
        "request",
        method=request.method,
        path=request.path,
        query=masked_query(environ.get("QUERY_STRING", "")),
        status=response.status_code,
        ms=round((time.perf_counter() - g.started) * 1000, 2),
        client=client.client_address(),
    )
    return response


def masked_query(query: str) -> str:
    """Return a query without the values of what is named like a secret."""
    return "&".join(map(_masked, query.split("&"))) if query else ""


def _masked(part: str) -> str:
    name, equals, _ = part.partition("=")
    said = unquote(name)
    return f"{name}=***" if equals and (is_secret(said) or _SECRET.search(said)) else part
