"""What authentication and limits add to a cached GET, on the host and with Redis.

    python -m benchmarks.security.cost [--quick] [--seconds 4] [--rounds 5]

The same route of the same service, one worker each: open without limits (the baseline), with an API key and
limits that are never reached, and that with limits counted in a Redis of its own. Rounds are interleaved; the
figure is the service's CPU time for each answer, the median of the rounds, since others may share the
machine. Exit status 1 when authentication and limits take half of the baseline or more (without Redis).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks import limits as machine
from benchmarks.load import generator
from benchmarks.security.limits import SECRET_KEY, Redis
from benchmarks.service import Service

if TYPE_CHECKING:
    from benchmarks.load.generator import Load

TARGET: Final = 0.5
PATH: Final = "/api/v1/cached"
THREADS: Final = 4
ROOT: Final = Path(__file__).parents[2]
BASELINE: Final = "open, no limits"
GUARDED: Final = "key and limits"
WITH_REDIS: Final = "key and limits, Redis"
ENDLESS: Final = "/".join(["1000000"] * 4)
GUNICORN: Final = (
    *(sys.executable, "-m", "gunicorn", "-c", "python:hefesto_api.web.server", "--pythonpath", str(ROOT)),
    *(
        "--workers",
        "1",
        "--threads",
        str(THREADS),
        "--bind",
        "127.0.0.1:{port}",
        "benchmarks.security.cached:app",
    ),
)


class Contestant(NamedTuple):
    """A service, and what a request shows it."""

    service: Service
    headers: tuple[str, ...]


class Round(NamedTuple):
    """What one load on one service came to: microseconds of CPU for each answer, and what clients saw."""

    cpu: float
    load: Load


def main() -> int:
    """Measure and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two rounds of two seconds")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    seconds, rounds = (2.0, 2) if asked.quick else (asked.seconds, asked.rounds)
    with ExitStack() as stack:
        contestants = started(stack)
        print(f"load {os.getloadavg()[0]:.1f}, contention {machine.contention():.2f}")
        for contestant in contestants.values():
            measured(contestant, 1.0)  # so that all are warm
        found: dict[str, list[Round]] = {name: [] for name in contestants}
        for _ in range(rounds):
            for name, contestant in contestants.items():
                found[name].append(measured(contestant, seconds))
    return report(found)


def started(stack: ExitStack) -> dict[str, Contestant]:
    """Start the services, each on a folder of its own; the one with Redis where there is one."""
    limited = {"HEFESTO_AUTH": "required", "HEFESTO_RATE_LIMIT_ENTERPRISE": ENDLESS}
    found = {
        BASELINE: contestant(stack, HEFESTO_AUTH="open", HEFESTO_RATE_LIMITS="off"),
        GUARDED: contestant(stack, **limited),
    }
    if program := shutil.which("redis-server"):
        redis = Redis(program, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        redis.start()
        stack.callback(redis.kill)
        url = f"redis://127.0.0.1:{redis.port}/0"
        found[WITH_REDIS] = contestant(stack, **limited, HEFESTO_REDIS_URL=url)
    return found


def contestant(stack: ExitStack, **environ: str) -> Contestant:
    """Start a service on a database of its own; where it asks for credentials, with a key."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hefesto-cost-")))
    given = {"HEFESTO_SECRET_KEY": SECRET_KEY, "HEFESTO_RATE_LIMIT_FOLDER": str(folder), **environ}
    service = Service(folder, folder, GUNICORN, given)
    command(service, "db", "upgrade")
    headers: tuple[str, ...] = ()
    if environ["HEFESTO_AUTH"] == "required":
        wanted = ("--name", "cost", "--tier", "enterprise", "--scope", "read:config")
        headers = (f"Authorization: Bearer {command(service, 'keys', 'create', *wanted).split()[-1]}",)
    service.start()
    stack.callback(service.kill)
    return Contestant(service, headers)


def command(service: Service, *words: str) -> str:
    """Run a command of ours on a service's database; return what it printed."""
    argv = [sys.executable, "-m", "hefesto_api", *words]
    done = subprocess.run(argv, env=service.environ, cwd=service.folder, check=True, stdout=subprocess.PIPE)
    return done.stdout.decode()


def measured(contestant: Contestant, seconds: float) -> Round:
    """Put load on a service and return what an answer took."""
    service = contestant.service
    before = service.cpu_seconds()
    seen = generator.run(service.port, PATH, connections=8, seconds=seconds, headers=contestant.headers)
    return Round((service.cpu_seconds() - before) / (seen.rate * seconds) * 1e6, seen)


def report(found: dict[str, list[Round]]) -> int:
    """Print the figures and return the exit status."""
    cpu = {name: median(one.cpu for one in rounds) for name, rounds in found.items()}
    base = cpu[BASELINE]
    for name, rounds in found.items():
        added = cpu[name] - base
        rate, middle = median(one.load.rate for one in rounds), median(one.load.p50 for one in rounds)
        print(
            f"{name:<24}{cpu[name]:6.0f} us of CPU an answer, {added:5.0f} more ({added / base:4.0%} of the "
            f"baseline); {rate:6.0f}/s, p50 {middle:.1f} ms; {sum(one.load.failed for one in rounds)} failed"
        )
    met = cpu[GUARDED] - base < TARGET * base and not any(
        one.load.failed for rounds in found.values() for one in rounds
    )
    print("target met" if met else f"MISSED: authentication and limits are to take less than {TARGET:.0%}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
