"""Counting every request: by method, route template and status, never by what the client made up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from flask import Flask, current_app, g, request

from hefesto_api.adapters.metrics import Metrics
from hefesto_api.web import context

if TYPE_CHECKING:
    from flask import Response

_KEY = "hefesto.metrics"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNKNOWN = "unknown"


def install(app: Flask) -> None:
    """Count what the application answers."""
    app.extensions[_KEY] = Metrics()
    app.after_request(count)


def metrics() -> Metrics:
    """Return the counters of this process."""
    return cast("Metrics", current_app.extensions[_KEY])


def count(response: Response) -> Response:
    """Count one answer."""
    rule = request.url_rule
    method = request.method if request.method in _METHODS else UNKNOWN
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    route = rule.rule if rule else UNKNOWN
    metrics().count_request(method, route, response.status_code, seconds)
    context.runtime().measures.count(f"{method} {route}", response.status_code, seconds)
    return response
