"""One request to one checked address: a deadline for all of it, no redirect, little of the answer read."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct

from hefesto_api.adapters.deadline import answers_until
from hefesto_api.adapters.delivery import addresses
from hefesto_api.adapters.delivery.addresses import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hefesto_api.adapters.delivery.addresses import Resolver, Target

SECONDS = 15.0
MOST = 64 * 1024  # bytes of an answer
_PIECE = 8 * 1024
_AGENT = "hefesto-webhooks/1"


class Outcome(Struct, frozen=True):
    """How a request went: the answer's status, or why there is none. `error` holds nothing of the answer."""

    status: int | None
    milliseconds: float
    error: str | None = None
    retry_after: str | None = None

    @property
    def is_success(self) -> bool:
        """Whether the receiver took it: 2xx alone; a redirect is a failure."""
        return self.error is None and self.status is not None and 200 <= self.status < 300


class Sender:
    """Sends to the public internet, and to the private networks that are allowed; threads may share it.

    Each request has a connection of its own, to an address that was checked for this request.
    """

    def __init__(
        self,
        allowed: Sequence[str] = (),
        *,
        seconds: float = SECONDS,
        resolver: Resolver | None = None,
        trusting: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = tuple(allowed)
        self._seconds = seconds
        self._resolver = resolver
        self._trusting = trusting

    def send(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Outcome:
        """Make a request and tell how it went; never raises for what the other side does."""
        began = time.monotonic()
        try:
            target = addresses.read_url(url, self._allowed)
            status, wait = self._sent(target, method, body, headers or {}, began + self._seconds)
        except Refused as error:
            return Outcome(None, _since(began), str(error))
        except TimeoutError:
            return Outcome(None, _since(began), f"No whole answer within {self._seconds:g} seconds.")
        except ssl.SSLError as error:
            reason = (getattr(error, "verify_message", "") or error.reason or "failed").rstrip(".")
            return Outcome(None, _since(began), f"TLS: {reason}.")
        except (OSError, http.client.HTTPException, ValueError, UnicodeError) as error:
            return Outcome(None, _since(began), f"No answer ({type(error).__name__}).")
        return Outcome(status, _since(began), _complaint(status), wait)

    def _sent(
        self, target: Target, method: str, body: bytes, headers: Mapping[str, str], until: float
    ) -> tuple[int, str | None]:
        numbers = addresses.resolve(target, until - time.monotonic(), self._allowed, self._resolver)
        plain = self._connected(numbers, target.port, until)
        try:
            with _deadline(plain, until):
                return self._exchange(plain, target, method, body, headers, until)
        finally:
            plain.close()

    def _connected(self, numbers: Sequence[str], port: int, until: float) -> socket.socket:
        """Connect to the first address that takes it, and make sure that it is the one."""
        failure: OSError = TimeoutError()
        for number in numbers:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            try:
                made = socket.create_connection((number, port), timeout=left)
            except OSError as error:
                failure = error
                continue
            try:
                addresses.check(made.getpeername()[0], self._allowed)
            except BaseException:
                made.close()
                raise
            return made
        raise failure

    def _exchange(
        self,
        plain: socket.socket,
        target: Target,
        method: str,
        body: bytes,
        headers: Mapping[str, str],
        until: float,
    ) -> tuple[int, str | None]:
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.response_class = answers_until(until)  # type: ignore[assignment]
        used = plain
        if target.scheme == "https":
            context = self._trusting or _machine_trust()
            used = context.wrap_socket(plain, server_hostname=target.host.rstrip("."))
        try:
            connection.sock = used
            connection.putrequest(method, target.path, skip_host=True, skip_accept_encoding=True)
            said = {
                "Host": target.authority,
                "User-Agent": _AGENT,
                "Accept-Encoding": "identity",
                "Connection": "close",
                **({"Content-Length": str(len(body))} if method != "HEAD" else {}),
                **headers,
            }
            for name, value in said.items():
                connection.putheader(name, value)
            connection.endheaders(body or None)
            with connection.getresponse() as answer:
                _read(answer)
                return answer.status, answer.getheader("Retry-After")
        finally:
            connection.close()
            used.close()


def _read(answer: http.client.HTTPResponse) -> None:
    """Read a little of an answer, as it comes: who sends is not cut off at once, and nothing is unpacked."""
    left = MOST
    while left > 0 and (piece := answer.read(min(_PIECE, left))):
        left -= len(piece)


@contextmanager
def _deadline(connected: socket.socket, until: float) -> Iterator[None]:
    """Cut a connection off when the time is up: a timeout of the socket counts anew at every byte."""
    late = threading.Event()
    number = socket.socket(fileno=socket.dup(connected.fileno()))  # TLS takes the original over

    def cut() -> None:
        late.set()
        with suppress(OSError):
            number.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(until - time.monotonic(), 0.0), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        timer.join()
        number.close()
    if late.is_set():
        raise TimeoutError


@cache
def _machine_trust() -> ssl.SSLContext:
    """Return how certificates are checked: against what the machine trusts, with the host's name."""
    return ssl.create_default_context()


def _complaint(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    return (
        "It sends elsewhere; redirects are not followed." if 300 <= status < 400 else f"It answered {status}."
    )


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 3)
