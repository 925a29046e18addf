"""Slow clients, a thousand at once, while others go on as always: by the Procfile, and behind nginx.

    python -m benchmarks.slow_clients [MODE...] [--only bare|nginx] [--seconds 15] [--clients 1000]

slowhttptest (a Debian package) opens a thousand connections that send their heads, or their bodies, a few
bytes at a time, ask for thousands of ranges, or take their answers a few bytes at a time; `unclosed` are
ours: they ask for `Connection: close` and then do not close. Meanwhile others ask for lists, details and
numbers and decide about findings, at a fixed rate, each second request over a connection of its own; a
latency counts from the moment the request was due. Exit status 1 unless 99.9% are answered well, with a p99
under 250 ms, in every mode.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from benchmarks import corpora, finding_rows
from benchmarks.service import Service, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVED_TARGET: Final = 0.999
P99_TARGET: Final = 250.0  # milliseconds
FINDINGS: Final = 10_000
ASKERS: Final = 8
# The web line of the Procfile; `hefesto worker` has no part in it.
WEB: Final = (
    sys.executable, "-m", "hefesto_api", "serve", "--host", "0.0.0.0", "--no-worker", "--port", "{port}",  # noqa: S104
)  # fmt: skip
TOOL: Final = "slowhttptest"
MODES: Final = {
    "none": [],
    "slow heads": ["-H", "-i", "10", "-r", "200", "-x", "24", "-u", "{url}/health"],
    "slow bodies": ["-B", "-i", "10", "-r", "200", "-s", "8192", "-x", "10", "-u", "{url}/api/v1/analyze"],
    "ranges": ["-R", "-r", "200", "-t", "GET", "-a", "10", "-b", "3000", "-u", "{url}/openapi.json"],
    "slow readers": ["-X", "-r", "200", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-u",
                     "{url}/openapi.json"],
    "unclosed": [],
}  # fmt: skip
NGINX: Final = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
# No limits by address, which would count the slow and the others as one here: as if each came from its own.
CONFIGURATION: Final = """\
worker_processes auto; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    client_header_timeout 10s; client_body_timeout 10s; send_timeout 10s; reset_timedout_connection on;
    proxy_buffers 16 16k;
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
    upstream service {{ server 127.0.0.1:{port} max_fails=0; keepalive 32; keepalive_timeout 4s; }}
    server {{ listen 127.0.0.1:{listens} backlog=4096; location / {{ proxy_pass http://service; }} }}
}}
"""


class Outcome(Struct):
    """What came of the normal requests: milliseconds of those answered well, and what the others got."""

    took: list[float]
    failed: dict[str, int]

    @property
    def served(self) -> float:
        """The share that was answered well."""
        return len(self.took) / max(len(self.took) + sum(self.failed.values()), 1)

    def at(self, share: float) -> float:
        """Return a percentile in milliseconds."""
        ordered = sorted(self.took)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("inf")


def main() -> int:
    """Measure, print and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("modes", nargs="*", default=[], help=", ".join(MODES))
    parser.add_argument("--cache", type=Path, default=corpora.default_cache())
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=50.0, help="normal requests a second")
    parser.add_argument("--only", choices=["bare", "nginx"])
    asked = parser.parse_args()
    if shutil.which(TOOL) is None:
        print(f"{TOOL} is not installed; nothing was measured")
        return 3
    ways = [way for way in ("bare", "nginx") if asked.only in (None, way)]
    if NGINX is None and "nginx" in ways:
        print("nginx is not installed; that way is not measured")
        ways.remove("nginx")
    missed = [line for way in ways for line in measured(way, asked)]
    print("met" if not missed else "MISSED: " + "; ".join(missed))
    return 1 if missed else 0


def measured(way: str, asked: argparse.Namespace) -> list[str]:
    """Measure every mode one way; return what was missed."""
    missed = []
    with tempfile.TemporaryDirectory(prefix="hefesto-slow-") as made:
        folder = Path(made)
        (folder / "src").mkdir()
        environ = {"HEFESTO_AUTH": "open", "HEFESTO_RATE_LIMITS": "off"}
        service = Service(folder, folder / "src", WEB, environ)
        finding_rows.copy(FINDINGS, asked.cache, service.database)
        service.start()
        try:
            with front(way, service, folder) as port:
                for mode in asked.modes or MODES:
                    outcome, reached = under(mode, port, asked)
                    text = line(way, mode, outcome, reached)
                    print(text, flush=True)
                    if outcome.served < SERVED_TARGET or outcome.at(0.99) >= P99_TARGET:
                        missed.append(f"{way}, {mode}")
        finally:
            service.stop()
    return missed


def line(way: str, mode: str, outcome: Outcome, reached: str) -> str:
    """Write the figures of a mode in a line."""
    figures = ", ".join(f"{name} {outcome.at(share):.0f}" for name, share in _SHARES)
    failed = f" {outcome.failed}" if outcome.failed else ""
    served = f"{outcome.served:8.3%} of {len(outcome.took) + sum(outcome.failed.values())} served"
    return f"{way:6} {mode:13} {served}; ms: {figures}; {reached}{failed}"


_SHARES: Final = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("most", 1.0))


@contextlib.contextmanager
def front(way: str, service: Service, folder: Path) -> Iterator[int]:
    """Yield the port that clients ask: the service's, or an nginx's before it."""
    if way == "bare":
        yield service.port
        return
    assert NGINX is not None
    listens = free_port()
    text = CONFIGURATION.format(folder=folder, port=service.port, listens=listens)
    (folder / "nginx.conf").write_text(text)
    argv = [NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            _await_port(listens)
            yield listens
        finally:
            process.terminate()


def under(mode: str, port: int, asked: argparse.Namespace) -> tuple[Outcome, str]:
    """Return what came of normal requests beside slow clients, and how many of those there were."""
    with slow_clients(mode, port, asked) as reached:
        context = get_context("spawn")
        results = context.SimpleQueue()
        process = context.Process(target=ask, args=(results, port, asked.rate, asked.seconds))
        process.start()
        outcome = Outcome(*results.get())
        process.join()
        return outcome, reached()


@contextlib.contextmanager
def slow_clients(mode: str, port: int, asked: argparse.Namespace) -> Iterator[Any]:
    """Have slow clients of a kind while the context lasts; yield what tells how many there were."""
    if mode == "unclosed":
        with contextlib.ExitStack() as held:
            threading.Thread(target=_leave_open, args=(port, asked, held), daemon=True).start()
            yield lambda: "5 a second that never close"
        return
    if not MODES[mode]:
        yield lambda: "no slow clients"
        return
    url = f"http://127.0.0.1:{port}"
    argv = [TOOL, "-c", str(asked.clients), "-l", str(int(asked.seconds) + 30), "-p", "5"]
    argv += [word.replace("{url}", url) for word in MODES[mode]]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
        try:
            time.sleep(min(asked.clients / 200, 6.0))
            before = _connections(process.pid)
            yield lambda: f"{before} slow at first, {_connections(process.pid)} at last"
        finally:
            process.terminate()


def _connections(pid: int) -> int:
    """Return how many sockets a process has open."""
    count = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(file.readlink()).startswith("socket:")
    return count


def _leave_open(port: int, asked: argparse.Namespace, held: contextlib.ExitStack) -> None:
    until = time.monotonic() + asked.seconds + 5
    while time.monotonic() < until:
        for _ in range(5):
            with contextlib.suppress(OSError):  # it is all over
                sock = held.enter_context(socket.create_connection(("127.0.0.1", port)))
                sock.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        time.sleep(1)


def ask(results: Any, port: int, rate: float, seconds: float) -> None:
    """Ask at a fixed rate, from several threads; put the latencies and the failures into a queue."""
    took: list[float] = []
    failed: dict[str, int] = {}
    begins = time.perf_counter() + 0.5

    def some(first: int) -> None:
        kept: http.client.HTTPConnection | None = None
        for number in range(first, int(rate * seconds), ASKERS):
            due = begins + number / rate
            time.sleep(max(due - time.perf_counter(), 0))
            if kept is None or number // ASKERS % 2:
                kept = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                status = _asked(kept, number)
            except (OSError, http.client.HTTPException) as error:
                kept, status = None, type(error).__name__
            if status == "200":
                took.append((time.perf_counter() - due) * 1000)
            else:
                failed[status] = failed.get(status, 0) + 1

    threads = [threading.Thread(target=some, args=(first,)) for first in range(ASKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put((took, failed))


def _asked(connection: http.client.HTTPConnection, number: int) -> str:
    finding = finding_rows.finding_id(number % FINDINGS)
    paths = (f"/api/v1/findings?project={finding_rows.slug(number % 100)}", f"/api/v1/findings/{finding}")
    method, path, body = ("GET", ("/health", *paths)[number % 3], None)
    if number % 10 == 9:
        method, path = "PATCH", paths[1]
        body = json.dumps({"status": "acknowledged", "comment": f"decision {number}"})
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    answer = connection.getresponse()
    answer.read()
    return str(answer.status)


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit("nginx did not start")


if __name__ == "__main__":
    print(f"load at the start: {os.getloadavg()[0]:.1f}")
    sys.exit(main())
