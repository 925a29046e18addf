"""gunicorn's worker as we use it, in a process that serves."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
import socket
import subprocess
import sys
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import gunicorn
import pytest
from gunicorn.config import Config
from gunicorn.http import errors, wsgi
from gunicorn.http.message import Message
from gunicorn.workers import gthread
from hefesto_api.web import server_answers
from hefesto_api.web.live import handover
from hefesto_api.web.server_connection import Connection, Stage
from hefesto_api.web.server_receiving import Budget
from hefesto_api.web.server_worker import Worker
from structlog.testing import capture_logs
from tests.web.echo import PIECE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

THREADS = 2
GET = b"GET /whole HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A process that serves `echo` with two threads."""
    folder: Path = tmp_path_factory.mktemp("server")
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        argv = [sys.executable, "-m", "gunicorn", "-c", "python:hefesto_api.web.server", "--workers", "1"]
        argv += ["--threads", str(THREADS), "--bind", f"fd://{listener.fileno()}", "tests.web.echo:app"]
        environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
        with subprocess.Popen(argv, pass_fds=[listener.fileno()], env=environ) as process:
            try:
                yield listener.getsockname()[1]
            finally:
                process.terminate()


def opened(port: int, said: bytes = b"") -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(said)
    return sock


def answers(sock: socket.socket, count: int) -> list[dict[str, Any]]:
    """Read so many answers of the echo."""
    got: list[dict[str, Any]] = []
    stream = sock.makefile("rb")
    while len(got) < count:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            assert line, f"it ended after {got} and {head!r}"
            head += line
        length = re.search(rb"Content-Length: (\d+)", head)
        body = stream.read(int(length[1])) if length else b"{}"
        got.append(
            {"status": int(head.split()[1]), "close": b"Connection: close" in head, **json.loads(body)}
        )
    return got


def sizes(found: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(one["path"], one["size"]) for one in found]


def test_no_thread_waits_for_slow_heads_bodies_readers_or_for_silence(port: int) -> None:
    held = [
        *(opened(port) for _ in range(10)),
        *(opened(port, b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ") for _ in range(10)),
        *(opened(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc") for _ in range(10)),
        *(opened(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n") for _ in range(10)),
        *(
            opened(port, b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
            for _ in range(10)
        ),
        *(opened(port, b"GET /much/200 HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(10)),
        *(opened(port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) for _ in range(10)),
    ]
    with opened(port, GET) as normal:
        assert sizes(answers(normal, 1)) == [("/whole", 0)]
    for sock in held:
        sock.close()


def test_a_slow_reader_gets_every_byte(port: int) -> None:
    count = 300  # 19 MB: more than any kernel keeps
    with opened(port, b"GET /much/%d HTTP/1.0\r\nHost: x\r\n\r\n" % count) as sock:
        with opened(port, GET) as other:  # it is all made by now, or two threads are not enough
            answers(other, 1)
        head, _, body = sock.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK\r\n")
    assert hashlib.sha256(body).digest() == hashlib.sha256(PIECE * count).digest()


def test_what_follows_a_slow_answer_is_answered_behind_it(port: int) -> None:
    with opened(port, b"GET /much/100 HTTP/1.1\r\nHost: x\r\n\r\n" + GET) as sock:
        stream = sock.makefile("rb")
        while stream.readline() != b"\r\n":
            pass
        got = 0
        while size := int(stream.readline(), 16):
            got += len(stream.read(size))
            stream.readline()
        assert got == 100 * len(PIECE)
        assert stream.readline() == b"\r\n"
        assert stream.readline().startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_requests_in_any_pieces_and_one_behind_the_other(port: int, step: int) -> None:
    said = (
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
        b"POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"4;ext=1\r\nwiki\r\n5\r\npedia\r\n0\r\nX-Trailer: 1\r\n\r\n"
        b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        b"GET /d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    with opened(port) as sock:
        for at in range(0, len(said), step):
            sock.sendall(said[at : at + step])
        found = answers(sock, 5)
        assert sizes(found) == [("/a", 5), ("/b", 9), ("/unread", 0), ("/c", 0), ("/d", 0)]
        assert [one["close"] for one in found] == [False, False, False, False, True]
        assert sock.recv(1) == b""


def test_a_large_body_goes_through_whole(port: int) -> None:
    content = os.urandom(3_000_000)
    digest = hashlib.sha256(content).hexdigest()
    head = b"POST /large HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
    with opened(port, head + b"Content-Length: %d\r\n\r\n" % len(content)) as sock:
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(content + GET)
        first, second = answers(sock, 2)
    assert (first["size"], first["sha256"]) == (len(content), digest)
    assert second["path"] == "/whole"
    with opened(port, b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n") as sock:
        for at in range(0, len(content), 70_001):
            piece = content[at : at + 70_001]
            sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        sock.sendall(b"0\r\n\r\n" + GET)
        first, second = answers(sock, 2)
    assert (first["size"], first["sha256"]) == (len(content), digest)


def test_a_body_that_is_too_long_by_its_own_word_is_not_asked_for(port: int) -> None:
    head = b"POST /huge HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 999999999\r\n\r\n"
    with opened(port, head) as sock:
        (found,) = answers(sock, 1)
        assert (found["path"], found["close"]) == ("/huge", True)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (b"Content-Length: +4\r\n\r\nabcd", 400),
        (b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
        (b"Transfer-Encoding: x\r\n\r\n0\r\n\r\n", 501),
        (b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", 200),  # a view that does not mind
        (b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", 200),
        (b"X: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (b"X: " + b"y" * 70_000, 431),
        (b"A b: c\r\n\r\n", 400),
        (b"Expect: x\r\n\r\n", 417),
    ],
)
def test_nothing_is_read_behind_what_two_could_read_differently(port: int, said: bytes, status: int) -> None:
    with opened(port, b"POST /first HTTP/1.1\r\nHost: x\r\n" + said + GET) as sock:
        got = sock.makefile("rb").read()
    assert got.count(b"HTTP/1.1 ") == 1
    assert int(got.split()[1]) == status
    assert b"Connection: close" in got


def test_a_line_without_end_is_refused(port: int) -> None:
    with opened(port, b"GET /" + b"x" * 10_000) as sock:
        assert sock.makefile("rb").read().startswith(b"HTTP/1.1 400 ")


def test_a_body_that_breaks_off_is_served_as_cut_short(port: int) -> None:
    with opened(port, b"POST /cut HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc") as sock:
        sock.shutdown(socket.SHUT_WR)
        assert sizes(answers(sock, 1)) == [("/cut", 3)]


class Poller:
    """Takes note of what is waited for."""

    def __init__(self) -> None:
        self.watched: dict[Any, int] = {}

    def register(self, sock: Any, events: int, _told: Any) -> None:
        self.watched[sock] = events

    modify = register

    def unregister(self, sock: Any) -> None:
        del self.watched[sock]


@pytest.fixture
def worker() -> Iterator[Worker]:
    """A worker that does not run."""
    made = Worker(0, 0, [], None, 30, Config(), None)
    made.poller = Poller()
    yield made
    for conn in made.crowd:
        conn.close()
    made.tmp.close()


def held_by(worker: Worker, sock: socket.socket, client: str = "203.0.113.9") -> Connection:
    conn = Connection(worker.cfg, sock, (client, 1), ("", 1), Budget(1 << 20), 1 << 20)
    worker.crowd.enter(conn)
    worker.nr_conns = len(worker.crowd)
    return conn


def done(result: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(result)
    return future


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"])
def test_who_is_too_slow_is_told_so_and_let_go(worker: Worker, said: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        conn = held_by(worker, ours)
        theirs.sendall(said)
        conn.receive()
        conn.deadline = 0
        with capture_logs() as lines:
            worker.murder_pending()
        assert theirs.makefile("rb").read().startswith(b"HTTP/1.1 408 ")
        assert conn.stage is Stage.LINGERING
        assert [(line["event"], line["count"]) for line in lines] == [("slow_clients_let_go", 1)]
        conn.deadline, worker._sweep_at = 0, 0
        worker.murder_pending()
        assert (conn.stage, worker.nr_conns, ours.fileno()) == (Stage.CLOSED, 0, -1)


def test_an_end_is_not_waited_for(worker: Worker) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        conn = held_by(worker, ours)
        worker.finish_request(conn, done(False))
        assert conn.stage is Stage.LINGERING
        theirs.close()
        worker._on_event(conn, ours)
        assert (conn.stage, worker.nr_conns) == (Stage.CLOSED, 0)


def test_what_fails_costs_its_own_connection(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_conn: Connection) -> None:
        raise RuntimeError

    monkeypatch.setattr(Connection, "receive", fail)
    ours, theirs = socket.socketpair()
    with ours, theirs, capture_logs() as lines:
        worker._on_event(held_by(worker, ours), ours)
        assert ours.fileno() == -1
    assert lines[0]["event"] == "connection_failed"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidHeader("Authorization Bearer hef_secret"), 400),
        (errors.InvalidHeaderName("hef_secret"), 400),
        (errors.InvalidRequestLine("GET /?token=hef_secret"), 400),
        (errors.LimitRequestHeaders("hef_secret"), 431),
        (errors.ExpectationFailed("hef_secret"), 417),
        (errors.UnsupportedTransferCoding("hef_secret"), 501),
    ],
)
def test_what_cannot_be_read_is_answered_and_not_repeated(error: Exception, status: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, capture_logs() as lines:
        Worker.__new__(Worker).handle_error(None, ours, ("203.0.113.9", 1), error)
        ours.shutdown(socket.SHUT_WR)
        said = theirs.makefile("rb").read()
    head, _, body = said.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert json.loads(body)["error"]["code"] == "MALFORMED_REQUEST"
    assert b"X-Content-Type-Options: nosniff" in head
    assert b"Content-Security-Policy: default-src 'none'" in head
    assert b"Server:" not in head
    (line,) = lines
    assert (line["reason"], line["client"]) == (type(error).__name__, "203.0.113.9")
    assert b"hef_secret" not in said
    assert "hef_secret" not in str(lines)


def test_no_room_says_when_to_come_again() -> None:
    said = server_answers.answer(503)
    assert said.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 10\r\n" in said


def test_gunicorn_is_the_one_that_we_know() -> None:
    """Its connections are held behind its back: another version is to be read before it is trusted."""
    assert gunicorn.version_info[:2] == (26, 1), "read gthread, http.parser, http.body and Response"
    threads = gthread.ThreadWorker
    handled = inspect.getsource(threads.handle)
    assert "req = next(conn.parser)" in handled
    assert "self.handle_request(req, conn)" in handled
    assert "conn.sock.shutdown" not in handled
    assert "can_accept = self.nr_conns < self.worker_connections" in inspect.getsource(threads.run)
    assert "self.murder_pending()" in inspect.getsource(threads.run)
    assert "self.finish_request" in inspect.getsource(threads.enqueue_req)
    assert "resp = Response(req, sock, cfg)" in inspect.getsource(wsgi.create)
    assert "_expected_100_continue = False" in inspect.getsource(Message.__init__)


@pytest.mark.parametrize("broken", [False, True])
def test_a_connection_that_was_handed_on_is_neither_counted_nor_closed(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    ours, theirs = socket.socketpair()
    taken: list[tuple[socket.socket, bytes]] = []
    conn = held_by(worker, ours)
    theirs.sendall(GET + b"early")
    conn.receive()

    def handle(_worker: Any, conn: Any) -> bool:
        handover.offer({handover.SOCKET: ours}, lambda sock, early: taken.append((sock, early)))
        if broken:
            conn.sock.close()
        return True

    monkeypatch.setattr(gthread.ThreadWorker, "handle", handle)
    worker.finish_request(conn, done(worker.handle(conn)))
    assert (worker.nr_conns, worker.poller.watched) == (0, {})
    ((sock, early),) = taken
    with theirs, sock:
        assert early == (b"" if broken else b"early")
        if not broken:
            theirs.sendall(b"on it goes")
        assert sock.recv(10) == (b"" if broken else b"on it goes")


def test_nothing_is_handed_on_elsewhere() -> None:
    assert not handover.is_possible({})
    assert not handover.is_possible({handover.SOCKET: object()})
    assert handover.claim(object()) is None
