"""Logins that tell nothing by their time, and that fit into memory however many come at once.

    python -m benchmarks.security.login [--quick] [--pairs 1000] [--parallel 100]

Pairs of logins, one for a user who exists and one for nobody, in random order, each with a wrong password: in
how many the known one took longer tells how well a stranger could guess which is which (half of them: not at
all). The same is asked of answers for which nothing is hashed: a gate that sees nothing would be met as well.
Then many log in at the same moment, at the cost of hashing that is the default, while the memory of the
whole service is watched. Exit status 1 when a figure is missed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import random
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.storage import users

from benchmarks.service import SERVE, Service

if TYPE_CHECKING:
    from collections.abc import Sequence

PASSWORD: Final = "correct horse battery"  # noqa: S105 - of a service that lives for minutes
SECRET_KEY: Final = "a key for benchmarks that is long enough to be one"  # noqa: S105 - of the same
MOST_MB: Final = 600
STANDARD_ERRORS: Final = 3.3  # by chance, one measurement in a thousand is further from one half
CONTROLS: Final = 60  # pairs, of what does differ
SEEN: Final = 0.9  # in how many of these it must show
QUICK: Final = 150  # pairs


class Watch:
    """The memory of a service's processes, sampled until it is stopped."""

    def __init__(self, service: Service) -> None:
        self._leader = service.pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self.peak = 0.0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(0.02):
            self.peak = max(self.peak, megabytes(self._leader))


class Comparison(NamedTuple):
    """Two kinds of answers: their medians in milliseconds, and in which part the first took longer."""

    pairs: int
    first: float
    second: float
    longer: float

    @property
    def chance(self) -> float:
        """How far from one half that may be by chance alone (the sign test)."""
        return STANDARD_ERRORS * 0.5 / math.sqrt(self.pairs)


def main() -> int:
    """Measure and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} pairs")
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--parallel", type=int, default=100)
    asked = parser.parse_args()
    met = [alike(min(asked.pairs, QUICK) if asked.quick else asked.pairs), bounded(asked.parallel)]
    print("all figures met" if all(met) else "A FIGURE IS MISSED")
    return 0 if all(met) else 1


def alike(pairs: int) -> bool:
    """Compare logins of users who exist with logins of nobody."""
    with ExitStack() as stack:
        service = served(stack, pairs, HEFESTO_PASSWORD_MEMORY_MB="8")  # noqa: S106 - less, so more would show
        known = [(f"user{number}@example.com", "a wrong password") for number in range(pairs)]
        unknown = [(f"none{number}@example.com", "a wrong password") for number in range(pairs)]
        found = compared(service, known, unknown)
        print(f"{pairs} pairs: known {found.first:.2f} ms, unknown {found.second:.2f} ms (medians)")
        print(
            f"  the known one took longer in {found.longer:.1%}; by chance within {found.chance:.1%} of half"
        )
        closed = [known[0]] * CONTROLS
        connection = connected(service)
        for email, password in closed:  # after ten of which nothing is hashed for this one
            login(connection, email, password)
        control = compared(service, unknown[:CONTROLS], closed)
        print(f"  control: what is hashed took longer than what is not in {control.longer:.1%}")
        return abs(found.longer - 0.5) <= found.chance and control.longer >= SEEN


def bounded(parallel: int) -> bool:
    """Let many log in at the same moment."""
    with ExitStack() as stack:
        service = served(stack, parallel)
        login(connected(service), "user0@example.com", PASSWORD)  # what is loaded once is loaded
        before = megabytes(service.pid)
        barrier = threading.Barrier(parallel + 1)

        def come(number: int) -> int:
            connection = connected(service)
            barrier.wait()
            return login(connection, f"user{number}@example.com", PASSWORD)

        with ThreadPoolExecutor(parallel) as pool, Watch(service) as watch:
            answers = [pool.submit(come, number) for number in range(parallel)]
            barrier.wait()
            began = time.monotonic()
            statuses = [answer.result() for answer in answers]
            seconds = time.monotonic() - began
        let_in = statuses.count(200)
        print(
            f"{parallel} at once: {let_in} let in within {seconds:.1f} s; the service's memory went from "
            f"{before:.0f} to {watch.peak:.0f} MB, of {MOST_MB}"
        )
        return let_in == parallel and before < watch.peak < MOST_MB


def served(stack: ExitStack, many: int, **environ: str) -> Service:
    """Start a service with some users."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hefesto-login-")))
    given = {
        "HEFESTO_AUTH": "required",
        "HEFESTO_SECRET_KEY": SECRET_KEY,
        "HEFESTO_RATE_LIMITS": "off",
        **environ,
    }
    service = Service(folder, folder, [*SERVE, "--no-worker"], given)
    service.start()
    stack.callback(service.kill)
    held = runtimes.build(all_settings.load(service.environ, folder))
    hashed = held.passwords.hash(PASSWORD)
    with held.db.write() as session:
        for number in range(many):
            users.create(session, f"user{number}@example.com", role="viewer", password_hash=hashed)
    held.close()
    return service


def compared(
    service: Service, first: Sequence[tuple[str, str]], second: Sequence[tuple[str, str]]
) -> Comparison:
    """Log in for each of two kinds in turn, in an order that is thrown anew each time."""
    connection, toss = connected(service), random.Random(0)  # noqa: S311 - an order
    times: tuple[list[float], list[float]] = ([], [])
    for pair in zip(first, second, strict=True):
        for kind in toss.sample((0, 1), 2):
            began = time.perf_counter()
            login(connection, *pair[kind])
            times[kind].append((time.perf_counter() - began) * 1000)
    longer = sum(one > other for one, other in zip(*times, strict=True))
    return Comparison(
        len(first), statistics.median(times[0]), statistics.median(times[1]), longer / len(first)
    )


def connected(service: Service) -> http.client.HTTPConnection:
    """Return a connection of one's own."""
    return http.client.HTTPConnection("127.0.0.1", service.port, timeout=120)


def login(connection: http.client.HTTPConnection, email: str, password: str) -> int:
    """Log in, and return the answer's status."""
    body = json.dumps({"email": email, "password": password})
    connection.request("POST", "/api/v1/auth/login", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def megabytes(leader: int) -> float:
    """Return what the processes of a session take, each shared page counted once (PSS)."""
    kilobytes = 0
    for about in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            fields = about.read_text("utf-8", "replace").rpartition(")")[2].split()
            if int(fields[3]) == leader:
                rollup = (about.parent / "smaps_rollup").read_text()
                kilobytes += int(
                    next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1]
                )
    return kilobytes / 1024


if __name__ == "__main__":
    sys.exit(main())
