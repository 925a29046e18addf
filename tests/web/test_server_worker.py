"""gunicorn's worker as we use it."""

from __future__ import annotations

import json
import socket

import pytest
from gunicorn.http import errors
from gunicorn.http.errors import NoMoreData
from gunicorn.workers.gthread import _DEFER
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
