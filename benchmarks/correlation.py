"""Correlate alerts where there are a million findings, 200,000 functions and 50,000 commits.

    python -m benchmarks.correlation [--cache FOLDER] [--seconds 20]

Warm: 100 different crashes were correlated twice, then each again and again. What is timed is all that the
route does behind the web: reading the trace, finding its files, facts, findings, changes, ranking, and the
transaction that records alert and answer. The rate is that of a process on each of two cores, which write to
one SQLite database. On a machine that others share, the CPU time of a call is what counts. Exit status 1
when a target is missed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hefesto_api.features.iris import answering, enriching
from hefesto_api.features.iris.correlating import Desk

from benchmarks import corpora, correlation_world, limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from hefesto_api.runtime import Runtime

    from benchmarks.correlation_world import World

CRASHES: Final = 100
CALLS: Final = 600
WORKERS: Final = 2
LATENCY_TARGET: Final = 10.0  # ms, p95
RATE_TARGET: Final = 300  # a second
ENRICH_TARGET: Final = 20.0  # ms, p95


class Took(NamedTuple):
    """Milliseconds of each call: by the clock, and of the processor."""

    wall: list[float]
    cpu: list[float]


def main() -> int:
    """Measure and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", type=Path, default=corpora.default_cache())
    parser.add_argument("--seconds", type=float, default=20.0)
    asked = parser.parse_args()
    world = correlation_world.world(asked.cache)
    print(f"contention {limits.contention():.2f}")
    missed = latencies(world) + rate(world, asked.seconds)
    print("\n".join(missed) or "every target is met")
    return 1 if missed else 0


def latencies(world: World) -> list[str]:
    """Time correlating, cold and warm, and enriching, in one process."""
    with tempfile.TemporaryDirectory() as folder:
        runtime = world.runtime(Path(folder))
        desk = desk_of(runtime)
        bodies = alerts(seed=1)
        show("correlate, cold", timed(correlate, desk, bodies))
        timed(correlate, desk, bodies)
        warm = timed(correlate, desk, [body for _ in range(CALLS // CRASHES) for body in bodies])
        show("correlate, warm", warm)
        timed(enrich, desk, bodies)
        enriched = timed(enrich, desk, bodies)
        show("enrich, warm", enriched)
        runtime.close()
    return [
        f"{name} p95 {share(took.wall, 95):.1f} ms (wanted: {target})"
        for name, took, target in (
            ("correlate", warm, LATENCY_TARGET), ("enrich", enriched, ENRICH_TARGET),
        )
        if share(took.wall, 95) > target
    ]  # fmt: skip


def rate(world: World, seconds: float) -> list[str]:
    """Count what two processes correlate, once each is warm."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(WORKERS)
    with context.Manager() as manager:
        counts = manager.list()
        workers = [
            context.Process(target=work, args=(world, seconds, number, ready, counts))
            for number in range(WORKERS)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        total = sum(counts) / seconds
    print(f"{WORKERS} processes: {total:.0f} correlations a second")
    return [f"{total:.0f} a second (wanted: {RATE_TARGET})"] if total < RATE_TARGET else []


def work(world: World, seconds: float, number: int, ready: Any, counts: Any) -> None:
    """Warm up, wait for the others, and correlate for some seconds."""
    with tempfile.TemporaryDirectory() as folder:
        runtime = world.runtime(Path(folder))
        desk = desk_of(runtime)
        bodies = alerts(seed=1)
        timed(correlate, desk, bodies + bodies)
        chance = random.Random(number)  # noqa: S311
        done = 0
        ready.wait()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            correlate(desk, chance.choice(bodies))
            done += 1
        counts.append(done)
        runtime.close()


def desk_of(runtime: Runtime) -> Desk:
    """Return what correlating works with."""
    return Desk(runtime.db, runtime.memory, runtime.settings.roots, runtime.settings.correlation_threshold)


def alerts(seed: int) -> list[dict[str, Any]]:
    """Return different crashes as bodies of requests."""
    chance = random.Random(seed)  # noqa: S311
    return [
        {"project": correlation_world.SLUG, "stacktrace": correlation_world.trace(chance)}
        for _ in range(CRASHES)
    ]


def correlate(desk: Desk, body: dict[str, Any]) -> None:
    """Correlate one more occurrence of a crash."""
    told = answering.correlate(desk, {**body, "alert_id": str(time.monotonic_ns())}, lambda slug: None)
    assert told["suspect_functions"], told


def enrich(desk: Desk, body: dict[str, Any]) -> None:
    """Enrich a crash."""
    told = enriching.enrich(desk, {**body, "alert_id": "x", "stack_trace": body["stacktrace"]}, None)
    assert told["enriched"], told


def timed(act: Callable[[Desk, dict[str, Any]], None], desk: Desk, bodies: list[dict[str, Any]]) -> Took:
    """Do something with each body, and return how long it took."""
    took = Took([], [])
    for body in bodies:
        wall, cpu = time.perf_counter(), time.thread_time()
        act(desk, body)
        took.wall.append((time.perf_counter() - wall) * 1000)
        took.cpu.append((time.thread_time() - cpu) * 1000)
    return took


def show(name: str, took: Took) -> None:
    """Print the shares of what some calls took."""
    figures = "  ".join(
        f"{kind} p50 {share(times, 50):6.2f} p95 {share(times, 95):6.2f} p99 {share(times, 99):6.2f}"
        for kind, times in (("clock", took.wall), ("processor", took.cpu))
    )
    print(f"{name:18} {figures} ms")


def share(times: list[float], percent: int) -> float:
    """Return the time that so many of a hundred calls took at most."""
    return sorted(times)[min(len(times) * percent // 100, len(times) - 1)]


if __name__ == "__main__":
    sys.exit(main())
