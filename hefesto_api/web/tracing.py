"""Following one request: its ids in and out, and its line in the access log."""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import structlog
from flask import Flask, g, request

from hefesto_api.adapters import logs, telemetry
from hefesto_api.domain import tracing
from hefesto_api.domain.redaction import is_secret
from hefesto_api.web import client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Response

_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}", re.ASCII)
# Of a query more is masked than of a body: nobody reads it in a log for what it is.
_SECRET = re.compile(r"key|code|state|nonce", re.IGNORECASE)
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")


def install(app: Flask) -> None:
    """Trace every request; install it first, so that its log line is written last."""
    app.before_request(begin)
    app.after_request(end)
    app.teardown_request(_end_span)


def begin() -> None:
    """Take over the caller's ids where they are sound, and bind them to all that is logged meanwhile."""
    g.started = time.perf_counter()
    g.request_id = bound(request.environ)
    if telemetry.is_on():
        _begin_span()


def bound(environ: Mapping[str, Any]) -> str:
    """Bind a request's ids to what is logged from now on; return that of the request."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    request_id: str = given if given and _ID.fullmatch(given) else secrets.token_hex(16)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)
    parent = environ.get("HTTP_TRACEPARENT", "")
    trace_id = tracing.trace_id(parent)
    tracing.current.set(parent if trace_id else "")
    if not trace_id:
        trace_id = request_id if _TRACE_ID.fullmatch(request_id) else secrets.token_hex(16)
    structlog.contextvars.bind_contextvars(trace_id=trace_id)
    return request_id


def _begin_span() -> None:
    """Make the request a span, of its caller's trace where it is of one."""
    rule, method = request.url_rule, request.method
    name = f"{method} {rule.rule}" if rule else method
    route = rule.rule if rule else None
    told = {"http__request__method": method, "http__route": route, "hefesto__request_id": g.request_id}
    span = telemetry.begin(name, telemetry.SERVER, tracing.current.get(), **told)
    if span is None:
        return
    g.span = span
    tracing.current.set(span.traceparent)
    structlog.contextvars.bind_contextvars(trace_id=span.trace_id, span_id=span.span_id)


def _end_span(_error: BaseException | None = None) -> None:
    """End the request's span, if it has one that nobody ended."""
    span = g.pop("span", None)
    if span is not None:
        status = g.get("answered", 500)
        span.tell(http__response__status_code=status)
        span.end(failed=str(status) if status >= 500 else "")


def end(response: Response) -> Response:
    """Name the request in its answer and in the log."""
    if "request_id" not in g:  # a hook before ours failed
        begin()
    response.headers["X-Request-ID"] = g.request_id
    g.answered = response.status_code
    if not logs.wants("info"):
        return response
    query = request.environ.get("QUERY_STRING", "")
    seconds = time.perf_counter() - g.started
    log(request.method, request.path, query, response.status_code, seconds, client.client_address())
    return response


def log(method: str, path: str, query: str, status: int, seconds: float, address: str) -> None:
    """Write the line of a request into the access log."""
    logs.of("access").info(
        "request",
        method=method,
        path=path,
        query=masked_query(query),
        status=status,
        ms=round(seconds * 1000, 2),
        client=address,
    )


def masked_query(query: str) -> str:
    """Return a query without the values of what is named like a secret."""
    return "&".join(map(_masked, query.split("&"))) if query else ""


def _masked(part: str) -> str:
    name, equals, _ = part.partition("=")
    said = unquote(name)
    return f"{name}=***" if equals and (is_secret(said) or _SECRET.search(said)) else part
