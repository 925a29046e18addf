"""Live connections through a real gunicorn, with the client of the `websockets` library."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest
from hefesto_api import settings as all_settings
from hefesto_api.storage import migrate, outbox
from hefesto_api.storage.database import Database, open_database
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
THREADS = 2
SECONDS = 90.0  # an answer may take, where much goes on


class Server:
    """gunicorn with two threads, and the database that it tells of."""

    def __init__(self, folder: Path, db: Database, **settings: str) -> None:
        self.db = db
        with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
            self.port = int(listener.getsockname()[1])
            argv = [sys.executable, "-m", "gunicorn", "-c", "python:hefesto_api.web.server"]
            argv += ["--threads", str(THREADS), "--bind", f"fd://{listener.fileno()}"]
            environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HEFESTO_LOG_LEVEL": "error"}
            environ |= {"HEFESTO_LIVE_PER_CALLER": "0", **settings}
            self.process = subprocess.Popen(
                [*argv, "hefesto_api.app:create_app()"],
                cwd=folder,
                env=environ,
                pass_fds=[listener.fileno()],
            )

    def tell(self, kind: str, **data: Any) -> None:
        """Write an event, as another process would."""
        with self.db.write(witnessed=False) as session:
            outbox.append(session, kind, data)

    def address(self, query: str = "") -> str:
        return f"ws://127.0.0.1:{self.port}/api/v1/ws/dashboard{query}"

    def ask(self, path: str) -> socket.socket:
        """Send a request over a plain connection."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return connection


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    db = open_database(all_settings.load({}, tmp_path).database_url)
    migrate.upgrade(db)
    made = Server(tmp_path, db)
    yield made
    made.process.terminate()
    made.process.wait(60)
    db.close()


def joined(address: str, **options: Any) -> Any:
    """Connect, also to a server that is still starting on a busy machine."""
    return connect(address, open_timeout=SECONDS, **options)


def heard(connection: Any) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(connection.recv(SECONDS))
    return said


def test_sockets_keep_no_thread_and_hear_of_other_processes(server: Server) -> None:
    with contextlib.ExitStack() as opened:
        listeners = [opened.enter_context(joined(server.address())) for _ in range(5 * THREADS)]
        assert {heard(one)["type"] for one in listeners} == {"snapshot"}
        with server.ask("/health") as connection, connection.makefile("rb") as answer:
            assert answer.readline().split()[1] == b"200"
        server.tell("alert.created", id="a1")
        assert {heard(one)["data"]["id"] for one in listeners} == {"a1"}
        server.process.send_signal(signal.SIGTERM)
        for one in listeners:
            with pytest.raises(ConnectionClosed) as closed:
                heard(one)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
    assert server.process.wait(60) == 0


def told(answer: IO[bytes]) -> list[bytes]:
    """Return the lines of the next event of a stream."""
    return list(iter(answer.readline, b"\n"))


def test_events_are_streamed_and_gone_on_with(server: Server) -> None:
    server.tell("alert.created", id="a1")
    with server.ask("/api/v1/events/stream") as connection, connection.makefile("rb") as answer:
        head = list(iter(answer.readline, b"\r\n"))
        assert head[0].split()[1] == b"200"
        assert b"Content-Type: text/event-stream; charset=utf-8\r\n" in head
        assert not [line for line in head if line.lower().startswith((b"transfer", b"content-length"))]
        lines = [answer.readline() for _ in range(4)]
        assert lines[:4] == [b"retry: 3000\n", b"\n", b"id: 1\n", b"event: snapshot\n"]
    server.tell("alert.created", id="a2")
    again = server.ask("/api/v1/events/stream?last_event_id=1")
    with again, again.makefile("rb") as answer:
        list(iter(answer.readline, b"\r\n"))
        assert told(answer) == [b"retry: 3000\n"]
        lines = told(answer)
        while lines[0] == b"event: heartbeat\n":  # the event may take longer on a busy machine
            lines = told(answer)
        assert lines[:2] == [b"id: 2\n", b"event: alert_new\n"]
        assert json.loads(lines[2][6:])["data"]["id"] == "a2"


def test_a_handshake_is_answered_as_a_browser_wants_it(server: Server) -> None:
    with joined(server.address("?token=nonsense")) as one, pytest.raises(ConnectionClosed) as closed:
        one.recv(SECONDS)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401
    with joined(server.address(), subprotocols=[Subprotocol("hefesto")]) as one:
        assert one.subprotocol == "hefesto"
        assert heard(one)["type"] == "snapshot"
        one.ping().wait(SECONDS)
    with (
        pytest.raises(InvalidStatus) as refused,
        joined(server.address(), origin=Origin("https://evil.example")),
    ):
        pass
    assert refused.value.response.status_code == 403
