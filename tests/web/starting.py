"""An application that tells how it was made: in which process, and what met who connected meanwhile."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def _connected() -> str:
    """Connect to the port that the server was told to bind."""
    try:
        socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), timeout=60).close()
    except ConnectionRefusedError:
        return "refused"
    return "open"


MADE = {"by": os.getpid(), "meanwhile": _connected()}


def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with what is known, and who answers."""
    body = json.dumps({**MADE, "pid": os.getpid()}).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
