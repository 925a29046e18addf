"""A real nginx with TLS in front of the service in production: what clients write into headers gains nothing.

    python -m benchmarks.security.proxy [--quick] [--plant]

A client at 127.0.0.2 calls through nginx at 127.0.0.1, the one proxy that is trusted, with every header that
could pass for a proxy's, and past nginx as well. The service must take it for who it is, not for somebody of
its machine, must send HTTP on to HTTPS and keep foreign hosts out; messages that two servers could read
differently must reach nobody. `--plant` trusts the client as if it were a proxy, which must be noticed. Exit
status 1 when a lie is believed; where there is no nginx, that is said and nothing is judged.
"""

from __future__ import annotations

import argparse
import http.client
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.security.scan import first_key
from benchmarks.service import SERVE, Service, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
HOST = "hefesto.example"
CLIENT = "127.0.0.2"
LIE = "203.0.113.7"
LIES: tuple[Mapping[str, str], ...] = (
    {},
    {"X-Forwarded-For": LIE},
    {"X-Forwarded-For": f"{LIE}, 127.0.0.1"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-For": "::1"},
    {"X-Forwarded-For": f"{LIE},"},
    {"X-Forwarded-For": "unknown"},
    {"X-Forwarded-For": "x" * 7000},
    {"X-Real-IP": LIE},
    {"X-Client-IP": LIE},
    {"True-Client-IP": LIE},
    {"Forwarded": f"for={LIE};proto=http;host=evil.example"},
    {"X-Forwarded-Proto": "http"},
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Port": "1"},
    {"X_Forwarded_For": LIE},
    {"REMOTE_ADDR": LIE},
    {"SCRIPT_NAME": "/evil"},
    {"PATH_INFO": "/livez"},
)
SMUGGLED = (
    b"Content-Length: 4\r\nTransfer-Encoding: chunked",
    b"Content-Length: 4\r\nContent-Length: 5",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: x\r\nContent-Length: 4",
)
CONFIGURATION = """\
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 64; }}
http {{
    access_log off; server_tokens off;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $host;
    proxy_set_header Connection "";
    server {{
        listen 127.0.0.1:{https} ssl;
        ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        location / {{ proxy_pass http://127.0.0.1:{port}; }}
    }}
    server {{
        listen 127.0.0.1:{http};
        location / {{ proxy_pass http://127.0.0.1:{port}; }}
    }}
}}
"""


class Site:
    """nginx and the service behind it; asks as the client does."""

    def __init__(self, folder: Path, service: Service, key: str) -> None:
        self.service, self.key = service, key
        self.https, self.http = free_port(), free_port()
        self._context = ssl.create_default_context(cafile=_certificate(folder))
        text = CONFIGURATION.format(folder=folder, port=service.port, https=self.https, http=self.http)
        (folder / "nginx.conf").write_text(text)
        assert NGINX is not None
        argv = [NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder)]
        self._process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.https), timeout=1):
                return
            time.sleep(0.05)
        raise SystemExit(f"nginx did not start:\n{(folder / 'nginx.log').read_text()}")

    def ask(self, path: str, headers: Mapping[str, str], *, way: str = "https") -> http.client.HTTPResponse:
        """Ask through nginx by HTTPS or HTTP, or past it."""
        port = {"https": self.https, "http": self.http, "past": self.service.port}[way]
        connection: http.client.HTTPConnection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=60, source_address=(CLIENT, 0)
        )
        if way == "https":
            plain = socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(CLIENT, 0))
            connection.sock = self._context.wrap_socket(plain, server_hostname=HOST)
        connection.request("GET", path, headers={"Host": HOST, **headers})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def raw(self, content: bytes) -> bytes:
        """Send raw bytes by HTTPS and return what comes back."""
        with (
            socket.create_connection(("127.0.0.1", self.https), timeout=20) as plain,
            self._context.wrap_socket(plain, server_hostname=HOST) as connection,
        ):
            connection.sendall(content)
            connection.settimeout(5)
            answer = b""
            with suppress(OSError):
                while piece := connection.recv(65536):
                    answer += piece
            return answer

    def close(self) -> None:
        """End nginx."""
        self._process.terminate()
        self._process.wait()


def main() -> int:
    """Run it and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="does the same: it takes seconds")
    parser.add_argument("--plant", action="store_true", help="a fault, which must be found")
    asked = parser.parse_args()
    if NGINX is None:
        print("there is no nginx here: nothing was judged")
        return int(asked.plant)
    with tempfile.TemporaryDirectory(prefix="hefesto-proxy-") as folder:
        faults = tried(Path(folder), trusted="127.0.0.0/8" if asked.plant else "127.0.0.1")
    print(f"{len(LIES)} lies by HTTPS and past nginx, {len(SMUGGLED)} smuggled: {len(faults)} believed")
    for fault in faults[:20]:
        print(f"  {fault}")
    return 1 if faults else 0


def tried(folder: Path, trusted: str) -> list[str]:
    """Tell the service every lie and return those that it believed."""
    environ = {
        "HEFESTO_AUTH": "required",
        "HEFESTO_ENV": "production",
        "HEFESTO_SECRET_KEY": "a key of the proxy's trial that is long enough",
        "HEFESTO_TRUSTED_PROXIES": trusted,
        "HEFESTO_ALLOWED_HOSTS": HOST,
        "HEFESTO_RATE_LIMITS": "off",
        "HEFESTO_LOG_LEVEL": "info",
    }
    service = Service(folder, folder, (*SERVE, "--no-worker"), environ)
    key = first_key(service)
    service.start()
    try:
        site = Site(folder, service, key)
        try:
            return [*lied(site), *led(site), *smuggled(site)]
        finally:
            site.close()
    finally:
        service.stop()


def lied(site: Site) -> list[str]:
    """Return the lies about the client that were believed."""
    faults = []
    for number, lie in enumerate(LIES):
        for way in ("https", "past"):
            name = f"lie-{number}-{way}"
            shown = {"Authorization": f"Bearer {site.key}", "X-Request-ID": name}
            status = site.ask("/api/v1/projects", {**lie, **shown}, way=way).status
            if status != (200 if way == "https" else 308):
                faults.append(f"{name}: {dict(lie)}: answered {status}")
            if way == "https" and site.ask("/metrics", lie).status != 401:  # past nginx it is of the machine
                faults.append(f"{name}: {dict(lie)}: metrics were told")
            line = next((one for one in site.service.log().splitlines() if f"request_id={name}" in one), "")
            seen = re.search(r"client=(\S+)", line)
            if seen is None or seen.group(1) != CLIENT:
                faults.append(f"{name}: {dict(lie)}: taken for {seen and seen.group(1)}")
    return faults


def led(site: Site) -> list[str]:
    """Return where HTTP, or a foreign host, led to something."""
    faults = []
    credentials = {"Authorization": f"Bearer {site.key}"}
    for lie in ({}, {"X-Forwarded-Proto": "https"}):
        answer = site.ask("/api/v1/projects?limit=1", {**credentials, **lie}, way="http")
        place = answer.getheader("Location")
        if answer.status != 308 or place != f"https://{HOST}/api/v1/projects?limit=1":
            faults.append(f"by HTTP with {lie}: {answer.status} {place}")
    by_https = site.ask("/api/v1/projects", credentials)
    if by_https.getheader("Strict-Transport-Security") != "max-age=31536000; includeSubDomains":
        faults.append("HTTPS is not told to stay")
    if site.ask("/api/v1/projects", {**credentials, "Host": "evil.example"}).status != 403:
        faults.append("a foreign host was served")
    return faults


def smuggled(site: Site) -> list[str]:
    """Return the messages of two lengths that got through."""
    inner = b"GET /livez HTTP/1.1\r\nHost: hefesto.example\r\n\r\n"
    faults = []
    for head in SMUGGLED:
        start = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: hefesto.example\r\n"
        answer = site.raw(start + head + b"\r\n\r\n0\r\n\r\n" + inner)
        if answer.count(b"HTTP/1.1 200") or b"alive" in answer:
            faults.append(f"smuggled: {head!r}: {answer[:200]!r}")
    return faults


def _certificate(folder: Path) -> Path:
    """Make a certificate that signs itself, and return its file."""
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    argv += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-days", "2"]
    argv += ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    subprocess.run(argv, check=True, capture_output=True)
    return folder / "cert.pem"


if __name__ == "__main__":
    sys.exit(main())
