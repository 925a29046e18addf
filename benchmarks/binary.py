"""The single-file binary, and what the service takes while nobody calls it.

    python -m benchmarks.binary dist/hefesto

Prints the size; how long a start takes (best and median of ten, with an empty environment) and what it takes
of a processor, which another load of the machine does not change; how long the service takes until it is
ready; and its memory when idle: the proportional set size of all its processes, so that shared pages count
once. With `--python` it measures the installed command instead of a file.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.service import free_port

STARTS = 10
SETTLED_SECONDS = 20.0


def start_seconds(command: list[str]) -> list[float]:
    """Return how long `version` took, each time a whole process."""
    taken = []
    for _ in range(STARTS):
        began = time.perf_counter()
        subprocess.run([*command, "version"], env={}, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - began)
    return sorted(taken)


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def pss_kb(pid: int) -> int:
    """Return a process's proportional set size in KiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def served(command: list[str], workers: int) -> tuple[float, float, int]:
    """Serve in an empty folder; return the seconds until it is ready, its MiB, and its processes."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        argv = [*command, "serve", "--port", str(port), "--workers", str(workers)]
        began = time.perf_counter()
        process = subprocess.Popen(
            argv, cwd=folder, env={}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while not _is_ready(port):
                time.sleep(0.01)
            ready = time.perf_counter() - began
            time.sleep(SETTLED_SECONDS)
            pids = family(process.pid)
            return ready, sum(map(pss_kb, pids)) / 1024, len(pids)
        finally:
            process.terminate()
            process.wait(60)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("file", nargs="?", type=Path, default=Path("dist/hefesto"))
    asked.add_argument("--python", action="store_true", help="the installed command instead")
    given = asked.parse_args()
    command = [sys.executable, "-m", "hefesto_api"] if given.python else [str(given.file.resolve())]
    if not given.python:
        print(f"size                         {given.file.stat().st_size / 1e6:8.1f} MB (80 at most)")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = start_seconds(command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) / STARTS
    print(f"start, best of {STARTS}            {taken[0]:8.2f} s")
    print(f"start, median                {statistics.median(taken):8.2f} s (1.5 at most)")
    print(f"start, of a processor        {busy:8.2f} s")
    for workers in (1, 2):
        ready, memory, processes = served(command, workers)
        print(f"serve --workers {workers}: ready     {ready:8.2f} s")
        print(f"  idle, all {processes:2d} processes     {memory:8.0f} MiB (PSS)")


if __name__ == "__main__":
    main()
