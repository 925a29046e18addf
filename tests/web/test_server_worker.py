"""gunicorn's worker as we use it."""

from __future__ import annotations

import inspect
import json
import socket
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import gunicorn
import pytest
from gunicorn.http import errors
from gunicorn.http.errors import NoMoreData
from gunicorn.workers.gthread import _DEFER, ThreadWorker
from hefesto_api.web.live import handover
from hefesto_api.web.server_worker import LEAST_RATE, PatientUnreader, Worker
from structlog.testing import capture_logs


class Silent:
    """A connection that was opened and says nothing: a browser's spare one, or a pool's."""

    initialized = data_ready = False

    def __init__(self) -> None:
        self.waited: list[float] = []

    def wait_for_data(self, timeout: float) -> bool:
        self.waited.append(timeout)
        return False


def test_no_thread_waits_for_a_connection_that_says_nothing() -> None:
    silent = Silent()
    assert Worker.__new__(Worker).handle(silent) is _DEFER
    assert silent.waited == [0]


def test_a_client_that_never_ends_its_head_is_let_go() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"GET / HTTP/1.1\r\n")
        reader = PatientUnreader(ours, seconds=30)
        assert reader.chunk() == b"GET / HTTP/1.1\r\n"
        ours.settimeout(0.01)  # stands for the seconds that are left
        with pytest.raises(NoMoreData):
            reader.chunk()
        assert ours.gettimeout() == 0.01
        theirs.sendall(b"X")
        with pytest.raises(NoMoreData):
            PatientUnreader(ours, seconds=0).chunk()


def test_what_comes_fast_enough_may_be_large() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reader = PatientUnreader(ours, seconds=30)
        theirs.sendall(b"x" * LEAST_RATE)
        before = reader._deadline
        assert reader.chunk() == b"x" * LEAST_RATE
        assert reader._deadline == before + 1


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


def test_gunicorn_is_the_one_that_we_know() -> None:
    """Connections are handed on behind its back: another version is to be read before it is trusted."""
    assert gunicorn.version_info[:2] == (26, 1), (
        "read ThreadWorker.handle, finish_request, TConn and Response"
    )
    handled = inspect.getsource(ThreadWorker.handle)
    assert "self.handle_request(req, conn)" in handled
    assert "conn.sock.shutdown" not in handled
    assert "self.nr_conns += 1" in inspect.getsource(ThreadWorker.accept)
    assert "self.nr_conns -= 1" in inspect.getsource(ThreadWorker.finish_request)


@pytest.mark.parametrize("broken", [False, True])
def test_a_connection_that_was_handed_on_is_neither_counted_nor_closed(
    monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    ours, theirs = socket.socketpair()
    taken: list[tuple[socket.socket, bytes]] = []
    reader = PatientUnreader(ours)
    reader.unread(b"early")
    conn = SimpleNamespace(sock=ours, initialized=True, parser=SimpleNamespace(unreader=reader))

    def handle(_worker: Any, conn: Any) -> bool:
        handover.offer({handover.SOCKET: ours}, lambda sock, early: taken.append((sock, early)))
        if broken:
            conn.sock.close()
        return True

    monkeypatch.setattr(ThreadWorker, "handle", handle)
    worker = Worker.__new__(Worker)
    worker.nr_conns = 3
    done: Future[Any] = Future()
    done.set_result(worker.handle(conn))
    worker.finish_request(conn, done)
    assert worker.nr_conns == 2
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
