"""An application that tells what it was sent, for tests of the server that runs it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PIECE = b"0123456789abcdef" * 4096


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer /much/N with N pieces of 64 KiB, and all else with what came."""
    _, _, count = environ["PATH_INFO"].partition("/much/")
    if count:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (PIECE for _ in range(int(count)))
    declared = int(environ.get("CONTENT_LENGTH") or 0)
    is_read = declared <= 256 << 20 and environ["PATH_INFO"] != "/unread"
    try:
        sent = environ["wsgi.input"].read() if is_read else b""
    except Exception:  # as every view of ours does, when a body is broken
        sent = b"broken"
    told = {"path": environ["PATH_INFO"], "size": len(sent), "sha256": hashlib.sha256(sent).hexdigest()}
    content = json.dumps(told).encode()
    start_response("200 OK", [("Content-Length", str(len(content))), ("Content-Type", "application/json")])
    return [content]
