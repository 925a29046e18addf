"""Counting every request: by method, route template and status, never by what the client made up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flask import Flask, g, request

from hefesto_api.web import context

if TYPE_CHECKING:
    from flask import Response

    from hefesto_api.adapters.metrics import Metrics

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNKNOWN = "unknown"


def install(app: Flask) -> None:
    """Count what the application answers."""
    app.after_request(count)


def metrics() -> Metrics:
    """Return the counters of this process."""
    return context.runtime().metrics


def count(response: Response) -> Response:
    """Count one answer."""
    rule = request.url_rule
    method = request.method if request.method in _METHODS else UNKNOWN
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    route = rule.rule if rule else UNKNOWN
    held = context.runtime()
    held.metrics.count_request(method, route, response.status_code, seconds)
    held.measures.count(f"{method} {route}", response.status_code, seconds)
    return response
