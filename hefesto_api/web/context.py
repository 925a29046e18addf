"""The only place that reaches for the current application: what the process holds, for the routes."""

from __future__ import annotations

from typing import cast

from flask import current_app

from hefesto_api.runtime import Runtime

KEY = "hefesto"


def runtime() -> Runtime:
    """Return the parts of the process that serves this request."""
    return cast("Runtime", current_app.extensions[KEY])
