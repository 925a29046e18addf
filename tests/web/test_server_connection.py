"""What the poller knows of connections: when a request is whole, how long one has, who has to go."""

from __future__ import annotations

import itertools
import random
import socket
from typing import TYPE_CHECKING

import pytest
from gunicorn.config import Config
from hefesto_api.web import server_sending
from hefesto_api.web.server_connection import LEAST_RATE, READ_SECONDS, Connection, Stage, Verdict, owner_of
from hefesto_api.web.server_crowd import Crowd
from hefesto_api.web.server_receiving import IN_MEMORY, Budget, Chunks, NoRoom, Spool
from hefesto_api.web.server_sending import Outlet

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = Config()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def connection(sock: socket.socket, client: str = "203.0.113.9", *, room: int = 1 << 20) -> Connection:
    return Connection(CONFIG, sock, (client, 1), ("", 1), Budget(room), 1 << 20)


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\nhello, world",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n00\r\nA: b\r\nC: d\r\n\r\n",
    ],
)
def test_a_request_is_whole_with_its_last_byte(
    pair: tuple[socket.socket, socket.socket], said: bytes
) -> None:
    ours, theirs = pair
    conn = connection(ours)
    for byte in said[:-1]:
        theirs.send(bytes([byte]))
        assert conn.receive() is Verdict.WAIT
    theirs.send(said[-1:])
    assert conn.receive() is Verdict.READY
    assert next(conn.parser).method in {"GET", "POST"}
    conn.close()


def test_a_body_has_time_while_it_comes_fast_enough_but_saves_none(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("hefesto_api.web.server_connection.monotonic", lambda: now[0])
    ours, theirs = pair
    conn = connection(ours)
    assert conn.deadline == 1000.0 + CONFIG.keepalive
    theirs.sendall(b"POST / HTTP/1.1\r\nContent-Length: 500000\r\n\r\n")
    conn.receive()
    assert conn.deadline == 1000.0 + READ_SECONDS
    now[0] += 10
    theirs.sendall(b"x" * LEAST_RATE)
    conn.receive()
    assert conn.deadline == 1000.0 + READ_SECONDS + 1
    theirs.sendall(b"x" * LEAST_RATE * 15)
    conn.receive()
    assert conn.deadline == now[0] + READ_SECONDS
    assert conn.stage is Stage.BODY
    conn.close()


def test_a_body_that_has_no_room_is_refused(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    conn = connection(ours, room=10)
    theirs.sendall(b"POST / HTTP/1.1\r\nContent-Length: 500000\r\n\r\nmore than ten")
    assert conn.receive() is Verdict.READY
    with pytest.raises(NoRoom):
        next(conn.parser)
    conn.close()


def test_chunks_end_where_gunicorn_says() -> None:
    made = random.Random(7)  # noqa: S311
    for _ in range(300):
        body = b""
        for _ in range(made.randrange(5)):
            content = made.randbytes(made.randrange(1, 40))
            extension = made.choice([b"", b";a", b' ;b="c"'])
            body += b"%x%b\r\n%b\r\n" % (len(content), extension, content)
        body += made.choice([b"0\r\n\r\n", b"000\r\nA: b\r\n\r\n"])
        cuts = sorted({0, len(body), *(made.randrange(len(body)) for _ in range(3))})
        pieces = [body[one:other] for one, other in itertools.pairwise(cuts)]
        chunks = Chunks()
        assert [chunks.is_whole(piece) for piece in pieces] == [False] * (len(pieces) - 1) + [True]


@pytest.mark.parametrize("said", [b"x\r\n", b"\r\n", b"-1\r\n", b"1" * 5000, b"0x1\r\n", b"1_0\r\n"])
def test_what_are_no_chunks_is_for_the_parser(said: bytes) -> None:
    assert Chunks().is_whole(said)


def test_a_chunked_body_is_received_until_it_is_surely_too_large(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    conn = connection(ours, room=64 << 20)
    theirs.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % (1 << 30))
    sent = 0
    while conn.receive() is Verdict.WAIT:
        sent += theirs.send(b"x" * 32_768)
        assert sent < 2 << 20
    request = next(conn.parser)
    assert request.should_close()
    assert len(request.body.read(1 << 20)) == 1 << 20  # as much as any route takes
    assert len(request.body.read(1 << 16)) == 1 << 16  # and what shows that there is more
    conn.close()


def test_what_is_kept_is_given_back() -> None:
    budget = Budget(100)
    spool = Spool(budget)
    spool.write(b"x" * 60)
    with pytest.raises(NoRoom):
        spool.write(b"x" * 60)
    assert budget.left == 40
    spool.close()
    assert budget.left == 100


def test_a_full_disk_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(Budget(100))

    class Full:
        def write(self, _data: bytes) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None: ...

    spool.file.close()
    spool.file = Full()  # type: ignore[assignment]
    with pytest.raises(NoRoom):
        spool.write(b"x")


def received(theirs: socket.socket, outlet: Outlet, count: int) -> bytes:
    got = b""
    while len(got) < count:
        got += theirs.recv(1 << 20)
        outlet.pump()
    return got


def test_an_answer_waits_in_memory_then_on_disk_and_comes_in_order(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    budget = Budget(64 << 20)
    outlet = Outlet(ours, budget)
    outlet.begin()
    said = [b"head", *(bytes([number]) * 50_000 for number in range(100))]
    for piece in said:
        outlet.sendall(piece)
    assert outlet.is_pending
    assert 0 < budget.left < 64 << 20
    whole = b"".join(said)
    assert received(theirs, outlet, len(whole)) == whole
    assert outlet.pump() == 0
    assert budget.left == 64 << 20


def test_who_takes_nothing_where_nothing_can_be_kept_is_let_go(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_sending, "WAIT_SECONDS", 0.0)
    outlet = Outlet(pair[0], Budget(0))
    with pytest.raises(BrokenPipeError):
        for _ in range(1000):
            outlet.sendall(b"x" * 2 * IN_MEMORY)


def test_a_head_leaves_with_what_follows_or_alone(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.setblocking(False)
    outlet = Outlet(ours, Budget(0))
    outlet.begin()
    outlet.sendall(b"head ")
    with pytest.raises(BlockingIOError):
        theirs.recv(10)
    outlet.sendall(b"body")
    assert theirs.recv(20) == b"head body"
    outlet.begin()
    outlet.sendall(b"only")
    outlet.finish()
    assert theirs.recv(20) == b"only"


def test_the_most_of_each_address_but_of_proxies_and_this_machine() -> None:
    crowd = Crowd(100, 2, ["198.51.100.0/24", "unix"])

    def entered(client: str) -> Connection:
        conn = connection(socket.socket(), client)
        crowd.enter(conn)
        return conn

    first, second, third = (entered("203.0.113.9") for _ in range(3))
    assert crowd.too_many_of(third) is first
    first.stage = Stage.SERVED
    assert crowd.too_many_of(third) is second
    second.stage = third.stage = Stage.SERVED
    assert crowd.too_many_of(third) is third
    for exempt in ("198.51.100.7", "127.0.0.1", "::1"):
        assert [crowd.too_many_of(entered(exempt)) for _ in range(4)] == [None] * 4
    for conn in crowd:
        crowd.leave(conn)
        conn.close()
    assert len(crowd) == 0


def test_who_made_no_progress_for_longest_goes_first() -> None:
    crowd = Crowd(2, 100)
    first, second = (connection(socket.socket()) for _ in range(2))
    crowd.enter(first)
    assert crowd.too_many() is None
    crowd.enter(second)
    assert crowd.too_many() is first
    crowd.progress(first)
    assert crowd.too_many() is second
    first.close()
    second.close()


def test_an_address_is_what_one_customer_has() -> None:
    assert owner_of("203.0.113.9") == owner_of("::ffff:203.0.113.9") == "203.0.113.9/32"
    assert owner_of("2001:db8::1") == owner_of("2001:db8::2%eth0") == "2001:db8::/64"
    assert owner_of("::1") == "::1/128"
