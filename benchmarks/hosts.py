"""Show: three hosts on PostgreSQL, Redis and Celery: more do more, and nothing acknowledged is lost.

    python -m benchmarks.hosts [--quick] [--part growth|faults|rolling ...] [--seed N] [--logs FOLDER]

Each host is a network namespace with a third of a core. `growth`: jobs and requests a second with one, two
and three of them. `faults`, under load: SIGKILL of any process of the service, Redis killed, PostgreSQL
restarted. `rolling`: each host restarted in turn, under load. Clients go on to the next host where one does
not answer, as a load balancer does, and write with an Idempotency-Key.

Fails (1) when an acknowledged write is lost, an answer is a 500, or nobody is served for five seconds. Needs
root and the programs of PostgreSQL and Redis; without them it is skipped (3).
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import shutil
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.features.analysis import service

from benchmarks import hosts_world as world
from benchmarks.hosts_load import Book, Client, Load, Probe, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHARE = 1 / 3
CODE = "import os\n\n\ndef run_{0}(name):\n    os.system('ls ' + name)\n"


class Scale(NamedTuple):
    """How much of everything."""

    seconds: float
    jobs: int
    kills: int
    redis: int
    postgres: int


FULL = Scale(8, 60, 20, 20, 10)
QUICK = Scale(3, 20, 4, 3, 2)


class Cluster:
    """The hosts and what they share."""

    def __init__(self, bridge: str, folder: Path) -> None:
        self.folder = folder
        self.postgres = world.Postgres(folder)
        self.redis = world.Redis(folder)
        self.environ = {
            **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            "HOME": str(folder),
            "PYTHONPATH": str(world.ROOT),
            "HEFESTO_DATABASE_URL": self.postgres.url,
            "HEFESTO_REDIS_URL": f"{self.redis.url}/0",
            "HEFESTO_BROKER_URL": f"{self.redis.url}/1",
            "HEFESTO_AUTH": "open",
            "HEFESTO_SECRET_KEY": "the key of a benchmark that is thrown away",
            "HEFESTO_RATE_LIMITS": "off",
            "HEFESTO_ANALYSIS_PROCESSES": "1",
            "HEFESTO_LOG_LEVEL": "warning",
            "HEFESTO_DRAIN_SECONDS": "5",  # as in production
            "HEFESTO_ROOTS": str(folder),
        }
        self.probes: dict[str, Probe] = {}
        self.hosts = [world.Host(number, folder, self.environ, bridge) for number in (1, 2, 3)]

    def begin(self, host: world.Host) -> None:
        """Start a host, unhindered until it is ready."""
        host.start()
        self.wait_for(host)
        host.hold(SHARE)
        self.probes[host.name] = Probe(host)

    def wait_for(self, host: world.Host, seconds: float = 60.0) -> float:
        """Wait until a host is ready; return the seconds."""
        began = time.monotonic()
        client = Client([host], Book())
        while client.once("GET", "/readyz", None, {}).status != 200:
            if time.monotonic() - began > seconds:
                log = (host.folder / "log").read_text()
                raise SystemExit(f"{host.name} did not become ready:\n{log[-3000:]}")
            time.sleep(0.05)
        return time.monotonic() - began

    def end(self) -> None:
        """Take everything away."""
        for probe in self.probes.values():
            probe.close()
        for host in self.hosts:
            host.remove()
        self.redis.kill()
        self.postgres.stop()


def growth(cluster: Cluster, scale: Scale) -> bool:
    """Measure one, two and three hosts; more must do more."""
    environ = {**cluster.environ, "HEFESTO_LOG_LEVEL": "error"}
    runtime = runtimes.build(all_settings.load(environ, cluster.folder))
    rates: list[tuple[float, float]] = []
    for number in range(1, 4):
        host = cluster.hosts[number - 1]
        if not host.processes():
            cluster.begin(host)
        time.sleep(1.0)
        book = Book()
        with Load(cluster.hosts[:number], book, 4 * number, writes=0.0):
            time.sleep(scale.seconds)
        requests = len(book.served["read"]) / scale.seconds
        rates.append((requests, _jobs(runtime, scale.jobs)))
        print(f"{number} hosts: {rates[-1][0]:6.0f} requests/s, {rates[-1][1]:6.1f} jobs/s", flush=True)
    runtime.close()
    more = [last / first for first, last in zip(rates[0], rates[2], strict=True)]
    print(f"three hosts do {more[0]:.2f} times the requests of one, {more[1]:.2f} times the jobs")
    return all(few < many for pair in itertools.pairwise(rates) for few, many in zip(*pair, strict=True))


def _jobs(runtime: runtimes.Runtime, many: int) -> float:
    """Queue analyses of one small file each; return how many were done a second."""
    began = time.monotonic()
    for number in range(many):
        text = CODE.format(f"{number}_{time.time_ns()}")
        service.submit_files(runtime.db, {"files": [{"path": "run.py", "content": text}]})
    while time.monotonic() - began < 120:
        with runtime.db.read() as session:
            left = session.exec_driver_sql(
                "SELECT count(*) FROM jobs WHERE kind = 'analysis' AND status IN ('queued', 'running')"
            ).scalar_one()
        if not left:
            break
        time.sleep(0.05)
    return many / (time.monotonic() - began)


def faults(cluster: Cluster, scale: Scale, chance: random.Random) -> bool:
    """Do all that may go wrong, under load; return whether nothing was lost and nobody waited long."""
    book = Book()
    modes = itertools.cycle(["fast", "immediate"])
    with Load(cluster.hosts, book, 4, pause=0.05):
        time.sleep(1.0)
        _each("a process killed", scale.kills, book, lambda: _kill_one(cluster, chance))
        _each("Redis killed", scale.redis, book, lambda: _kill_redis(cluster))
        _each("PostgreSQL restarted", scale.postgres, book, lambda: _restart_postgres(cluster, book, modes))
        for host in cluster.hosts:
            cluster.wait_for(host)
    return judge(cluster.postgres, book)


def rolling(cluster: Cluster) -> bool:
    """Restart each host in turn, under load."""
    book = Book()
    with Load(cluster.hosts, book, 4, pause=0.05):
        time.sleep(1.0)
        for host in cluster.hosts:
            began, before = time.monotonic(), set(host.processes())
            host.restart()
            while before & set(host.processes()):
                time.sleep(0.1)
            unready = cluster.probes[host.name].unready_for(began)
            told = cluster.probes[host.name].told_since(began)
            print(f"{host.name} was out for {unready:.1f} s: {told}", flush=True)
        time.sleep(1.0)
    errors = {name: count for name, count in book.broken.items() if name != "not connected"}
    print(f"rolling restart: {sum(book.statuses.values())} answers, errors {errors}")
    return judge(cluster.postgres, book) and not errors


def _each(what: str, times: int, book: Book, do: Callable[[], str | None]) -> None:
    gaps: dict[str, list[float]] = {"read": [], "write": []}
    for _ in range(times):
        since = time.monotonic()
        done = do()
        _wait_served(book)
        for kind, found in gaps.items():
            found.append(book.longest_gap(kind, since))
        if done:
            print(f"    {done}", flush=True)
    shown = ", ".join(f"{kind} {statistics.median(f):.2f} / {max(f):.2f}" for kind, f in gaps.items())
    print(f"{what} {times} times; nobody served for (median / longest, s): {shown}", flush=True)


def _wait_served(book: Book, seconds: float = 1.0) -> None:
    """Wait until both kinds were served for a while again."""
    until = time.monotonic() + 60
    time.sleep(seconds)
    while time.monotonic() < until:
        now = time.monotonic()
        if all(times and now - times[-1] < 0.5 for times in book.served.values()):
            return
        time.sleep(0.05)


def _kill_one(cluster: Cluster, chance: random.Random) -> str:
    host = chance.choice([host for host in cluster.hosts if host.processes()])
    running = host.processes()
    pid = chance.choice(sorted(running))
    began = time.monotonic()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    out = cluster.probes[host.name].unready_for(began)
    told = cluster.probes[host.name].told_since(began)
    return f"{running[pid]} of {host.name}: the host was out for {out:.1f} s {told}"


def _kill_redis(cluster: Cluster) -> None:
    cluster.redis.kill()
    time.sleep(0.3)
    cluster.redis.start()


def _restart_postgres(cluster: Cluster, book: Book, modes: Iterator[str]) -> str:
    mode, began = next(modes), time.monotonic()
    cluster.postgres.restart(mode)
    took = time.monotonic() - began
    book.away.append((began, began + took))
    out = max(probe.unready_for(began) for probe in cluster.probes.values())
    return f"{mode}: it took {took:.1f} s itself; all hosts were ready after {out:.1f} s"


@contextlib.contextmanager
def _cluster(logs: Path | None) -> Iterator[Cluster]:
    with world.network() as (bridge, folder):
        cluster = Cluster(bridge, folder)
        try:
            yield cluster
        finally:
            if logs is not None:
                for host in cluster.hosts:
                    shutil.copy(host.folder / "log", logs / f"{host.name}.log")
            cluster.end()


def main() -> int:
    """Run it and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--part", action="append", choices=["growth", "faults", "rolling"])
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--logs", type=Path, help="where to leave the hosts' logs")
    asked = parser.parse_args()
    reason = world.missing()
    if reason:
        print(f"skipped: {reason}")
        return 3
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was made is taken away
    parts = asked.part or ["growth", "faults", "rolling"]
    scale = QUICK if asked.quick else FULL
    chance = random.Random(asked.seed)  # noqa: S311 - no secret
    print(f"seed {asked.seed}; each host has {SHARE:.2f} of a core, by its cgroup")
    with _cluster(asked.logs) as cluster:
        good = growth(cluster, scale) if "growth" in parts else True
        for host in cluster.hosts:
            if not host.processes():
                cluster.begin(host)
        good = (faults(cluster, scale, chance) if "faults" in parts else True) and good
        good = (rolling(cluster) if "rolling" in parts else True) and good
    print("as wanted" if good else "NOT as wanted")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
