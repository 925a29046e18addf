"""Whether exports take the same memory however many findings they hold: each format, from a live service.

    python -m benchmarks.exports [--findings 200000] [--most 16]

Each export is read to its end by one client; what is measured is how far the resident memory of the process
that serves rises above what it was before (a small export before it has filled its caches). Exit status 1
when one takes more megabytes than --most.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks import corpora, finding_rows
from benchmarks.service import SERVE, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMATS: Final = ("sarif", "csv", "json", "jsonl", "html", "junit", "codeclimate")
_PIECE: Final = 1 << 20


class Export(NamedTuple):
    """One export: megabytes written, seconds in all and to the first piece, megabytes that memory rose by."""

    size: float
    seconds: float
    first: float
    growth: float


def main() -> int:
    """Measure, print and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", type=Path, default=corpora.default_cache())
    parser.add_argument("--findings", type=int, default=200_000)
    parser.add_argument("--most", type=float, default=16.0, help="megabytes")
    asked = parser.parse_args()
    most = 0.0
    with tempfile.TemporaryDirectory(prefix="hefesto-exports-") as made:
        folder = Path(made)
        (folder / "src").mkdir()
        service = Service(folder, folder / "src", (*SERVE, "--workers", "1", "--no-worker"))
        finding_rows.copy(asked.findings, asked.cache, service.database)
        service.start()
        try:
            print(f"{asked.findings} findings; load of the machine {os.getloadavg()[0]:.1f}")
            for kind in FORMATS:
                _exported(service, kind, "&file_path=src/part0/")
                done = _exported(service, kind)
                most = max(most, done.growth)
                print(
                    f"  {kind:12} {done.size:7.1f} MB in {done.seconds:6.1f} s, the first after"
                    f" {done.first:.2f} s; memory rose by {done.growth:5.1f} MB",
                    flush=True,
                )
        finally:
            service.stop()
    print("met" if most <= asked.most else f"MISSED (wanted: at most {asked.most:.0f} MB)")
    return 0 if most <= asked.most else 1


def _exported(service: Service, kind: str, query: str = "") -> Export:
    for pid in _processes(service):
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
    before = _most(service, "VmRSS")
    size = 0
    first = 0.0
    began = time.perf_counter()
    url = f"{service.url}/api/v1/findings/export?format={kind}&status=all{query}"
    with urllib.request.urlopen(url, timeout=900) as answer:  # noqa: S310 - loopback
        while piece := answer.read(_PIECE):
            first = first or time.perf_counter() - began
            size += len(piece)
    seconds = time.perf_counter() - began
    return Export(size / 1e6, seconds, first, _most(service, "VmHWM") - before)


def _processes(service: Service) -> Iterator[str]:
    """Yield the processes of the session that the service leads."""
    for about in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(about.read_text("utf-8", "replace").rpartition(")")[2].split()[3]) == service.pid:
                yield about.parent.name


def _most(service: Service, name: str) -> float:
    """Return the largest value of a line of /proc/*/status among the service's processes, in megabytes."""
    found = [0]
    for pid in _processes(service):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines()
            found += [int(line.split()[1]) for line in lines if line.startswith(f"{name}:")]
    return max(found) / 1024


if __name__ == "__main__":
    sys.exit(main())
