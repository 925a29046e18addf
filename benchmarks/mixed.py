"""Reads and writes at once: 200 reads and 50 decisions a second, 100 connections, against `hefesto serve`.

    python -m benchmarks.mixed [--seconds 60] [--reads 200] [--writes 50] [--clients 100] [--findings 100000]

Open loop: every request has a moment at which it is due, whether the server keeps up or not, and its latency
counts from that moment, the wait for a free connection included. Each write carries a comment of its own;
afterwards every finding that was written is read back: a write that was acknowledged and is not in the
finding's history is a lost update, and so is a status that is not the last one's of the history.
Exit status 1 when a write is lost, anything is refused, or the 99th percentile of reads reaches 50 ms.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import selectors
import socket
import sys
import tempfile
import time
from collections import Counter, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field

from benchmarks import corpora, finding_rows
from benchmarks.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

READ_TARGET: Final = 50.0  # milliseconds, 99th percentile
WRITTEN: Final = 500  # findings that decisions are about: each is written several times
MANY: Final = 5  # findings of a decision about several
STATUSES: Final = ("acknowledged", "wontfix", "ignored", "reopen")
DRAIN: Final = 30.0  # seconds to wait for answers that are under way


class Request(Struct):
    """One request: when it is due, its bytes, and of a write the findings and the comment."""

    due: float
    kind: str
    content: bytes
    findings: tuple[str, ...] = ()
    comment: str = ""


class Outcome(Struct):
    """What came of all: latencies by kind (seconds), answers by status, acknowledged writes by finding."""

    took: dict[str, list[float]] = field(default_factory=dict)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    acknowledged: dict[str, list[str]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0


class Client:
    """One connection, and what it has of the answer to what it asked."""

    def __init__(self, port: int) -> None:
        self.socket = _connected(port)
        self.request: Request | None = None
        self._got = bytearray()

    def ask(self, request: Request) -> None:
        """Send a request; should the connection be closed by now, `hear` says so."""
        self._got.clear()
        self.request = request
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(request.content)

    def again(self, port: int) -> None:
        """Connect anew, and ask again what was not answered."""
        self.socket.close()
        self.socket = _connected(port)
        if self.request is not None:
            self.ask(self.request)

    def hear(self) -> tuple[int, bytes] | None:
        """Read what is there; return the status and the body once the answer is whole."""
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise ConnectionError("the server closed a connection")
        self._got += piece
        end = self._got.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self._got[:end]).lower()
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        if len(self._got) < end + 4 + length:
            return None
        return int(head[9:12]), bytes(self._got[end + 4 :])


def _connected(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def main() -> int:
    """Measure, print and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", type=Path, default=corpora.default_cache())
    parser.add_argument("--findings", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--reads", type=float, default=200.0, help="a second")
    parser.add_argument("--writes", type=float, default=50.0, help="a second")
    parser.add_argument("--clients", type=int, default=100)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hefesto-mixed-") as made:
        folder = Path(made)
        (folder / "src").mkdir()
        service = Service(
            folder, folder / "src", environ={"HEFESTO_AUTH": "open", "HEFESTO_RATE_LIMITS": "off"}
        )
        finding_rows.copy(asked.findings, asked.cache, service.database)
        service.start()
        try:
            busy = os.getloadavg()[0]
            used = service.cpu_seconds()
            outcome = carry_out(service.port, requests(service.port, asked), asked.clients)
            used = service.cpu_seconds() - used
            answered = sum(map(len, outcome.took.values()))
            print(f"{1000 * used / max(answered, 1):.1f} ms of CPU a request")
            lost = lost_updates(service, outcome)
            return report(outcome, lost, service.log(), (busy, os.getloadavg()[0]))
        finally:
            service.stop()


def requests(port: int, asked: argparse.Namespace) -> list[Request]:
    """Return all requests in the order in which they are due."""
    chance = random.Random(20_261_121)  # noqa: S311
    reads = [_read(port, at / asked.reads, chance, asked) for at in range(int(asked.seconds * asked.reads))]
    writes = [_write(port, at / asked.writes, at, chance) for at in range(int(asked.seconds * asked.writes))]
    return sorted(reads + writes, key=lambda one: one.due)


def _read(port: int, due: float, chance: random.Random, asked: argparse.Namespace) -> Request:
    project = finding_rows.slug(chance.randrange(100))
    kind = chance.choices(("list", "detail", "summary"), (6, 3, 1))[0]
    path = {
        "list": f"/api/v1/findings?project={project}&status=open",
        "detail": f"/api/v1/findings/{finding_rows.finding_id(chance.randrange(asked.findings))}",
        "summary": f"/api/v1/metrics/summary?project={project}",
    }[kind]
    return Request(due, kind, _bytes(port, "GET", path))


def _write(port: int, due: float, number: int, chance: random.Random) -> Request:
    status, comment = chance.choice(STATUSES), f"decision {number}"
    several = number % 5 == 0
    ids = tuple(finding_rows.finding_id(n) for n in chance.sample(range(WRITTEN), MANY if several else 1))
    body: dict[str, Any] = {"status": status, "comment": comment}
    if several:
        return Request(
            due, "write", _bytes(port, "PATCH", "/api/v1/findings", {**body, "ids": ids}), ids, comment
        )
    content = _bytes(port, "PATCH", f"/api/v1/findings/{ids[0]}", body)
    return Request(due, "write", content, ids, comment)


def _bytes(port: int, method: str, path: str, body: Any = None) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\n"
    if content:
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return head.encode() + b"\r\n" + content


def carry_out(port: int, wanted: list[Request], clients: int) -> Outcome:
    """Send every request when it is due, or as soon after as a connection is free."""
    outcome = Outcome()
    coming = deque(wanted)
    free = [Client(port) for _ in range(clients)]
    under_way = 0
    with selectors.DefaultSelector() as waiting:
        for client in free:
            waiting.register(client.socket, selectors.EVENT_READ, client)
        began = time.perf_counter() + 0.5
        last = wanted[-1].due + DRAIN
        while (coming or under_way) and (now := time.perf_counter() - began) < last:
            while coming and free and coming[0].due <= now:
                free.pop().ask(coming.popleft())
                under_way += 1
            pause = max(coming[0].due - now, 0.0) if coming and free else 1.0
            for key, _ in waiting.select(pause):
                try:
                    answer = key.data.hear()
                except ConnectionError:  # the server closes what nobody used for a while
                    waiting.unregister(key.data.socket)
                    key.data.again(port)
                    waiting.register(key.data.socket, selectors.EVENT_READ, key.data)
                    continue
                if answer is not None:
                    _note(outcome, key.data.request, answer, time.perf_counter() - began)
                    key.data.request = None
                    free.append(key.data)
                    under_way -= 1
    outcome.unanswered = under_way + len(coming)
    return outcome


def _note(outcome: Outcome, request: Request, answer: tuple[int, bytes], now: float) -> None:
    status, body = answer
    outcome.took.setdefault(request.kind, []).append(now - request.due)
    outcome.statuses[request.kind, status] += 1
    if status != 200:
        outcome.refused[f"{status} {json.loads(body)['error']['message']}"] += 1
        return
    if request.kind == "write":
        for finding_id in _changed(request, json.loads(body)["data"], outcome):
            outcome.acknowledged.setdefault(finding_id, []).append(request.comment)


def _changed(request: Request, data: dict[str, Any], outcome: Outcome) -> Iterator[str]:
    if len(request.findings) == 1:
        yield request.findings[0]
        return
    for result in data["results"]:
        if result["success"]:
            yield result["id"]
        else:
            outcome.refused[f"item: {result['error']['message']}"] += 1


def lost_updates(service: Service, outcome: Outcome) -> int:
    """Read back every finding that was written; return how many acknowledged writes are not in it."""
    lost = 0
    for finding_id, comments in outcome.acknowledged.items():
        data = service.call("GET", f"/api/v1/findings/{finding_id}")
        told = [entry["details"].rpartition(": ")[2] for entry in data["history"]]
        lost += sum(told.count(comment) != 1 for comment in comments)
        moves = [entry["action"] for entry in data["history"] if entry["action"] != "commented"]
        lost += bool(moves) and data["status"] != {"reopened": "open"}.get(moves[-1], moves[-1])
    return lost


def report(outcome: Outcome, lost: int, log: str, busy: tuple[float, float]) -> int:
    """Print what was measured; return the exit status."""
    print(f"load of the machine before {busy[0]:.1f}, after {busy[1]:.1f}, on {os.cpu_count()} cores")
    reads = sorted(took for kind, all_of in outcome.took.items() if kind != "write" for took in all_of)
    for name, took in (*sorted(outcome.took.items()), ("all reads", reads)):
        told = ", ".join(f"{label} {_at(took, share):8.1f}" for label, share in _SHARES)
        print(f"  {name:10} {len(took):6} answered; ms: {told}")
    for message, count in outcome.refused.most_common(8):
        print(f"  refused {count:5} times: {message}")
    locked = log.count("database is locked")
    written = sum(map(len, outcome.acknowledged.values()))
    print(f"  {written} decisions acknowledged about {len(outcome.acknowledged)} findings, {lost} lost")
    print(f'  "database is locked": {locked} times; unanswered: {outcome.unanswered}')
    met = not (lost or locked or outcome.refused or outcome.unanswered) and _at(reads, 0.99) < READ_TARGET
    print(
        "met" if met else f"MISSED (wanted: none lost, none refused, reads' p99 under {READ_TARGET:.0f} ms)"
    )
    return 0 if met else 1


_SHARES: Final = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("most", 1.0))


def _at(took: list[float], share: float) -> float:
    """Return a percentile in milliseconds."""
    ordered = sorted(took)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000 if ordered else 0.0


if __name__ == "__main__":
    sys.exit(main())
