"""Calls to other services over HTTP: one deadline for the whole call, no redirect, a bounded answer.

Neither proxies nor credentials come from the environment, and nothing is unpacked.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import closing, contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from hefesto_api.adapters.deadline import answers_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3 import BaseHTTPResponse
    from urllib3.connection import HTTPConnection

SECONDS = 10.0
MOST = 256 * 1024  # bytes of an answer
_PIECE = 16 * 1024
_AGENT = "hefesto"


class CallFailed(Exception):
    """There is no answer, or none that can be taken; the message says why and holds no secret."""


class Answer(Struct, frozen=True):
    """What the other side said."""

    status: int
    kind: str
    body: bytes


def call(
    method: str,
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    json: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
    most: int = MOST,
) -> Answer:
    """Send a request, with a form or JSON as its body if given, and return the answer, whatever its status.

    The resolver's time comes on top of the deadline. Raises CallFailed.
    """
    body = json if form is None else urlencode(form).encode()
    sent = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": _AGENT}
    if body is not None:
        sent["Content-Type"] = "application/json" if form is None else "application/x-www-form-urlencoded"
    try:
        with closing(_connection(url, seconds)) as connection:
            connection.connect()
            connection.response_class = answers_until(time.monotonic() + seconds)  # type: ignore[assignment]
            with _deadline(connection.sock, seconds):
                connection.request(
                    method, _target(url), body, {**sent, **(headers or {})}, preload_content=False
                )
                return _read(connection.getresponse(), most)
    except CallFailed:
        raise
    except Exception as error:  # urllib3, http.client, ssl and socket raise kinds of their own
        raise CallFailed(f"{_shown(url)} does not answer ({type(error).__name__}).") from error


def _connection(url: str, seconds: float) -> HTTPConnection:
    from urllib3.connection import HTTPConnection, HTTPSConnection  # noqa: PLC0415 - 40 ms of any start

    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CallFailed(f"{_shown(url)} is not the address of a service.")
    if parts.scheme == "https":
        return HTTPSConnection(parts.hostname, parts.port or 443, timeout=seconds, ssl_context=_trusting())
    return HTTPConnection(parts.hostname, parts.port or 80, timeout=seconds)


@cache
def _trusting() -> ssl.SSLContext:
    """Return how certificates are checked: against what the machine trusts."""
    return ssl.create_default_context()


@contextmanager
def _deadline(connected: socket.socket, seconds: float) -> Iterator[None]:
    """Cut a connection off when the time is up: a timeout of the socket counts anew at every byte.

    To who reads, it looks as if the answer had ended there; so it is refused afterwards.
    """
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            socket.socket.shutdown(connected, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    too_long = CallFailed(f"The answer takes longer than {seconds:g} seconds.")
    try:
        yield
    except TimeoutError as error:
        raise too_long from error
    finally:
        timer.cancel()
    if late.is_set():
        raise too_long


def _read(response: BaseHTTPResponse, most: int) -> Answer:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise CallFailed("The answer is packed, which was not asked for.")
    pieces = bytearray()
    while piece := response.read(_PIECE, decode_content=False):
        pieces += piece
        if len(pieces) > most:
            raise CallFailed(f"The answer is larger than {most} bytes.")
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Answer(response.status, kind, bytes(pieces))


def _target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"


def _shown(url: str) -> str:
    """Return what of an address may be told: not its query, which may hold a code."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
