"""Show: ten thousand events reach a receiver, while others misbehave and workers are killed.

A worker sends; its process group is killed (SIGKILL) again and again while events come in. Beside the good
receiver stand ones that hang, drip, answer 500, redirect, loop, bomb and reset.

    python -m benchmarks.webhooks [--quick] [--database URL]

Fails when an event is missed, a signature does not verify, the events of an alert come out of order, or an
event reaches the good receiver two seconds late while nobody is killed.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.features.webhooks import service
from hefesto_api.features.webhooks.messages import Sealed
from hefesto_api.storage import migrate, outbox
from standardwebhooks.webhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import Callable

    from hefesto_api.runtime import Runtime

VERBS = ("created", "acknowledged", "resolved")
MOST_DELAY = 2.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Listener:
    """A server on loopback; each connection is a thread's that `answer` is given."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self.server = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}/"
        self.calls = 0
        self._answer = answer
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            client, _ = self.server.accept()
            self.calls += 1
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        with client, suppress(OSError, ValueError):
            self._answer(client)


class Good:
    """A receiver that verifies what it is told, and notes when."""

    def __init__(self) -> None:
        self.secret = ""
        self.came: dict[int, float] = {}
        self.order: dict[str, list[int]] = defaultdict(list)
        self.bad = 0
        self.repeats = 0
        self._lock = threading.Lock()
        self.listener = Listener(self._answer)

    def _answer(self, client: socket.socket) -> None:
        method, headers, body = _request(client)
        if method == "POST":
            self._take(headers, body)
        client.sendall(OK)

    def _take(self, headers: dict[str, str], body: bytes) -> None:
        try:
            data = Webhook(self.secret).verify(body, headers)["data"]
        except Exception:  # whatever the library says of it
            self.bad += 1
            return
        with self._lock:
            if "n" not in data:
                return
            self.repeats += data["n"] in self.came
            if self.came.setdefault(data["n"], time.time()) and data["n"] not in self.order[data["id"]]:
                self.order[data["id"]].append(data["n"])

    @property
    def disordered(self) -> int:
        """Alerts whose first arrivals are not in order."""
        return sum(order != sorted(order) for order in self.order.values())


def _request(client: socket.socket) -> tuple[str, dict[str, str], bytes]:
    raw = b""
    while b"\r\n\r\n" not in raw:
        piece = client.recv(65536)
        if not piece:
            raise ValueError("cut off")
        raw += piece
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        piece = client.recv(65536)
        if not piece:
            raise ValueError("cut off")
        body += piece
    return first.split(" ", 1)[0], headers, body


def hang(client: socket.socket) -> None:
    """Take everything, say nothing."""
    while client.recv(65536):
        pass


def drip(client: socket.socket) -> None:
    """Answer a byte at a time."""
    _request(client)
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000:
        client.sendall(bytes([byte]))
        time.sleep(0.1)


def fail(client: socket.socket) -> None:
    """Answer 500."""
    _request(client)
    client.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def redirect(client: socket.socket) -> None:
    """Send elsewhere, into the private network."""
    _request(client)
    client.sendall(b"HTTP/1.1 302 Go\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")


def loop(client: socket.socket) -> None:
    """Send to itself."""
    _request(client)
    client.sendall(b"HTTP/1.1 308 Go\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")


def bomb(client: socket.socket) -> None:
    """Answer without an end, as if packed."""
    _request(client)
    client.sendall(b"HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\nContent-Length: 99999999999\r\n\r\n")
    while True:
        client.sendall(b"\0" * 65536)


def reset(client: socket.socket) -> None:
    """Break the connection off."""
    client.recv(10)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


BAD = (hang, drip, fail, redirect, loop, bomb, reset)


class Workers:
    """The worker's process group, which can be killed and begun again."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self._environ, self._folder = environ, folder
        self._running: subprocess.Popen[bytes] | None = None
        self.kills = 0

    def start(self) -> None:
        """Begin a worker in a group of its own."""
        log = (self._folder / "worker.log").open("ab")
        self._running = subprocess.Popen(
            [sys.executable, "-m", "hefesto_api", "worker"],
            env={**os.environ, **self._environ}, cwd=self._folder, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        log.close()

    def kill(self) -> None:
        """Kill the group, as nobody can refuse."""
        if self._running is not None:
            os.killpg(self._running.pid, signal.SIGKILL)
            self._running.wait()
            self.kills += 1


def happen(runtime: Runtime, numbers: range, alerts: int) -> dict[int, float]:
    """Write events, a transaction each ten, and return when each was written."""
    times: dict[int, float] = {}
    for first in range(numbers.start, numbers.stop, 10):
        with runtime.db.write() as session:
            for number in range(first, min(first + 10, numbers.stop)):
                kind = f"alert.{VERBS[number // alerts % 3]}"
                outbox.append(session, kind, {"id": f"alert-{number % alerts}", "n": number})
        now = time.time()
        times.update(dict.fromkeys(range(first, min(first + 10, numbers.stop)), now))
    return times


def wait(good: Good, many: int, seconds: float) -> bool:
    """Wait until so many events have come."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if len(good.came) >= many:
            return True
        time.sleep(0.05)
    return False


def run(database: str, folder: Path, events: int, kills: int) -> dict[str, Any]:
    """Do it, and return the figures."""
    environ = {
        "HEFESTO_DATABASE_URL": database,
        "HEFESTO_SECRET_KEY": "the key of a benchmark that is thrown away",
        "HEFESTO_WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8",
        "HEFESTO_AUTH": "open",
    }
    runtime = runtimes.build(all_settings.load(environ, folder))
    migrate.upgrade(runtime.db)
    desk = service.Desk(runtime.db, Sealed(lambda: runtime.vault), None, ("127.0.0.0/8",))
    good = Good()
    good.secret = service.create(desk, {"name": "good", "url": good.listener.url})["secret"]
    for answer in BAD:
        service.create(desk, {"name": answer.__name__, "url": Listener(answer).url})
    workers = Workers(environ, folder)
    alerts = max(events // 30, 10)
    calm = min(events // 10, 300)
    try:
        workers.start()
        happen(runtime, range(1), alerts)
        wait(good, 1, 60)
        delays = []
        for number in range(1, calm, 10):  # steadily, with nobody killed: how long do good ones wait?
            written = happen(runtime, range(number, min(number + 10, calm)), alerts)
            wait(good, max(written) + 1, 30)
            delays += [good.came.get(one, time.time()) - at for one, at in written.items()]
        began = time.monotonic()
        step = max((events - calm) // max(kills, 1), 1)
        for first in range(calm, events, step):
            happen(runtime, range(first, min(first + step, events)), alerts)
            if workers.kills < kills:  # in the midst of sending
                wait(good, min(len(good.came) + 20, events - 1), 30)
                time.sleep(first % 7 / 50)
                workers.kill()
                workers.start()
        everything = wait(good, events, 300)
        seconds = time.monotonic() - began
    finally:
        workers.kill()
        runtime.close()
    delays.sort()
    return {
        "events": events, "arrived": len(good.came), "all": everything, "kills": workers.kills - 1,
        "unverified": good.bad, "disordered alerts": good.disordered, "repeats": good.repeats,
        "seconds under kills": round(seconds, 1), "delay p50": round(delays[len(delays) // 2], 3),
        "delay max": round(delays[-1], 3),
    }  # fmt: skip


def main() -> int:
    """Print the figures; 1 when one is missed."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true")
    options.add_argument("--database", default="")
    asked = options.parse_args()
    events, kills = (600, 3) if asked.quick else (10_000, 20)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = run(asked.database or f"sqlite:///{folder / 'hefesto.db'}", folder, events, kills)
    sys.stdout.write(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n")
    right = told["all"] and not told["unverified"] and not told["disordered alerts"]
    return 0 if right and told["delay max"] < MOST_DELAY else 1


if __name__ == "__main__":
    sys.exit(main())
