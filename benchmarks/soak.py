"""Half load for an hour: what a service uses must stay flat.

    python -m benchmarks.soak [--minutes 60] [--reads 50] [--writes 10] [--json FILE]

`hefesto serve` on SQLite, asked at a fixed rate as `benchmarks.mixed` asks, with alerts, live connections
that come and go, and an analysis each half minute. Every ten seconds the memory of all its processes (PSS),
their threads and open files, and the sizes of the database and its write-ahead log are taken down. After a
quarter of the time, in which caches fill, a line is put through each by the median of slopes (Theil and
Sen): over the rest, memory may grow by 5% an hour or 20 MB, threads and files by 10, and the log may not
grow beyond 64 MB. Exit status 1 when something does, or 0.1% of the requests fail.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import asdict

from benchmarks import corpora, finding_rows, mixed
from benchmarks.load.sockets import Socket
from benchmarks.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EVERY: Final = 10.0
FINDINGS: Final = 10_000
PART: Final = 30.0  # seconds of requests that are made at once
MOST_LOG_MB: Final = 64.0
MB: Final = 1e6
TREE_FILES: Final = 200


class Sample(Struct):
    """What a service used at a moment: seconds from the start, MB, and counts."""

    at: float
    memory_mb: float
    threads: int
    files: int
    log_mb: float
    database_mb: float
    processes: int
    by_process: dict[str, float]


def main() -> int:
    """Run it and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", type=Path, default=corpora.default_cache())
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--reads", type=float, default=50.0, help="a second")
    parser.add_argument("--writes", type=float, default=10.0, help="a second")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    asked.findings, asked.seconds = FINDINGS, PART
    with tempfile.TemporaryDirectory(prefix="hefesto-soak-") as made:
        folder = Path(made)
        corpora.copy(corpora.corpus("stdlib", asked.cache), folder / "src", TREE_FILES)
        service = Service(
            folder, folder / "src", environ={"HEFESTO_AUTH": "open", "HEFESTO_RATE_LIMITS": "off"}
        )
        finding_rows.copy(FINDINGS, asked.cache, service.database)
        service.start()
        try:
            samples, statuses = soak(service, asked)
        finally:
            service.stop()
    if asked.json:
        asked.json.write_text(json.dumps([asdict(one) for one in samples]))
    return report(samples, statuses)


def soak(service: Service, asked: argparse.Namespace) -> tuple[list[Sample], Counter[str]]:
    """Ask so long; return what was used meanwhile, and the answers by status."""
    samples: list[Sample] = []
    statuses: Counter[str] = Counter()
    over = threading.Event()
    began = time.monotonic()
    others = [
        threading.Thread(target=_sample, args=(service, samples, began, over)),
        threading.Thread(target=_come_and_go, args=(service, over)),
        threading.Thread(target=_analyse, args=(service, over, statuses)),
        threading.Thread(target=_alert, args=(service, over, statuses)),
    ]
    for thread in others:
        thread.start()
    try:
        while time.monotonic() - began < asked.minutes * 60:
            outcome = mixed.carry_out(service.port, mixed.requests(service.port, asked), 32)
            for (_, status), count in outcome.statuses.items():
                statuses[str(status)] += count
            statuses["none"] += outcome.unanswered
    finally:
        over.set()
        for thread in others:
            thread.join()
    return samples, statuses


def report(samples: Sequence[Sample], statuses: Counter[str]) -> int:
    """Print what was measured; return the exit status."""
    steady = [one for one in samples if one.at >= samples[-1].at / 4]
    hours = (steady[-1].at - steady[0].at) / 3600
    failed = sum(count for status, count in statuses.items() if status not in {"200", "202"})
    share = failed / max(sum(statuses.values()), 1)
    print(f"{sum(statuses.values())} requests {dict(statuses)}; {samples[-1].at / 60:.0f} minutes")
    lines = [(f"{share:.4%} failed", share < 0.001)]
    memory = [one.memory_mb for one in steady]
    allowed = max(0.05 * median(memory) * hours, 20.0)
    for name, most in (("memory_mb", allowed), ("threads", 10.0), ("files", 10.0)):
        values = [float(getattr(one, name)) for one in steady]
        grown = slope([one.at for one in steady], values) * (steady[-1].at - steady[0].at)
        text = (
            f"{name}: {values[0]:.0f} to {values[-1]:.0f}, most {max(values):.0f}; by the line {grown:+.1f}"
        )
        lines.append((f"{text} (may be {most:+.0f})", grown < most))
    log = max(one.log_mb for one in steady)
    lines.append((f"write-ahead log: most {log:.1f} MB (may be {MOST_LOG_MB:.0f})", log < MOST_LOG_MB))
    for text, met in lines:
        print(f"{'met   ' if met else 'MISSED'} {text}")
    print(f"database {samples[0].database_mb:.0f} to {samples[-1].database_mb:.0f} MB")
    for at in (samples[0], samples[len(samples) // 2], samples[-1]):
        print(f"  at {at.at:5.0f} s, {at.processes} processes: {at.by_process}")
    return 0 if all(met for _, met in lines) else 1


def slope(at: Sequence[float], values: Sequence[float]) -> float:
    """Return how much values grow a second: the median of the slopes between any two of them."""
    pairs = itertools.combinations(range(len(at)), 2)
    found = [(values[j] - values[i]) / (at[j] - at[i]) for i, j in pairs if at[j] > at[i]]
    return median(found) if found else 0.0


def taken(service: Service, at: float) -> Sample:
    """Take down what a service uses now."""
    memory: dict[str, float] = {}
    threads = files = 0
    pids = list(_processes(service.pid))
    for pid in pids:
        about = Path("/proc", pid)
        with contextlib.suppress(OSError):  # it ended meanwhile
            rollup = (about / "smaps_rollup").read_text()
            pss = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
            name = _name(about)
            memory[name] = memory.get(name, 0.0) + int(pss.split()[1]) * 1024 / MB
            threads += len(os.listdir(about / "task"))  # noqa: PTH208 - only how many
            files += len(os.listdir(about / "fd"))  # noqa: PTH208
    log = service.database.with_name(service.database.name + "-wal")
    return Sample(
        at=at,
        memory_mb=sum(memory.values()),
        threads=threads,
        files=files,
        log_mb=log.stat().st_size / MB if log.exists() else 0.0,
        database_mb=service.database.stat().st_size / MB,
        processes=len(pids),
        by_process={name: round(size, 1) for name, size in memory.items()},
    )


def _processes(leader: int) -> Iterator[str]:
    """Yield the processes of a session."""
    for about in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = about.read_text("utf-8", "replace").rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                yield about.parent.name


def _name(about: Path) -> str:
    words = (about / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    kind = next((word for word in ("gunicorn", "worker", "serve") if word in words), "child")
    return f"{kind} {about.name}" if kind != "child" else kind


def _sample(service: Service, samples: list[Sample], began: float, over: threading.Event) -> None:
    while not over.wait(EVERY):
        samples.append(taken(service, time.monotonic() - began))


def _come_and_go(service: Service, over: threading.Event) -> None:
    """Hold a few live connections, of which one leaves each second and another comes."""
    held: list[Socket] = []
    while not over.wait(1):
        with contextlib.suppress(OSError):
            held.append(Socket(service.url))
        for one in held:
            one.skip()
        if len(held) > 10:
            held.pop(0).close()
    for one in held:
        one.close()


def _analyse(service: Service, over: threading.Event, statuses: Counter[str]) -> None:
    sources = sorted((service.folder / "src").rglob("*.py"))
    for number in itertools.count():
        if over.wait(30):
            return
        with contextlib.suppress(UnicodeDecodeError):
            sources[number % len(sources)].write_text(f"password = 'changed {number}'\n")
        _call(service, statuses, "/api/v1/analyze", {"path": ".", "async": True, "project": "soak"})


def _alert(service: Service, over: threading.Event, statuses: Counter[str]) -> None:
    for number in itertools.count():
        if over.wait(1):
            return
        trace = (
            f'Traceback (most recent call last):\n  File "app.py", line {number % 50}, in f\nKeyError: 1\n'
        )
        body = {"alert_id": f"soak-{number}", "error_type": "KeyError", "stacktrace": trace}
        _call(service, statuses, "/api/v1/alerts", body)


def _call(service: Service, statuses: Counter[str], path: str, body: Any) -> None:
    try:
        service.fetch("POST", path, body)
        statuses["200"] += 1
    except OSError as error:  # HTTPError too
        statuses[str(error)] += 1


if __name__ == "__main__":
    sys.exit(main())
