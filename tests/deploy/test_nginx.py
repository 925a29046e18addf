"""The file for nginx: a real nginx with it, in front of the real service as production sets it up."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from tests.e2e.test_service import Served, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path(__file__).parents[2] / "deploy/nginx/hefesto.conf"
NAME = "hefesto.example"
NGINX = next(filter(None, map(shutil.which, ("nginx", "/usr/sbin/nginx"))), None)
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not NGINX or not shutil.which("openssl"), reason="there is no nginx or no openssl"),
]
MAIN = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {file}
}}
"""


class Answer(NamedTuple):
    """What was answered."""

    status: int
    headers: dict[str, str]
    body: bytes


class Front:
    """nginx with the file, on free ports, with a certificate of its own and shorter patience."""

    def __init__(self, folder: Path, behind: int) -> None:
        self.folder, self.tls, self.clear = folder, free_port(), free_port()
        _certify(folder)
        text = FILE.read_text().replace("127.0.0.1:8080", f"127.0.0.1:{behind}")
        text = re.sub(r"listen \[::\].*\n", "", text).replace("listen 80;", f"listen 127.0.0.1:{self.clear};")
        text = text.replace("listen 443 ", f"listen 127.0.0.1:{self.tls} ")
        text = text.replace("/etc/ssl/hefesto", str(folder)).replace("/var/log/nginx", str(folder))
        text = re.sub(r"(client_header_timeout|client_body_timeout)\s+10s", r"\1 300ms", text)
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder, file=text))
        argv = [str(NGINX), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
        subprocess.run([*argv, "-t"], check=True, capture_output=True)
        self.process = subprocess.Popen(argv)
        self.wait()

    def connect(self) -> ssl.SSLSocket:
        """Open a connection by TLS, trusting the certificate alone."""
        trusting = ssl.create_default_context(cafile=str(self.folder / "fullchain.pem"))
        plain = socket.create_connection(("127.0.0.1", self.tls), 20)
        return trusting.wrap_socket(plain, server_hostname=NAME)

    def wait(self) -> None:
        """Wait until it listens."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(ConnectionRefusedError):
                self.connect().close()
                return
            time.sleep(0.02)  # a process that starts tells nobody but who asks
        raise AssertionError((self.folder / "error.log").read_text())

    @contextmanager
    def asked(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> Iterator[http.client.HTTPResponse]:
        """Make a request on a connection of its own; header names may have underscores."""
        connection = http.client.HTTPConnection(NAME)
        connection.sock = self.connect()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(connection):
            connection.request(method, path, body or None, {"Host": NAME, **named})
            with connection.getresponse() as answer:
                yield answer

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Make a request and return the whole answer."""
        with self.asked(method, path, body, **headers) as answer:
            return Answer(answer.status, dict(answer.getheaders()), answer.read())

    def data(self, path: str, key: str) -> Any:
        """Return what a request with a key is answered."""
        return json.loads(self.ask("GET", path, Authorization=f"Bearer {key}").body)["data"]


def _certify(folder: Path) -> None:
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    argv += ["-keyout", "privkey.pem", "-out", "fullchain.pem", "-days", "2", "-subj", f"/CN={NAME}"]
    argv += ["-addext", f"subjectAltName=DNS:{NAME}"]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service as production has it, behind a proxy on the same machine."""
    made = Served(
        tmp_path_factory.mktemp("service"),
        HEFESTO_ENV="production",
        HEFESTO_AUTH="required",
        HEFESTO_TRUSTED_PROXIES="127.0.0.1/32",
        HEFESTO_ALLOWED_HOSTS=NAME,
        HEFESTO_SECRET_KEY="a key of tests that is long enough to be one",
    )
    made.start()
    yield made
    made.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def key(service: Served) -> str:
    """An admin's key, made as the documentation says."""
    argv = [sys.executable, "-m", "hefesto_api", "keys", "create", "--name", "first", "--role", "admin"]
    made = subprocess.run(
        argv, cwd=service.root.parent, env=service.environ, check=True, capture_output=True, text=True
    )
    return made.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def front(service: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """nginx before it."""
    made = Front(tmp_path_factory.mktemp("nginx"), service.port)
    yield made
    made.process.send_signal(signal.SIGTERM)
    made.process.wait(60)


def test_answers_come_by_https_with_the_headers_of_production(front: Front) -> None:
    answer = front.ask("GET", "/health")
    assert answer.status == 200
    assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]
    assert answer.headers["Server"] == "nginx"


def test_what_comes_in_the_clear_is_sent_on(front: Front) -> None:
    plain = http.client.HTTPConnection("127.0.0.1", front.clear)
    with closing(plain):
        plain.request("POST", "/api/v1/analyze?x=1", b"{}", {"Host": NAME})
        with plain.getresponse() as answer:
            sent_on = (answer.status, answer.getheader("Location"))
    assert sent_on == (308, f"https://{NAME}/api/v1/analyze?x=1")


def test_a_request_keeps_its_id_unless_it_is_none(front: Front) -> None:
    assert (
        front.ask("GET", "/health", X_Request_ID="order-4711-abc").headers["X-Request-ID"] == "order-4711-abc"
    )
    replaced = front.ask("GET", "/health", X_Request_ID="two words").headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{32}", replaced)


def test_a_client_cannot_say_who_it_is(front: Front, key: str) -> None:
    body = b'{"slug": "behind-nginx"}'
    sent = front.ask(
        "POST",
        "/api/v1/projects",
        body,
        Authorization=f"Bearer {key}",
        Content_Type="application/json",
        X_Forwarded_For="203.0.113.9",
        Forwarded="for=203.0.113.9",
        X_Real_IP="203.0.113.9",
    )
    assert sent.status == 201
    entries = front.data("/api/v1/audit-logs?limit=5", key)["audit_logs"]
    assert {entry["ip_address"] for entry in entries if entry["resource_type"] == "project"} == {"127.0.0.1"}


def test_a_body_over_the_limit_is_refused_and_an_import_may_be_larger(front: Front, key: str) -> None:
    large = b"[" + b" " * (11 << 20) + b"]"
    bearer = f"Bearer {key}"
    assert (
        front.ask(
            "POST", "/api/v1/alerts", large, Authorization=bearer, Content_Type="application/json"
        ).status
        == 413
    )
    assert front.ask(
        "POST", "/api/v1/findings/import", large, Authorization=bearer, Content_Type="application/json"
    ).status in {400, 422}


def test_the_live_feed_goes_through(front: Front, key: str) -> None:
    nonce = base64.b64encode(os.urandom(16)).decode()
    connection = front.connect()
    connection.sendall(
        f"GET /api/v1/ws/dashboard?token={key} HTTP/1.1\r\nHost: {NAME}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {nonce}\r\n\r\n".encode()
    )
    with connection, connection.makefile("rb") as stream:
        assert stream.readline().startswith(b"HTTP/1.1 101")
        while stream.readline().strip():
            pass
        assert b'"snapshot"' in stream.read(200)


def test_the_event_stream_goes_through_as_it_comes(front: Front, key: str) -> None:
    with front.asked("GET", "/api/v1/events/stream", Authorization=f"Bearer {key}") as answer:
        assert answer.status == 200
        assert any(b"snapshot" in line for line in iter(answer.readline, b""))


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /health HTTP/1.1\r\nHost: hefesto.example\r\nX-Slow: ",
        b"POST /api/v1/alerts HTTP/1.1\r\nHost: hefesto.example\r\nContent-Length: 100\r\n\r\nxx",
    ],
    ids=["header", "body"],
)
def test_who_trickles_is_let_go(front: Front, begun: bytes) -> None:
    with front.connect() as connection:
        connection.sendall(begun)
        with suppress(ConnectionResetError, ssl.SSLEOFError):  # what was meant
            assert b" 408 " in (connection.recv(4096) or b" 408 ")


def test_tokens_stand_in_no_log(front: Front, key: str) -> None:
    front.ask("GET", f"/api/v1/status?token={key}")
    front.ask("GET", "/health")
    logged = (front.folder / "access.log").read_text()
    assert '"path":"/health"' in logged
    assert key not in logged
