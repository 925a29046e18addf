"""A load generator: some connections, each asking again as soon as it is answered, in a process of its own.

`python -m benchmarks.load.generator PORT PATH CONNECTIONS SECONDS [HEADER...]` prints the answers, those that
were not 200, and the median and 99th percentile in milliseconds. It sends bytes made beforehand and reads no
more of an answer than its length, so that it takes little of the machine; against `--null`, a server that
answers fixed bytes from a loop over sockets, it shows its own limit.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from benchmarks.service import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NULL = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nContent-Type: application/json\r\n\r\n" + b'{"ok":true}'


class Load(Struct, frozen=True):
    """What a load came to: answers a second, how many were not 200, latencies in milliseconds."""

    rate: float
    failed: int
    p50: float
    p99: float
    size: int


def run(
    port: int, path: str, *, connections: int = 16, seconds: float = 5.0, headers: Sequence[str] = ()
) -> Load:
    """Put load on a server from another process; return what it measured. `headers` are lines."""
    argv = [
        sys.executable,
        "-m",
        "benchmarks.load.generator",
        str(port),
        path,
        str(connections),
        str(seconds),
        *headers,
    ]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE)
    return Load(**json.loads(done.stdout))


def own_limit(*, connections: int = 16, seconds: float = 3.0) -> Load:
    """Return what it measures against a server that does nothing."""
    port = free_port()
    argv = [sys.executable, "-m", "benchmarks.load.generator", "--null", str(port)]
    with subprocess.Popen(argv) as server:
        try:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            return run(port, "/", connections=connections, seconds=seconds)
        finally:
            server.terminate()


class _Talk:
    """One connection: when it asked, and what it has of the answer."""

    def __init__(self, port: int, question: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._question = question
        self._got = bytearray()
        self._wanted = 0
        self.size = 0
        self.asked = 0.0

    def ask(self) -> None:
        self._got.clear()
        self._wanted = 0
        self.asked = time.perf_counter()
        self.socket.sendall(self._question)

    def hear(self) -> bool | None:
        """Read what is there; return whether it was a 200 once the answer is whole."""
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise ConnectionError("the server closed a connection")
        self._got += piece
        if not self._wanted:
            end = self._got.find(b"\r\n\r\n")
            if end < 0:
                return None
            head = bytes(self._got[:end]).lower()
            length = head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
            self._wanted = end + 4 + int(length)
        if len(self._got) < self._wanted:
            return None
        self.size = self._wanted
        return self._got.startswith(b"HTTP/1.1 200")


def _measure(
    port: int, path: str, connections: int, seconds: float, headers: Sequence[str]
) -> dict[str, Any]:
    lines = (f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: application/json", *headers, "", "")
    question = "\r\n".join(lines).encode()
    talks = [_Talk(port, question) for _ in range(connections)]
    took: list[float] = []
    failed = 0
    began = time.perf_counter()
    for talk, fine in _answers(talks, began + seconds):
        took.append(time.perf_counter() - talk.asked)
        failed += not fine
        talk.ask()
    spent = time.perf_counter() - began
    took.sort()
    at = {name: took[int(len(took) * share)] * 1000 for name, share in (("p50", 0.5), ("p99", 0.99))}
    return {"rate": len(took) / spent, "failed": failed, "size": talks[0].size, **at}


def _answers(talks: list[_Talk], until: float) -> Iterator[tuple[_Talk, bool]]:
    with selectors.DefaultSelector() as waiting:
        for talk in talks:
            waiting.register(talk.socket, selectors.EVENT_READ, talk)
            talk.ask()
        while time.perf_counter() < until:
            for key, _ in waiting.select(1):
                fine = key.data.hear()
                if fine is not None:
                    yield key.data, fine


def _serve_nothing(port: int) -> None:
    with selectors.DefaultSelector() as waiting, socket.create_server(("127.0.0.1", port)) as door:
        waiting.register(door, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is door:
                    waiting.register(door.accept()[0], selectors.EVENT_READ)
                    continue
                talk: Any = key.fileobj
                asked = b""
                with contextlib.suppress(OSError):  # whoever asked has gone
                    asked = talk.recv(65536)
                    talk.sendall(_NULL if asked else b"")
                if not asked:
                    waiting.unregister(talk)
                    talk.close()


def main() -> None:
    """Put load on a server, or be one that does nothing."""
    if sys.argv[1] == "--null":
        _serve_nothing(int(sys.argv[2]))
    port, path, connections, seconds, *headers = sys.argv[1:]
    print(json.dumps(_measure(int(port), path, int(connections), float(seconds), headers)))


if __name__ == "__main__":
    main()
