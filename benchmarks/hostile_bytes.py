"""The hostile input of the contract tests, sent to a running service as raw bytes."""

from __future__ import annotations

import gzip
import re
import socket
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.contract.conftest import SOME_ID
from tests.contract.test_hostile import BODIES, HEADERS, QUERIES, SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.service import Service

JSON = b"application/json"
BOMB = gzip.compress(b'{"path": "' + b" " * 12_000_000 + b'"}')


def throw(service: Service, operations: Sequence[tuple[str, str]]) -> list[str]:
    """Send everything to every operation; return what was answered with 500, or not at all."""
    statuses: Counter[int] = Counter()
    faults = []
    for request in (one for operation in operations for one in requests(*operation)):
        status = exchange(service.port, request)
        statuses[status] += 1
        if status in {0, 500}:
            faults.append(f"{status or 'no answer'} to {request[:300]!r}")
    print(f"{statuses.total()} hostile requests: {dict(sorted(statuses.items()))}", flush=True)
    return faults[:20]


def requests(method: str, template: str) -> Iterator[bytes]:
    """Yield hostile requests to one operation."""
    url = re.sub(r"\{[^}]+\}", SOME_ID, template)
    for body in BODIES.values():
        for kind in (JSON, b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x"):
            yield raw(method, url, [(b"Content-Type", kind)], body)
    yield raw(method, url, [(b"Content-Type", JSON), (b"Content-Encoding", b"gzip")], BOMB)
    for header in HEADERS:
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in header.items()]
        yield raw(method, url, [(b"Content-Type", JSON), *pairs], b"{}")
    for query in QUERIES:
        yield raw(method, f"{url}?{query}")
    for segment in SEGMENTS:
        yield raw(method, re.sub(r"\{[^}]+\}", segment, template))
        yield raw(method, f"{url.rstrip('/')}/{segment}")


def raw(method: str, url: str, headers: Iterable[tuple[bytes, bytes]] = (), body: bytes = b"") -> bytes:
    """Write a request; its length is told unless the headers do."""
    lines = [f"{method} {url} HTTP/1.1".encode(), b"Host: localhost", b"Connection: close"]
    lines += [name + b": " + value for name, value in headers]
    if not any(name == b"Content-Length" for name, _ in headers):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])


def exchange(port: int, request: bytes) -> int:
    """Send a request and return the status of its answer, 0 when there is none."""
    with socket.create_connection(("127.0.0.1", port), timeout=90) as connection:
        # Refused before it was read, it may have been answered all the same.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        try:
            answer = connection.recv(4096)
        except (ConnectionResetError, TimeoutError):
            return 0
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0
