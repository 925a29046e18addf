"""What only a real connection can send: broken chunks, half bodies, raw bytes in headers and addresses."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hefesto_api import settings as all_settings
from hefesto_api.storage import migrate
from hefesto_api.storage.database import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a gunicorn that serves the sample feature and the whole application's errors."""
    folder = tmp_path_factory.mktemp("served")
    db = open_database(all_settings.load({}, folder).database_url)
    migrate.upgrade(db)
    db.close()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.getsockname()[1]
        argv = [sys.executable, "-m", "gunicorn", "-c", "python:hefesto_api.web.server", "--threads", "4"]
        argv += ["--bind", f"fd://{listener.fileno()}", "tests.contract.served:app"]
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HEFESTO_LOG_LEVEL": "error"}
        process = subprocess.Popen(
            argv, cwd=folder, env=environ, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL
        )
        yield number
        process.terminate()
        assert process.wait(60) == 0


def exchange(port: int, request: bytes, *, finish: bool = False) -> bytes:
    """Send raw bytes and return all that comes back; `finish` closes our side first."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        if finish:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionResetError:
            return answer
        return answer


def post(*headers: bytes, body: bytes = b"") -> bytes:
    head = [
        b"POST /api/v1/sample HTTP/1.1",
        b"Host: localhost",
        b"Connection: close",
        b"Content-Type: application/json",
    ]
    return b"\r\n".join([*head, *headers, b"", body])


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def code_of(answer: bytes) -> str:
    return str(json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["code"])


CHUNKED = b"Transfer-Encoding: chunked"
GOOD = b'{"name": "a"}'


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def test_a_sound_chunked_body_is_read(port: int) -> None:
    answer = exchange(port, post(CHUNKED, body=chunk(GOOD[:5]) + chunk(GOOD[5:]) + b"0\r\n\r\n"))
    assert status_of(answer) == 201


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n" + GOOD + b"\r\n0\r\n\r\n",
        b"-5\r\n" + GOOD + b"\r\n0\r\n\r\n",
        b"d\r\n" + GOOD + b"XX0\r\n\r\n",
        chunk(GOOD)[:-4],
        chunk(GOOD[:6]),
        b"ffffffffffffffff\r\n" + GOOD,
    ],
)
def test_broken_and_cut_chunks_are_the_clients_fault(port: int, body: bytes) -> None:
    answer = exchange(port, post(CHUNKED, body=body), finish=True)
    assert answer == b"" or status_of(answer) == 400, answer
    assert status_of(exchange(port, b"GET /api/v1/sample/3 HTTP/1.0\r\nHost: localhost\r\n\r\n")) == 200


def test_a_body_shorter_than_its_length_is_the_clients_fault(port: int) -> None:
    answer = exchange(port, post(b"Content-Length: 100", body=GOOD), finish=True)
    assert status_of(answer) == 400
    assert code_of(answer) == "MALFORMED_REQUEST"


def test_a_chunked_body_beyond_the_limit_is_refused_whole(port: int) -> None:
    large = b'{"name": "a"' + b" " * (11 * 1024 * 1024) + b"}"
    answer = exchange(port, post(CHUNKED, body=chunk(large) + b"0\r\n\r\n"))
    assert status_of(answer) == 413
    assert code_of(answer) == "PAYLOAD_TOO_LARGE"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /api/v1/sample/%00 HTTP/1.1\r\nHost: localhost",
        b"GET /api/v1/sample/%ff HTTP/1.1\r\nHost: localhost",
        b"GET /api/v1/sample/%zz HTTP/1.1\r\nHost: localhost",
        b"GET /api/v1/sample?limit=%ff HTTP/1.1\r\nHost: localhost",
        b"GET /api/v1/sample?limit=\xff HTTP/1.1\r\nHost: localhost",
        b"GET /api/v1/sample HTTP/1.1\r\nHost: \xff",
        b"GET http:// HTTP/1.1\r\nHost: localhost",
    ],
)
def test_raw_bytes_in_addresses_are_the_clients_fault(port: int, head: bytes) -> None:
    answer = exchange(port, head + b"\r\nConnection: close\r\n\r\n")
    assert status_of(answer) in {400, 403, 404}, answer


@pytest.mark.parametrize(
    "head",
    [
        b"no HTTP at all",
        b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\nHost: localhost",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 100_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nbad header",
        b"GET / HTTP/9.9\r\nHost: localhost",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
    ],
)
def test_what_never_becomes_a_request_is_answered_in_the_envelope(port: int, head: bytes) -> None:
    answer = exchange(port, head + b"\r\n\r\n")
    assert status_of(answer) in {400, 431}, answer[:200]
    assert code_of(answer) == "MALFORMED_REQUEST"


@pytest.mark.parametrize("line", [b"GET /api/v1/sample/3 HTTP/1.1", b"GET /nowhere HTTP/1.1", b"no HTTP"])
def test_nothing_says_what_serves(port: int, line: bytes) -> None:
    answer = exchange(port, line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head = answer.split(b"\r\n\r\n")[0].lower()
    assert b"x-content-type-options: nosniff" in head
    for told in (b"server:", b"gunicorn", b"26.", b"werkzeug", b"python"):
        assert told not in head


def test_clients_that_leave_their_end_open_keep_nobody_out(port: int) -> None:
    closing = b"GET /api/v1/sample/3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with contextlib.ExitStack() as left_open:
        for _ in range(
            30
        ):  # at two seconds each, as gunicorn has it, nobody else would be served for a minute
            connection = left_open.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            connection.sendall(closing)
        assert status_of(exchange(port, closing)) == 200


@pytest.mark.parametrize(
    "header",
    [b"SCRIPT_NAME: /evil", b"X_Forwarded_For: 10.0.0.1", b"REMOTE_ADDR: 10.0.0.1", b"PATH_INFO: /nowhere"],
)
def test_headers_that_pass_for_what_the_server_says_are_dropped(port: int, header: bytes) -> None:
    request = b"GET /api/v1/sample/3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    assert status_of(exchange(port, request + header + b"\r\n\r\n")) == 200


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, identity",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n folded",
        b"GET / HTTP/1.1\r\nHost: localhost" + b"\r\nX: a" * 101,
    ],
)
def test_what_two_servers_could_read_differently_is_refused(port: int, request_: bytes) -> None:
    answer = exchange(port, request_ + b"\r\n\r\n")
    assert status_of(answer) in {400, 431, 501}, answer[:200]
