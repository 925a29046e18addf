"""Load every page of the dashboard in headless Chromium, on Django and stack traces, and tell how it fares.

    python -m benchmarks.page [--traces FILE.jsonl ...] [--rounds 5] [--files N]

Needs `make dashboard` with what its checks need (`make check`), and Chromium. Each round opens each page
anew, with nothing cached, and counts from the navigation to when real data stand on it. Then an alert is
posted by curl while the page of what fires is open, and ten findings are decided about by keyboard. Ends with
1 where a page takes more than a second, the first weighs 150 KB or more, axe finds a barrier, the console an
error, a foreign host is asked, or an alert is not visible with its suspect within a second.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import corpora, page_world
from benchmarks.service import Service

MOST_MS, MOST_KB = 1000.0, 150.0
DASHBOARD = Path(__file__).parents[1] / "dashboard"
ALERT = """Traceback (most recent call last):
  File "/srv/django/core/handlers/exception.py", line 55, in inner
    response = get_response(request)
  File "/srv/django/core/paginator.py", line {line}, in page
    number = self.validate_number(number)
  File "/srv/django/core/paginator.py", line {inner}, in validate_number
    raise EmptyPage(self.error_messages["no_results"])
{error}: that page contains no results
"""


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--traces", type=Path, nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, help="so many of Django's Python files only")
    parser.add_argument("--cache", type=Path, default=corpora.default_cache())
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        root = page_world.repository(Path(made) / "django", asked.cache, files=asked.files)
        service = Service(Path(made), root)
        service.start()
        try:
            texts = list(page_world.traces(asked.traces))
            world = page_world.fill(service, texts)
            print(
                f"load {os.getloadavg()[0]:.1f}; analysed in {world['analysed']:.1f} s; {len(texts)} traces"
            )
            print(f"GET /api/v1/metrics/hotspots of a year: {told(hotspots(service))}")
            found = look(service, {**world, "rounds": asked.rounds, "trace": ALERT})
        finally:
            service.stop()
    return report(found)


def hotspots(service: Service) -> list[float]:
    """Return how long the service takes to list hotspots, in milliseconds."""
    took = []
    for _ in range(40):
        began = time.perf_counter()
        service.fetch("GET", "/api/v1/metrics/hotspots?days=365")
        took.append((time.perf_counter() - began) * 1000)
    return took


def look(service: Service, given: dict[str, Any]) -> dict[str, Any]:
    """Have a browser look at the pages of a service."""
    argv = ["node", "check/measure.mjs", "all", service.url, json.dumps(given)]
    done = subprocess.run(argv, cwd=DASHBOARD, capture_output=True, text=True, check=False, timeout=1800)
    if not done.stdout.startswith("{"):
        raise SystemExit(done.stdout + done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def report(found: dict[str, Any]) -> int:
    """Print what was found, and return the exit status."""
    missed = list(found["wrong"])
    print(
        f"{'until its data stand there':44} {'p50 ms':>7} {'worst':>7} {'KB':>7}   {found['rounds']} rounds"
    )
    for path, one in found["pages"].items():
        middle, worst = statistics.median(one["ms"]), max(one["ms"])
        print(f"{path:44} {middle:7.0f} {worst:7.0f} {one['bytes'] / 1024:7.1f}")
        if middle > MOST_MS:
            missed.append(f"{path} takes {middle:.0f} ms")
    weight = found["pages"]["/dashboard"]["bytes"] / 1024
    if weight >= MOST_KB:
        missed.append(f"the first page weighs {weight:.0f} KB")
    seen, suspects = found["alert"]["seen"], found["alert"]["suspect"]
    print(f"alert posted by curl: visible after {told(seen)}, with its suspect after {told(suspects)}")
    if statistics.median(suspects) > MOST_MS:
        missed.append("an alert is not visible with its suspect within a second")
    print(
        f"ten findings by keyboard: {found['triage']['keys']} keys, kept after {found['triage']['ms']:.0f} ms"
    )
    print(f"axe: {found['barriers']} barriers; console, foreign hosts, axe: {len(found['wrong'])} complaints")
    print("\n".join(missed) or "every figure is met")
    return 1 if missed else 0


def told(values: list[float]) -> str:
    """Return the median and the worst of some times."""
    ranked = sorted(values)
    late = ranked[len(ranked) * 95 // 100]
    return f"{statistics.median(ranked):.0f} ms (p95 {late:.0f}, worst of {len(ranked)} {ranked[-1]:.0f})"


if __name__ == "__main__":
    sys.exit(main())
