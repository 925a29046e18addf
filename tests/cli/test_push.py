"""`--push` sends what is found to a server, says what it answers, and ends with 3 when that fails."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Hefesto

COUNTS = {"new": 2, "updated": 0, "unchanged": 1, "resolved": 0}


class Server(ThreadingHTTPServer):
    """A server that takes reports down and answers as it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.answer: bytes = json.dumps({"data": COUNTS}).encode()
        self.location = ""
        self.received: list[tuple[str, dict[str, str], Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, dict(self.headers), json.loads(gzip.decompress(body))))
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.mark.enable_socket
def test_all_that_is_found_is_sent_whatever_is_shown(hefesto: Hefesto, server: Server) -> None:
    done = hefesto("analyze", ".", "--severity", "critical", "--push", server.url, HEFESTO_API_KEY="hef_k")
    assert done.returncode == 0, done.stderr
    assert "2 new, 0 updated, 1 unchanged, 0 resolved" in done.stderr
    ((path, headers, report),) = server.received
    assert path == "/api/v1/findings/import?project=shop"
    assert headers["Authorization"] == "Bearer hef_k"
    found = {
        one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for one in report["runs"][0]["results"]
    }
    assert found == {"run.py", "pay/shell.py"}
    assert "hef_k" not in done.stdout + done.stderr


@pytest.mark.enable_socket
def test_the_gate_still_decides_and_the_project_may_be_named(hefesto: Hefesto, server: Server) -> None:
    done = hefesto("analyze", ".", "--fail-on", "high", "--push", server.url + "/", "--project", "other")
    assert done.returncode == 1, done.stderr
    ((path, headers, _),) = server.received
    assert path.endswith("/api/v1/findings/import?project=other")
    assert "Authorization" not in headers


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (401, b'{"error": {"message": "No \\u001b[31mkey."}}', "401: No"),
        (500, b"<html>", "500"),
        (200, b"<html>", "no Hefesto server"),
        (200, b'{"data": {"new": 1}}', "no Hefesto server"),
        (302, b"", "not followed"),
    ],
)
def test_a_refusal_is_told_and_ends_with_three(
    hefesto: Hefesto, server: Server, status: int, answer: bytes, said: str
) -> None:
    server.status, server.answer = status, answer
    server.location = server.url if status == 302 else ""
    done = hefesto("analyze", ".", "--push", server.url)
    assert done.returncode == 3
    assert said in done.stderr
    assert "\x1b" not in done.stderr
    assert len(server.received) == 1


@pytest.mark.enable_socket
def test_a_server_that_is_not_there_ends_with_three(hefesto: Hefesto, server: Server) -> None:
    server.server_close()
    done = hefesto("analyze", ".", "--push", server.url)
    assert done.returncode == 3
    assert "cannot be reached" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--push", "ftp://x"],
        ["--push", "https://u:secret@x"],
        ["--push", "https://x/?a=b"],
        ["--push", "https://x", "--diff-base", "main"],
        ["--push", "https://x", "--project", "a/b"],
        ["--project", "a"],
    ],
)
def test_a_wrong_use_is_told_before_the_work(hefesto: Hefesto, tree: Path, options: list[str]) -> None:
    done = hefesto("analyze", ".", *options)
    assert done.returncode == 2
    assert "secret" not in done.stderr
