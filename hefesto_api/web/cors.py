"""Which web pages of other origins may call from a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_cors import CORS

from hefesto_api.domain.errors import UsageError

if TYPE_CHECKING:
    from flask import Flask

    from hefesto_api.settings import Settings

EXPOSED = (
    "X-Total-Count",
    "ETag",
    "Location",
    "X-Request-ID",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Analysis-ID",
)
ALLOWED = (
    "Authorization",
    "Content-Type",
    "Content-Encoding",
    "If-Match",
    "If-None-Match",
    "Idempotency-Key",
    "X-Request-ID",
    "traceparent",
)


def install(app: Flask, settings: Settings) -> None:
    """Answer preflights and name the origins that may read; credentials of the browser are never taken.

    Raises UsageError for `*` while nobody has decided who may call: any web page could then use the
    service of whoever looks at it.
    """
    if "*" in settings.cors_origins and not settings.auth:
        raise UsageError(
            "HEFESTO_CORS_ORIGINS=* lets every web page call this service, which is open to its machine. "
            "Name the origins, or set HEFESTO_AUTH."
        )
    if settings.cors_origins:
        CORS(
            app,
            origins=list(settings.cors_origins),
            allow_headers=list(ALLOWED),
            expose_headers=list(EXPOSED),
            supports_credentials=False,
            max_age=600,
        )
