"""Calls to other services: bounded in time and size, and told in words when they fail."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hefesto_api.adapters import outgoing
from hefesto_api.adapters.outgoing import CallFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Peer:
    """A server that says what it is told to, byte by byte if need be."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.pause = 0.0
        self.received = b""
        self.ended = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self.ended.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, suppress(OSError):
                    self.received = _request(connection)
                    for piece in self.pieces:
                        connection.sendall(piece)
                        self.ended.wait(self.pause)


def _request(connection: socket.socket) -> bytes:
    """Read a request to its end."""
    with connection.makefile("rb") as stream:
        lines = list(iter(stream.readline, b"\r\n"))
        lengths = [int(line[16:]) for line in lines if line.lower().startswith(b"content-length: ")]
        return b"".join([*lines, b"\r\n", stream.read(sum(lengths))])


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.close()


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\n" + b"".join(line + b"\r\n" for line in headers) + b"\r\n" + body


def test_an_answer_is_what_was_said(peer: Peer) -> None:
    peer.pieces = [
        answer(b"{}", b"Content-Type: application/json; x=y", b"Content-Length: 2", status=b"418 Tea")
    ]
    got = outgoing.call("POST", f"{peer.url}/a?b=c", form={"x": "\u00e9 &"}, headers={"Authorization": "me"})
    assert (got.status, got.kind, got.body) == (418, "application/json", b"{}")
    head, _, body = peer.received.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert b"Authorization: me" in head
    assert body == b"x=%C3%A9+%26"


def test_a_redirect_is_an_answer(peer: Peer) -> None:
    peer.pieces = [answer(b"", b"Location: http://127.0.0.1:1/", b"Content-Length: 0", status=b"302 Found")]
    assert outgoing.call("GET", peer.url).status == 302


@pytest.mark.parametrize(
    "said",
    [
        [answer(b"x", b"Content-Length: 5")],
        [answer(b"x" * 2000, b"Content-Length: 2000")],
        [answer(b"x" * 2000)],
        [answer(b"\x1f\x8b", b"Content-Encoding: gzip", b"Content-Length: 2")],
        [b"nonsense\r\n\r\n"],
        [b""],
    ],
)
def test_what_cannot_be_taken_is_told(peer: Peer, said: list[bytes]) -> None:
    peer.pieces = said
    with pytest.raises(CallFailed):
        outgoing.call("GET", peer.url, most=1000)


@pytest.mark.parametrize(
    "drop",
    [
        lambda: [b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 90],
        lambda: [answer(b"", b"Content-Length: 1000"), *[b"x"] * 1000],
    ],
    ids=["in its headers", "in its body"],
)
def test_a_peer_that_drips_is_cut_off(peer: Peer, drop: Callable[[], list[bytes]]) -> None:
    peer.pieces, peer.pause = drop(), 0.05
    with pytest.raises(CallFailed):
        outgoing.call("GET", peer.url, seconds=0.3)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://", "nothing", "http://127.0.0.1:1/?code=secret"])
def test_what_cannot_be_reached_is_told_without_its_query(url: str) -> None:
    with pytest.raises(CallFailed) as failure:
        outgoing.call("GET", url)
    assert "secret" not in str(failure.value)
