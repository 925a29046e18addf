"""SIGKILL the whole service again and again while it analyses, and count what was lost, doubled or stuck.

    python -m benchmarks.kill [--kills 30] [--files 400] [--seed N]

Starts `hefesto serve` in a process group of its own on a copy of real code, asks for analyses without
waiting, kills the group at a random moment, starts it again. In the end every analysis that was acknowledged
must be completed, each finding must have been counted once by each of them, and the findings must be those
of a fresh service that saw the same tree once. Exit status 1 otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import sqlite3
import sys
import tempfile
import time
import urllib.error
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.corpora import copy, corpus
from benchmarks.service import DEADLINE, SERVE, Service


class Victim(Service):
    """A service that is killed, asked for analyses, and whose database is read past it."""

    def __init__(self, folder: Path, tree: Path) -> None:
        super().__init__(folder, tree, (*SERVE, "--workers", "1"))

    def submit(self, tree: Path) -> str | None:
        """Ask for an analysis; return its id if the service acknowledged it."""
        try:
            data = self.call("POST", "/api/v1/analyze", {"path": str(tree), "async": True})
        except (OSError, urllib.error.HTTPError, json.JSONDecodeError):
            return None
        return str(data["analysis_id"])

    def status(self, analysis_id: str) -> str:
        """Return the state of an analysis."""
        return str(self.call("GET", f"/api/v1/analyze/{analysis_id}")["status"])

    def settle(self, analyses: list[str]) -> Counter[str]:
        """Wait until the analyses have ended and return how."""
        began = time.monotonic()
        while True:
            states = Counter(self.status(one) for one in analyses)
            if not states["queued"] + states["running"] or time.monotonic() - began > 5 * DEADLINE:
                return states
            time.sleep(0.2)

    def findings(self) -> Counter[tuple[Any, ...]]:
        """Return the findings on record: what and where, and how often each stands there."""
        with contextlib.closing(sqlite3.connect(self.database)) as db:
            rows = db.execute('SELECT rule_id, file_path, line, "column", status FROM findings').fetchall()
        return Counter(map(tuple, rows))

    def counted(self) -> Counter[int]:
        """Return how many findings were counted how often."""
        with contextlib.closing(sqlite3.connect(self.database)) as db:
            return Counter(row[0] for row in db.execute("SELECT occurrence_count FROM findings"))

    def left_over(self) -> dict[str, int]:
        """Return what should be empty when nothing is to do."""
        questions = {
            "jobs not ended": "SELECT count(*) FROM jobs WHERE status IN ('queued', 'running', 'dead')",
            "inputs kept": "SELECT count(*) FROM analysis_inputs",
        }
        with contextlib.closing(sqlite3.connect(self.database)) as db:
            return {name: db.execute(sql).fetchone()[0] for name, sql in questions.items()}


def main() -> int:
    """Run it and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    chance = random.Random(asked.seed)  # noqa: S311 - no secret
    print(f"seed {asked.seed}, {asked.kills} kills")
    folder = Path(tempfile.mkdtemp(prefix="hefesto-kill-"))
    try:
        tree = copy(corpus("django"), folder / "tree", subset=asked.files)
        faults = _torture(folder, tree, asked.kills, chance)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("nothing lost, nothing twice, nothing stuck" if not faults else "\n".join(faults))
    return 1 if faults else 0


def _torture(folder: Path, tree: Path, kills: int, chance: random.Random) -> list[str]:
    (folder / "a").mkdir()
    service = Victim(folder / "a", tree)
    acknowledged: list[str] = []
    starts = [service.start()]
    seconds = _one_run(service, tree, acknowledged)
    for number in range(kills):
        _edit(tree, number, chance)
        acknowledged += [one for _ in range(2) if (one := service.submit(tree)) is not None]
        time.sleep(chance.uniform(0.0, seconds))
        service.kill()
        starts.append(service.start())
    states = service.settle(acknowledged)
    left, counted, found = service.left_over(), service.counted(), service.findings()
    service.stop()
    print(f"{len(acknowledged)} analyses acknowledged: {dict(states)}")
    starts.sort()
    print(f"ready again after {starts[len(starts) // 2]:.1f} s in the median, {starts[-1]:.1f} s at most")
    print(f"{sum(found.values())} findings, counted {dict(counted)} times; left over: {left}")
    return _faults(folder, tree, len(acknowledged), states, left, counted, found)


def _faults(
    folder: Path,
    tree: Path,
    analyses: int,
    states: Counter[str],
    left: dict[str, int],
    counted: Counter[int],
    found: Counter[tuple[Any, ...]],
) -> list[str]:
    faults = [f"{count} analyses are {state}" for state, count in states.items() if state != "completed"]
    faults += [f"{name}: {count}" for name, count in left.items() if count]
    if set(counted) != {analyses}:
        faults.append(f"every finding should have been counted {analyses} times: {dict(counted)}")
    (folder / "b").mkdir()
    fresh = Victim(folder / "b", tree)
    fresh.start()
    once: list[str] = []
    _one_run(fresh, tree, once)
    expected = fresh.findings()
    fresh.stop()
    faults += [f"lost: {one}" for one in list(expected - found)[:5]]
    faults += [f"doubled or stale: {one}" for one in list(found - expected)[:5]]
    return faults


def _one_run(service: Victim, tree: Path, acknowledged: list[str]) -> float:
    began = time.monotonic()
    submitted = service.submit(tree)
    if submitted is None:
        raise SystemExit("the first analysis was not acknowledged")
    acknowledged.append(submitted)
    service.settle(acknowledged)
    return time.monotonic() - began


def _edit(tree: Path, number: int, chance: random.Random) -> None:
    """Change half of the files so that the engine has work and the findings stay what they are."""
    for path in sorted(tree.rglob("*.py")):
        if chance.random() < 0.5:
            with path.open("a") as file:
                file.write(f"\n# edited {number}\n")


if __name__ == "__main__":
    sys.exit(main())
