"""Ask for ten analyses of Django at once and measure how soon GET /health answers meanwhile.

    python -m benchmarks.serving_load [--runs 2] [--analyses 10] [--rate 50] [--target-ms 50]

Starts `hefesto serve` with its default settings on an empty database. `one project` sends ten POSTs of the
same project (the first does the work, the others find nothing changed), `ten projects` one to each of ten.
A process of its own asks for /health at a fixed rate, over connections made for each request and over one
that is kept; a latency counts from the moment the request was due, so that waiting in line is part of it.
All analyses must complete, every /health must be answered 200, and its p99 must stay under the target.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from benchmarks import corpora, limits
from benchmarks.service import Service

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

IDLE_SECONDS = 5.0
POLL_SECONDS = 0.2
DEADLINE = 600.0


class Latencies(Struct):
    """The latencies of one kind of probe in milliseconds, and how many answers were not 200."""

    name: str
    ms: list[float]
    failed: int

    def at(self, share: float) -> float:
        """Return the latency that a share of the requests did not exceed."""
        ordered = sorted(self.ms)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

    def line(self, idle: Latencies | None = None) -> str:
        """Write the figures in a line, beside those of the idle service."""
        figures = "  ".join(f"{name} {self.at(share):7.1f}" for name, share in SHARES)
        ratio = "" if idle is None else f"  p99 {self.at(0.99) / idle.at(0.99):.1f} x idle"
        return f"{self.name:28} {len(self.ms):6} requests  {figures} ms  {self.failed} failed{ratio}"


SHARES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))


class Analysis(Struct):
    """One POST: its status, and when it was answered and completed, in seconds."""

    status: int
    answered: float
    completed: float
    state: str


def main() -> int:
    """Run it and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--analyses", type=int, default=10)
    parser.add_argument("--rate", type=float, default=50.0, help="requests for /health a second and kind")
    parser.add_argument("--target-ms", type=float, default=50.0, help="p99 of /health")
    asked = parser.parse_args()
    tree = corpora.corpus("django")
    print(f"{len(corpora.python_files(tree))} Python files, {limits.cores():.0f} cores")
    faults = []
    for number in range(asked.runs):
        for name, projects in (("one project", 1), ("ten projects", asked.analyses)):
            faults += one_run(f"run {number + 1}, {name}", tree, projects, asked)
    print("\n".join(faults) or "no faults")
    return 1 if faults else 0


def one_run(title: str, tree: Path, projects: int, asked: argparse.Namespace) -> list[str]:
    """Measure one fresh service; print the figures and return what is wrong."""
    before = limits.contention()
    folder = Path(tempfile.mkdtemp(prefix="hefesto-load-"))
    service = Service(folder, tree, environ={"HEFESTO_LOG_LEVEL": "info"})
    service.start()
    try:
        idle = probed(service.port, asked.rate, lambda: time.sleep(IDLE_SECONDS))
        found: list[Analysis] = []
        began, taken, ours = time.perf_counter(), limits.busy_seconds(), _cpu(service)
        busy = probed(service.port, asked.rate, lambda: found.extend(analyse(service, tree, projects, asked)))
        seconds, ours = time.perf_counter() - began, _cpu(service) - ours
        others = (limits.busy_seconds() - taken - ours) / seconds
    finally:
        service.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{title}; contention {before:.2f} before, {limits.contention():.2f} after")
    print(f"  of {limits.cores()} cores the service took {ours / seconds:.2f}, others {others:.2f} meanwhile")
    return report(title, idle, busy, found, asked)


def _cpu(service: Service) -> float:
    """Return the CPU seconds of the service, of this process and of its children that have ended."""
    return service.cpu_seconds() + sum(os.times()[:4])


def report(
    title: str, idle: list[Latencies], busy: list[Latencies], found: list[Analysis], asked: argparse.Namespace
) -> list[str]:
    """Print the figures and return what is wrong with them."""
    for one in idle:
        print(f"  idle    {one.line()}")
    for one, still in zip(busy, idle, strict=True):
        print(f"  loaded  {one.line(still)}")
    answers = sorted(found, key=lambda one: one.completed)
    seconds = ", ".join(f"{one.completed:.1f} ({one.status})" for one in answers)
    print(f"  analyses completed after s: {seconds}")
    faults = [f"{title}: an analysis ended as {one.state}" for one in found if one.state != "completed"]
    faults += [f"{title}: {one.failed} of {one.name} failed" for one in (*idle, *busy) if one.failed]
    slow = [one for one in busy if one.at(0.99) >= asked.target_ms]
    faults += [f"{title}: p99 of {one.name} is {one.at(0.99):.1f} ms" for one in slow]
    return faults + ([] if len(found) == asked.analyses else [f"{title}: {len(found)} analyses answered"])


def probed(port: int, rate: float, work: Any) -> list[Latencies]:
    """Do some work while another process asks for /health; return what it measured."""
    context = multiprocessing.get_context("spawn")
    over, ready = context.Event(), context.Event()
    answers: Any = context.Queue()
    prober = context.Process(target=_probe, args=(port, rate, ready, over, answers))
    prober.start()
    ready.wait(30)
    try:
        work()
    finally:
        over.set()
        measured: list[Latencies] = answers.get(timeout=60)
        prober.join()
    return measured


def _probe(port: int, rate: float, ready: Event, over: Event, answers: Any) -> None:
    """Ask in two threads until it is over, then hand over what was measured."""
    kinds = [Latencies("/health, new connections", [], 0), Latencies("/health, kept connection", [], 0)]
    threads = [
        threading.Thread(target=_ask, args=(port, rate, kind, over, bool(number)))
        for number, kind in enumerate(kinds)
    ]
    ready.set()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.put(kinds)


def _ask(port: int, rate: float, into: Latencies, over: Event, keep: bool) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    due = time.perf_counter()
    while not over.is_set():
        due += 1 / rate
        time.sleep(max(due - time.perf_counter(), 0))
        try:
            connection.request("GET", "/health", headers={} if keep else {"Connection": "close"})
            answer = connection.getresponse()
            answer.read()
            into.failed += answer.status != 200
        except (OSError, http.client.HTTPException):
            connection.close()
            into.failed += 1
        into.ms.append((time.perf_counter() - due) * 1000)


def analyse(service: Service, tree: Path, projects: int, asked: argparse.Namespace) -> list[Analysis]:
    """Ask for all analyses at once and wait until they have ended."""
    found: list[Analysis] = []
    bodies = [{"path": str(tree), "project": f"p{number % projects}"} for number in range(asked.analyses)]
    threads = [threading.Thread(target=_post, args=(service, body, found)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _post(service: Service, body: dict[str, Any], found: list[Analysis]) -> None:
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=DEADLINE)
    connection.request("POST", "/api/v1/analyze", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    answered = time.perf_counter() - began
    data = json.loads(content)["data"] or {"status": "refused"}
    while data["status"] in {"queued", "running"} and time.perf_counter() - began < DEADLINE:
        time.sleep(POLL_SECONDS)
        # Without its findings: that it ended is what is asked here.
        data = service.call("GET", f"/api/v1/analyze/{data['analysis_id']}?severity=CRITICAL")
    found.append(Analysis(answer.status, answered, time.perf_counter() - began, data["status"]))


if __name__ == "__main__":
    sys.exit(main())
