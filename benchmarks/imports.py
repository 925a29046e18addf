"""How long the service takes to import SARIF reports, how much memory, and what others notice of it.

`python -m benchmarks.imports [COUNT...]` imports reports of 10,000 and 100,000 results, gzipped, into a fresh
service on SQLite. Beside each import one client lists findings and one changes a finding, over and over.
Ratios are to `json.loads` of the same report in this process; `growth` is of the service's peak memory.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.limits import contention
from benchmarks.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

COUNTS = (10_000, 100_000)
RULES = 100
_PLACE = "/api/v1/findings/import?project="
_SECONDS = 600.0


class Measured(NamedTuple):
    """One import: seconds, memory in MB, and how long a reader's and a writer's requests took, in seconds.

    `cpu` is what the service's processes took of the processor meanwhile, for the readers and writers too.
    """

    counts: dict[str, int]
    seconds: float
    cpu: float
    growth: float
    reads: list[float]
    writes: list[float]


def report(count: int) -> bytes:
    """Return a report of so many results, about twenty a file, some 800 bytes each."""
    chance = random.Random(count)  # noqa: S311 - the same report every time
    rules = [
        {"id": f"R{n}", "help": {"text": "Bind it."}, "properties": {"tags": ["security"]}}
        for n in range(RULES)
    ]
    results = [_result(chance, number, max(count // 20, 1)) for number in range(count)]
    run = {"results": results, "tool": {"driver": {"name": "Scanner", "rules": rules}}}
    return json.dumps({"version": "2.1.0", "runs": [run]}).encode()


def _result(chance: random.Random, number: int, files: int) -> dict[str, Any]:
    line = chance.randrange(2, 2000)
    text = f"    cursor.execute(QUERY + uid{number})"
    region = {
        "startLine": line,
        "startColumn": 5,
        "endLine": line,
        "endColumn": 61,
        "snippet": {"text": text},
    }
    around = {"startLine": line - 1, "snippet": {"text": f"def load_{number}(uid):\n{text}\n    return 1"}}
    artifact = {"uri": f"src/module_{chance.randrange(files)}.py", "uriBaseId": "%SRCROOT%"}
    return {
        "ruleId": f"R{number % RULES}",
        "level": "error",
        "message": {"text": f"Query text {number} is built from `uid{number}`."},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": artifact, "region": region, "contextRegion": around},
                "logicalLocations": [{"fullyQualifiedName": f"shop.db.load_{number}"}],
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": f"{chance.getrandbits(64):x}:1"},
    }


def peak(service: Service) -> float:
    """Return the peak memory of the service's processes, summed, in MB."""
    kilobytes = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            session = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[3]
            if int(session) == service.pid:
                lines = (folder / "status").read_text("utf-8", "replace").splitlines()
                kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return kilobytes / 1024


def post(service: Service, project: str, packed: bytes) -> dict[str, int]:
    """Import a report and return what the service says of it."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        service.url + _PLACE + project, packed, {"Content-Type": "application/gzip"}
    )
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        data: dict[str, int] = json.load(answer)["data"]
    return data


def measure(service: Service, project: str, packed: bytes) -> Measured:
    """Import a report while others read and write."""
    finding = service.call("GET", "/api/v1/findings?project=other")["findings"][0]["id"]
    statuses = iter(("acknowledged", "reopen") * 100_000)

    def change() -> None:
        service.call("PATCH", f"/api/v1/findings/{finding}", {"status": next(statuses)})

    change()
    before = peak(service)
    done = threading.Event()
    reads, writes = (
        _repeated(done, lambda: service.call("GET", "/api/v1/findings?project=other")),
        _repeated(done, change),
    )
    began, worked = time.perf_counter(), service.cpu_seconds()
    counts = post(service, project, packed)
    seconds, cpu = time.perf_counter() - began, service.cpu_seconds() - worked
    done.set()
    return Measured(counts, seconds, cpu, peak(service) - before, reads(), writes())


def _repeated(done: threading.Event, act: Callable[[], object]) -> Callable[[], list[float]]:
    """Do something every 20 ms until it is enough; return what waits for the times that it took."""
    times: list[float] = []

    def go_on() -> None:
        while not done.wait(0.02):
            began = time.perf_counter()
            act()
            times.append(time.perf_counter() - began)

    thread = threading.Thread(target=go_on)
    thread.start()

    def taken() -> list[float]:
        thread.join()
        return sorted(times)

    return taken


def told(count: int, size: int, plain: float, one: Measured) -> str:
    """Say what was measured."""
    reads, writes = (times or [0.0] for times in (one.reads, one.writes))
    return (
        f"{count:>7} results, {size / 1e6:.0f} MB, new {one.counts['new']}, seen {one.counts['unchanged']}: "
        f"{one.seconds:.2f} s ({one.seconds / plain:.1f} x json.loads), {count / one.seconds:.0f}/s, "
        f"processor {one.cpu:.2f} s, growth {one.growth:.0f} MB; "
        f"reader p50 {1000 * reads[len(reads) // 2]:.0f} ms, "
        f"p99 {1000 * reads[len(reads) * 99 // 100]:.0f} ms; "
        f"writer p50 {1000 * writes[len(writes) // 2]:.0f} ms, longest {1000 * writes[-1]:.0f} ms"
    )


def main(arguments: list[str]) -> None:
    """Measure each count, into a project of its own, twice: all of it new, and all of it known."""
    print(f"contention: {contention():.2f} (1 is a machine at rest)")
    for count in [int(word) for word in arguments] or COUNTS:
        text = report(count)
        began = time.perf_counter()
        json.loads(text)
        plain = time.perf_counter() - began
        packed, size = gzip.compress(text, 1), len(text)
        del text
        with tempfile.TemporaryDirectory() as name:
            service = Service(Path(name), Path(name), environ={"HEFESTO_RATE_LIMITS": "off"})
            service.start()
            try:
                post(service, "other", gzip.compress(report(20)))
                for _ in range(2):
                    print(told(count, size, plain, measure(service, "shop", packed)), flush=True)
            finally:
                service.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
