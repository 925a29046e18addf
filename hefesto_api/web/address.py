"""Under which address people and programs reach this service."""

from __future__ import annotations

from flask import request

from hefesto_api.web.context import runtime


def root() -> str:
    """Return it without a slash at its end: as the settings say, else as it was called."""
    return runtime().settings.public_url or request.host_url.rstrip("/")


def is_secure() -> bool:
    """Tell whether it is reached by HTTPS, so that cookies may insist on it."""
    return root().startswith("https:")
