"""Answers above a kilobyte leave compressed, when the client takes it."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from flask import Flask, request

if TYPE_CHECKING:
    from flask import Response

LEAST = 1024
_LEVEL = 3  # of gzip: JSON shrinks nearly as far as at 6, in half the time
_TEXTS = ("text/", "application/json", "application/problem+json", "application/sarif+json")


def install(app: Flask) -> None:
    """Compress what is large enough."""
    app.after_request(compress)


def compress(response: Response) -> Response:
    """Encode a finished body of text as gzip; streams and files go as they are."""
    if response.direct_passthrough or not response.is_sequence or "Content-Encoding" in response.headers:
        return response
    body: bytes = response.get_data()
    if len(body) <= LEAST or not (response.mimetype or "").startswith(_TEXTS):
        return response
    if request.accept_encodings["gzip"] > 0:
        response.set_data(gzip.compress(body, _LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response
