"""Clients of several hosts, who go on to the next host as a load balancer does, and keep book.

What was acknowledged is written down, and looked for when all is over.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import select
import threading
import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.hosts_world import PORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.hosts_world import Host, Postgres

PATIENCE = 30.0  # seconds until a client gives a request up
TIMEOUT = 10.0
MOST_RECOVERY = 5.0
CODE = "import os\n\n\ndef run_{0}(name):\n    os.system('ls ' + name)\n"


class Answer(NamedTuple):
    """What came in the end: `status` 0 if nothing did."""

    status: int
    data: Any


class Book:
    """What all clients together saw; threads share it."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.broken: Counter[str] = Counter()
        self.without_retry_after = 0
        self.failed = 0
        self.served: dict[str, list[float]] = {"read": [], "write": []}
        self.faults: list[str] = []
        self.away: list[
            tuple[float, float]
        ] = []  # when the database was stopped, and when it was there again
        self.kept: dict[str, dict[str, str]] = {"projects": {}, "alerts": {}, "analyses": {}}
        self.lock = threading.Lock()

    def longest_gap(self, kind: str, since: float) -> float:
        """Return the longest time in which nobody got an answer of a kind, though the database was there."""
        times = sorted(moment for moment in self.served[kind] if moment >= since)
        return max((self._waited(*pair) for pair in itertools.pairwise([since, *times])), default=0.0)

    def _waited(self, begin: float, end: float) -> float:
        """Return the seconds between two moments, without those in which the database was not there."""
        away = sum(max(min(back, end) - max(gone, begin), 0.0) for gone, back in self.away)
        return end - begin - away


class Client:
    """One client with a connection to each host, who asks the next when one does not answer."""

    def __init__(self, hosts: Sequence[Host], book: Book, first: int = 0) -> None:
        self._addresses = [host.address for host in hosts]
        self._book = book
        self._open: dict[str, http.client.HTTPConnection] = {}
        self._turn = first

    def read(self, path: str) -> Answer:
        """Ask for something."""
        return self._ask("read", "GET", path, None)

    def write(self, path: str, body: Any) -> Answer:
        """Send something; with a key, so that it may be sent again."""
        return self._ask("write", "POST", path, body)

    def _ask(self, kind: str, method: str, path: str, body: Any) -> Answer:
        headers = {"Content-Type": "application/json"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        content = None if body is None else json.dumps(body)
        until = time.monotonic() + PATIENCE
        tried = 0
        while time.monotonic() < until:
            answer = self.once(method, path, content, headers)
            if answer.status not in {0, 503}:
                with self._book.lock:
                    self._book.served[kind].append(time.monotonic())
                return answer
            tried += 1
            if tried % len(self._addresses) == 0:  # nobody: wait a moment
                time.sleep(0.1)
        with self._book.lock:
            self._book.failed += 1
        return Answer(0, None)

    def once(self, method: str, path: str, content: str | None, headers: dict[str, str]) -> Answer:
        """Ask the host whose turn it is."""
        self._turn += 1
        address = self._addresses[self._turn % len(self._addresses)]
        connection = self._open.get(address)
        if connection is None:
            connection = self._open[address] = http.client.HTTPConnection(address, PORT, timeout=TIMEOUT)
        if connection.sock is not None and select.select([connection.sock], [], [], 0)[0]:
            connection.close()  # it ended while nobody used it, which nginx and urllib3 see as well
        sent = False
        try:
            connection.connect() if connection.sock is None else None
            sent = True
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            with self._book.lock:
                self._book.broken[type(error).__name__ if sent else "not connected"] += 1
            return Answer(0, None)
        with self._book.lock:
            self._book.statuses[answer.status] += 1
            if answer.status == 503 and not answer.headers.get("Retry-After"):
                self._book.without_retry_after += 1
            if answer.status >= 500 and answer.status != 503:
                self._book.faults.append(f"{method} {path} {data[:300]!r}")
        return Answer(answer.status, json.loads(data).get("data") if data.startswith(b"{") else None)


def readings(chance: random.Random) -> str:
    """Return the path of something that is often read."""
    lists = ("findings?limit=20", "alerts?limit=20", "metrics/summary", "projects")
    return f"/api/v1/{chance.choice(lists)}"


def write_one(client: Client, book: Book, chance: random.Random) -> None:
    """Send an alert, make a project, or ask for an analysis; remember what was acknowledged."""
    kind = chance.choice(["alerts", "alerts", "projects", "analyses"])
    name = uuid.uuid4().hex
    if kind == "projects":
        answer = client.write("/api/v1/projects", {"slug": f"p-{name}"})
        found = (answer.data or {}).get("slug") if answer.status == 201 else None
    elif kind == "alerts":
        body = {"alert_id": name, "alert_type": "alert.created", "payload": {"title": f"It broke {name}"}}
        answer = client.write("/api/v1/iris/webhook", body)
        found = (answer.data or {}).get("webhook_id") if answer.status == 202 else None
    else:
        files = [{"path": "run.py", "content": CODE.format(name)}]
        answer = client.write("/api/v1/analyze", {"files": files, "async": True})
        found = (answer.data or {}).get("analysis_id") if answer.status in {200, 202} else None
    with book.lock:
        if found:
            book.kept[kind][name] = found
        else:
            book.broken[f"{kind} not acknowledged ({answer.status})"] += 1


class Probe:
    """Asks a host ten times a second whether it is ready, as a load balancer does, and keeps a diary."""

    def __init__(self, host: Host) -> None:
        self._client = Client([host], Book())
        self._unready_at = 0.0
        self._looked_at = 0.0
        self._diary: list[tuple[float, int]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def unready_for(self, since: float, steady: float = 2.0) -> float:
        """Wait until the host was ready for a while; return for how long after `since` it was not."""
        while min(self._looked_at, time.monotonic()) - max(self._unready_at, since) < steady:
            time.sleep(0.05)
        return max(self._unready_at - since, 0.0)

    def told_since(self, since: float) -> str:
        """Return what /readyz said from a moment on: each change, with the seconds that had passed."""
        found = [(at - since, status) for at, status in list(self._diary) if at >= since]
        return ", ".join(f"{status or 'refused'} at {at:.1f} s" for at, status in found)

    def close(self) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        last = 200
        while not self._over.wait(0.1):
            status = self._client.once("GET", "/readyz", None, {}).status
            self._looked_at = time.monotonic()
            if status != 200:
                self._unready_at = self._looked_at
            if status != last:
                self._diary.append((self._looked_at, status))
                last = status


class Load:
    """Threads that read and write until they are told to stop; `pause` seconds between two requests."""

    def __init__(
        self, hosts: Sequence[Host], book: Book, threads: int, *, writes: float = 0.3, pause: float = 0.0
    ) -> None:
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(hosts, book, number, writes, pause), daemon=True)
            for number in range(threads)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, hosts: Sequence[Host], book: Book, number: int, writes: float, pause: float) -> None:
        chance = random.Random(number)  # noqa: S311 - no secret
        client = Client(hosts, book, number)
        while not self._over.is_set():
            if chance.random() < writes:
                write_one(client, book, chance)
            else:
                client.read(readings(chance))
            if pause:
                self._over.wait(pause)


def judge(postgres: Postgres, book: Book) -> bool:
    """Look for everything that was acknowledged, and say what came of it."""
    lost = {kind: _lost(postgres, kind, set(kept.values())) for kind, kept in book.kept.items()}
    stuck = postgres.ask("SELECT kind, status, last_error FROM jobs WHERE status = 'dead'")
    others = {status: count for status, count in book.statuses.items() if status >= 500 and status != 503}
    longest = max(book.longest_gap(kind, min(book.served[kind])) for kind in book.served)
    kept = {kind: len(found) for kind, found in book.kept.items()}
    print(f"answers {dict(book.statuses)}, connections {dict(book.broken)}, given up {book.failed}")
    print(f"acknowledged {kept}, of these lost {lost}; jobs dead {len(stuck)}")
    print(f"503 without Retry-After {book.without_retry_after}; answers 500 and the like {others}")
    print(f"longest time in which nobody was served: {longest:.2f} s (wanted: below {MOST_RECOVERY:.0f})")
    for line in [*book.faults[:5], *map(str, stuck[:5])]:
        print(f"    {line}")
    ok = not any(lost.values()) and not others and not stuck and not book.without_retry_after
    return ok and longest < MOST_RECOVERY and not book.failed


QUESTIONS = {
    "projects": "SELECT slug FROM projects",
    "alerts": "SELECT id FROM intake WHERE status = 'completed'",
    "analyses": "SELECT id FROM analyses WHERE status = 'completed'",
}


def _lost(postgres: Postgres, kind: str, kept: set[str]) -> int:
    """Wait until what was acknowledged is there and done; return how many are not."""
    until = time.monotonic() + 90
    while True:
        left = kept - {str(row[0]) for row in postgres.ask(QUESTIONS[kind])}
        if not left or time.monotonic() > until:
            return len(left)
        time.sleep(0.5)
