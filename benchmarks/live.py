"""The live feed: many listeners, how late events come, what they cost in memory, and what HTTP feels of them.

    python -m benchmarks.live [--clients 1000] [--connect 5000] [--seconds 20] [--rate 10] [--quick]

One worker process serves; the listeners and who writes the events are other processes of the same machine. An
event counts from just before its transaction to when a listener has read it. Ends with 1 where a figure is
missed: p99 under 50 ms, 40 MB over idle for 1,000 listeners, p95 of HTTP at most half again beside them.
"""

from __future__ import annotations

import argparse
import base64
import multiprocessing
import os
import re
import resource
import selectors
import socket
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from hefesto_api.storage import outbox
from hefesto_api.storage.database import open_database

from benchmarks.service import Service

MOST_LATE_MS, MOST_MB, MOST_SLOWDOWN = 50.0, 40.0, 1.5
_SENT_AT = re.compile(rb'"sent_at":([0-9.]+)')
PATH = "/api/v1/ws/dashboard"


def main() -> int:
    """Measure, print, and tell by the exit status whether every figure was met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--connect", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    if asked.quick:
        asked.clients, asked.connect, asked.seconds = 200, 500, 5.0
    allow_files()
    print(f"load at the start: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        environ = {"HEFESTO_WORKERS": "1", "HEFESTO_LIVE_PER_CALLER": "0"}
        service = Service(Path(folder), Path(folder), environ=environ)
        service.start()
        try:
            missed = measure(service, asked)
        finally:
            service.stop()
    print(f"load at the end: {os.getloadavg()[0]:.1f}")
    for one in missed:
        print(f"MISSED: {one}")
    return 1 if missed else 0


def measure(service: Service, asked: argparse.Namespace) -> list[str]:
    """Measure everything on a service that runs; return what was missed."""
    warm_up(service)
    idle_mb, alone = memory_of(service), http_p95(service, asked.seconds)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    listener = context.Process(target=listen, args=(service.port, asked.clients, theirs))
    listener.start()
    took = ours.recv()
    used = memory_of(service) - idle_mb
    beside: list[float] = []
    asking = threading.Thread(target=lambda: beside.append(http_p95(service, asked.seconds)))
    asking.start()
    told = tell(service, asked.rate, asked.seconds)
    asking.join()
    peak = memory_of(service) - idle_mb
    time.sleep(1)
    ours.send(None)
    late = ours.recv()
    listener.join()
    expected = told * asked.clients
    p50, p99 = percentile(late, 50), percentile(late, 99)
    allowed = MOST_MB * max(asked.clients / 1000, 0.5)
    print(f"{asked.clients} connected in {took:.1f} s; {used:.1f} MB over idle, {peak:.1f} MB with events")
    print(f"{len(late)} of {expected} told; p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {max(late):.1f} ms")
    print(f"HTTP p95 alone {alone:.1f} ms, beside {beside[0]:.1f} ms")
    many, held = context.Pipe()
    crowd = context.Process(target=listen, args=(service.port, asked.connect, held))
    crowd.start()
    took = many.recv()
    print(f"{asked.connect} connected in {took:.1f} s; {memory_of(service) - idle_mb:.1f} MB over idle")
    many.send(None)
    many.recv()
    crowd.join()
    checks = [
        (len(late) == expected, f"{expected - len(late)} messages did not come"),
        (p99 < MOST_LATE_MS, f"p99 is {p99:.1f} ms"),
        (peak <= allowed, f"{peak:.1f} MB over idle"),
        (beside[0] <= alone * MOST_SLOWDOWN + 2, f"HTTP p95 went from {alone:.1f} to {beside[0]:.1f} ms"),
    ]
    return [text for holds, text in checks if not holds]


def listen(port: int, clients: int, pipe: Any) -> None:
    """Open connections, then read until it is said to stop; send back how late each event was, in ms."""
    allow_files()
    began = time.perf_counter()
    selector = selectors.DefaultSelector()
    for _ in range(clients):
        selector.register(opened(port), selectors.EVENT_READ, [])
    pipe.send(time.perf_counter() - began)
    late: list[float] = []
    while not pipe.poll():
        for key, _ in selector.select(0.1):
            key.data.append(key.fileobj.recv(1 << 16))  # type: ignore[union-attr] # a socket
            now = time.time()
            text = b"".join(key.data)
            found = list(_SENT_AT.finditer(text))
            late += [(now - float(one[1])) * 1000 for one in found]
            key.data[:] = [text[found[-1].end() :] if found else text]
    pipe.recv()
    pipe.send(late)
    for key in list(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr] # a socket


def opened(port: int) -> socket.socket:
    """Open a WebSocket; what it is told is looked through as it comes, since decoding would take longer."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=60)
    key = base64.b64encode(os.urandom(16)).decode()
    head = [
        f"GET {PATH} HTTP/1.1",
        "Host: localhost",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
    ]
    sock.sendall("\r\n".join([*head, "", ""]).encode())
    got = b""
    while b"\r\n\r\n" not in got:
        got += sock.recv(65536)
    if b" 101 " not in got.split(b"\r\n")[0]:
        raise SystemExit(got.decode())
    return sock


def tell(service: Service, rate: float, seconds: float) -> int:
    """Write events at a steady rate; return how many."""
    db = open_database(service.environ["HEFESTO_DATABASE_URL"])
    count = int(rate * seconds)
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(began + number / rate - time.monotonic(), 0))
        with db.write(durable=False, witnessed=False) as session:
            outbox.append(session, "alert.created", {"sent_at": time.time(), "title": "x" * 300})
    db.close()
    return count


def warm_up(service: Service) -> None:
    """Have every thread of the worker made, the listeners' two as well."""
    sock = opened(service.port)
    for _ in range(50):
        service.call("GET", "/health")
    sock.close()


def http_p95(service: Service, seconds: float) -> float:
    """Ask for the alerts some twenty times a second; return the 95th percentile in ms."""
    taken = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        with urllib.request.urlopen(f"{service.url}/api/v1/alerts", timeout=60) as answer:  # noqa: S310
            answer.read()
        taken.append((time.perf_counter() - began) * 1000)
        time.sleep(0.05)
    return percentile(taken, 95)


def percentile(values: list[float], of: int) -> float:
    """Return a percentile of some values."""
    return statistics.quantiles(values or [0.0, 0.0], n=100)[of - 1]


def memory_of(service: Service) -> float:
    """Return the resident memory of the process that holds the sockets, in MB: the largest of the service."""
    sizes = []
    for about in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = about.read_text("utf-8", "replace").rpartition(")")[2].split()
            command = (about.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[3]) == service.pid and b"gunicorn" in command:
            sizes.append(int(fields[21]) * resource.getpagesize() / (1 << 20))
    return max(sizes)


def allow_files() -> None:
    """Let this process open as many sockets as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
