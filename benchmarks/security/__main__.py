"""All that is promised about access, measured in turn: the figures, and one table at the end.

    python -m benchmarks.security [--quick] [GATE ...]

Each gate is a module beside this one, whose output is shown as it comes. One that could be blind is asked a
second time with a fault planted into what it looks at, which it must find. Exit status 1 when a figure is
missed, or a planted fault is not found.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Gate(NamedTuple):
    """A module that measures; `planted` is the exit status by which it tells that it found its fault."""

    name: str
    promise: str
    planted: int | None = None


class Judged(NamedTuple):
    """How a gate did: whether its figures are met, whether it saw the fault, and its last words."""

    gate: Gate
    is_met: bool
    is_seeing: bool | None
    seconds: float
    told: str


GATES = (
    Gate("matrix", "every route x 6 callers x 2 projects: nothing of another project", planted=1),
    Gate("tokens", "forged, stale, confused and oversized tokens: none accepted"),
    Gate("refresh", "one token, one code, 50 threads: one successor"),
    Gate("revocation", "what is taken back is refused within a second", planted=0),
    Gate("login", "known and unknown users alike; 100 logins within 600 MB"),
    Gate("limits", "three tiers on four workers, Redis killed under load"),
    Gate("cost", "authentication and limits under half of a cached GET"),
    Gate("signatures", "10,000 forged signatures; one event 50 times", planted=1),
    Gate("audit", "1,000 edits found; one chain; nothing unaudited", planted=1),
    Gate("rotation", "secrets change their key through 20 kills", planted=1),
    Gate("canaries", "secrets of every input come out nowhere", planted=1),
    Gate("proxy", "nginx with TLS in front: forged headers gain nothing", planted=1),
    Gate("scan", "every operation asks for credentials; no answer of 500", planted=1),
    Gate("scan_wapiti", "injections, traversal, scripts, redirects: none found", planted=1),
)


def main() -> int:
    """Run the gates and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("gates", nargs="*", metavar="GATE", help=", ".join(gate.name for gate in GATES))
    parser.add_argument("--quick", action="store_true", help="smaller figures, in minutes")
    asked = parser.parse_args()
    unknown = set(asked.gates) - {gate.name for gate in GATES}
    if unknown:
        parser.error(f"there is no gate {', '.join(sorted(unknown))}")
    wanted = [gate for gate in GATES if not asked.gates or gate.name in asked.gates]
    judged = [judge(gate, quick=asked.quick) for gate in wanted]
    show(judged)
    return 0 if all(one.is_met and one.is_seeing is not False for one in judged) else 1


def judge(gate: Gate, *, quick: bool) -> Judged:
    """Run a gate, and where it could be blind, run it again with its fault."""
    print(f"\n== {gate.name}: {gate.promise}", flush=True)
    began = time.monotonic()
    status, told = run(gate, ["--quick"] if quick else [])
    is_seeing = None
    if gate.planted is not None:
        print(f"-- {gate.name}, with a fault planted", flush=True)
        seen, words = run(gate, ["--quick", "--plant"])
        # A crash is no finding: the gate must have come to a verdict of its own.
        is_seeing = seen == gate.planted and "Traceback" not in words
    return Judged(gate, status == 0, is_seeing, time.monotonic() - began, told)


def run(gate: Gate, options: list[str]) -> tuple[int, str]:
    """Run a gate's module, show what it writes, and return its exit status and the last of its lines."""
    argv = [sys.executable, "-m", f"benchmarks.security.{gate.name}", *options]
    lines = []
    with subprocess.Popen(
        argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(f"   {line}", end="", flush=True)
            lines.append(line.strip())
    return process.returncode, "\n".join(lines[-20:])


def show(judged: list[Judged]) -> None:
    """Print the table."""
    seeing = {True: "found", False: "NOT FOUND", None: ""}
    print(f"\n{'gate':<12}{'figures':<10}{'fault':<11}{'seconds':>8}  promise")
    for one in judged:
        met = "met" if one.is_met else "MISSED"
        print(
            f"{one.gate.name:<12}{met:<10}{seeing[one.is_seeing]:<11}{one.seconds:>8.0f}  {one.gate.promise}"
        )
    load = os.getloadavg()[0]
    missed = sum(not one.is_met or one.is_seeing is False for one in judged)
    print(f"{len(judged)} gates, {missed} missed, at a load of {load:.1f} on {os.cpu_count()} processors")


if __name__ == "__main__":
    sys.exit(main())
