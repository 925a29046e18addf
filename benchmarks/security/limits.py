"""Limits of a real service: four workers, three tiers, forged addresses, a Redis that is killed under load.

    python -m benchmarks.security.limits [--quick] [--minutes 2] [--kills 20]

Each tier's key asks as fast as it may for some minutes, and more often than it may; what was allowed is
compared with the definition, given the times of the calls (known only to lie between a request and its
answer: the definition has a least and a most where the service is slow). Then the same through a Redis of its
own, which is killed and started again all the while. Exit status 1 when a figure is missed.
"""

from __future__ import annotations

import argparse
import http.client
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_left, insort
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from hefesto_api.domain import limits as policies

from benchmarks.service import SERVE, Service, free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.domain.limits import Policy

WORKERS: Final = 4
PATH: Final = "/api/v1/config"
TIERS: Final = {
    "free": policies.tier("free", 10, 20, 100, 1000),
    "pro": policies.tier("pro", 100, 200, 1000, 10_000),
    "enterprise": policies.tier("enterprise", 1000, 2000, 10_000, 100_000),
}
# Connections and calls a second of each tier: far more than is allowed.
PRESSURE: Final = {"free": (4, 20), "pro": (4, 60), "enterprise": (8, 400)}
FORGED: Final = 60
SECRET_KEY: Final = "a key for benchmarks that is long enough to be one"  # noqa: S105 - of a service that lives for minutes


class Call(NamedTuple):
    """When a request was sent and its answer there, in seconds, and the answer's status (0: none)."""

    sent: float
    answered: float
    status: int


def main() -> int:
    """Run everything and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="70 seconds, five kills")
    parser.add_argument("--minutes", type=float, default=2.1)
    parser.add_argument("--kills", type=int, default=20)
    asked = parser.parse_args()
    seconds = 70.0 if asked.quick else asked.minutes * 60
    kills = min(asked.kills, 5) if asked.quick else asked.kills
    met = [without_redis(seconds), with_redis(seconds, kills)]
    print("all figures met" if all(met) else "A FIGURE IS MISSED")
    return 0 if all(met) else 1


def without_redis(seconds: float) -> bool:
    """Let the tiers ask of four workers that share a host; then callers who forge their address."""
    with ExitStack() as stack:
        service = served(stack)
        keys = made_keys(service)
        print(f"{WORKERS} workers, {seconds:.0f} s, counted on the host:")
        found = pressed(service, keys, seconds)
        exact = [judged(tier, calls, slack=1) for tier, calls in found.items()]
        return all([*exact, forged(service)])


def with_redis(seconds: float, kills: int) -> bool:
    """Let the tiers ask while the Redis that counts is killed again and again."""
    program = shutil.which("redis-server")
    if program is None:
        print("there is no redis-server: nothing was measured of it")
        return False
    with ExitStack() as stack:
        redis = Redis(program, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        redis.start()
        stack.callback(redis.kill)
        service = served(stack, HEFESTO_REDIS_URL=f"redis://127.0.0.1:{redis.port}/0")
        keys = made_keys(service)
        print(f"{WORKERS} workers, {seconds:.0f} s, counted in a Redis that is killed {kills} times:")
        killer = threading.Thread(target=redis.torment, args=(kills, seconds))
        killer.start()
        found = pressed(service, keys, seconds)
        killer.join()
        print(f"  killed {redis.kills} times; {redis.counted()} callers counted in it at the end")
        met = [judged_loosely(tier, calls) for tier, calls in found.items()]
        return all(met) and redis.kills == kills


def served(stack: ExitStack, **environ: str) -> Service:
    """Start a service that asks for credentials, on a folder of its own."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hefesto-limits-")))
    argv = [*SERVE, "--workers", str(WORKERS), "--threads", "8", "--no-worker"]
    given = {
        "HEFESTO_AUTH": "required",
        "HEFESTO_SECRET_KEY": SECRET_KEY,
        "HEFESTO_RATE_LIMIT_FOLDER": str(folder),
        **environ,
    }
    service = Service(folder, folder, argv, given)
    service.start()
    stack.callback(service.kill)
    return service


def made_keys(service: Service) -> dict[str, str]:
    """Make a key of each tier by the command, as an operator would."""
    return {tier: made_key(service, tier) for tier in TIERS}


def made_key(service: Service, tier: str) -> str:
    """Make a key of a tier, and return it."""
    argv = [sys.executable, "-m", "hefesto_api", "keys", "create", "--name", tier, "--tier", tier]
    argv += ["--scope", "read:config"]
    done = subprocess.run(argv, env=service.environ, cwd=service.folder, check=True, stdout=subprocess.PIPE)
    return done.stdout.decode().split()[-1]


def pressed(service: Service, keys: dict[str, str], seconds: float) -> dict[str, list[Call]]:
    """Ask with every key at once, from several connections each; return all calls by tier."""
    until = time.monotonic() + seconds
    found: dict[str, list[Call]] = {tier: [] for tier in keys}
    threads = [
        threading.Thread(
            target=press, args=(service.port, key, PRESSURE[tier][0] / PRESSURE[tier][1], until, found[tier])
        )
        for tier, key in keys.items()
        for _ in range(PRESSURE[tier][0])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def press(port: int, key: str, pause: float, until: float, calls: list[Call]) -> None:
    """Ask over one connection at a steady pace, whatever the answers are."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    due = time.monotonic()
    while due < until:
        time.sleep(max(due - time.monotonic(), 0))
        calls.append(called(connection, {"Authorization": f"Bearer {key}"}))
        due = max(due + pause, time.monotonic() - pause)  # what could not be asked is not made up for
    connection.close()


def called(connection: http.client.HTTPConnection, headers: dict[str, str]) -> Call:
    """Make one call; a connection that the server closed meanwhile is opened again, once."""
    for _ in range(2):
        sent = time.monotonic()
        try:
            connection.request("GET", PATH, headers=headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
        else:
            return Call(sent, time.monotonic(), answer.status)
    return Call(sent, time.monotonic(), 0)


def judged(tier: str, calls: Sequence[Call], *, slack: int) -> bool:
    """Compare what was allowed with the definition: per window at most so many fewer, and never more."""
    allowed = [call for call in calls if call.status == 200]
    failed = [call for call in calls if call.status not in {200, 429}]
    policy = TIERS[tier]
    least, most = defined(policy, calls)
    worst = {window.seconds: most_surely_within(allowed, window.seconds) for window in policy.windows}
    windows = max(1, round((calls[-1].sent - calls[0].sent) / policies.MINUTE))
    never_over = all(worst[window.seconds] <= window.limit for window in policy.windows)
    exact = least - slack * windows <= len(allowed) <= most + slack * windows
    print(
        f"  {tier:<11}{len(calls):>7} calls, {len(allowed):>5} allowed, {least}-{most} by the definition; "
        f"most in a minute {worst[policies.MINUTE]} of {policy.windows[0].limit}; {len(failed)} failed"
        f"{'' if never_over and exact and not failed else '   MISSED'}"
    )
    return never_over and exact and not failed


def judged_loosely(tier: str, calls: Sequence[Call]) -> bool:
    """Look for answers of 500, and for windows in which more than twice the limit was allowed."""
    allowed = [call for call in calls if call.status == 200]
    failed = [call for call in calls if call.status not in {200, 429}]
    limit = TIERS[tier].windows[0].limit
    worst = most_surely_within(allowed, policies.MINUTE)
    slowest = max((call.answered - call.sent for call in calls), default=0) * 1000
    met = worst <= 2 * limit and not failed
    print(
        f"  {tier:<11}{len(calls):>7} calls, {len(allowed):>5} allowed; most in a minute {worst} of {limit} "
        f"({worst / limit:.2f} times); {len(failed)} failed; slowest {slowest:.0f} ms"
        f"{'' if met else '   MISSED'}"
    )
    return met


def defined(policy: Policy, calls: Sequence[Call]) -> tuple[int, int]:
    """Return the fewest and the most that the definition allows, as the calls came early, amid or late."""
    counts = [
        definition(policy, sorted(call.sent + share * (call.answered - call.sent) for call in calls))
        for share in (0.0, 0.5, 1.0)
    ]
    return min(counts), max(counts)


def definition(policy: Policy, moments: Sequence[float]) -> int:
    """Count what a limiter that remembers every call would have allowed of calls at these times."""
    kept: list[float] = []
    for moment in moments:
        if all(
            len(kept) < window.limit or kept[-window.limit] < moment - window.seconds
            for window in policy.windows
        ):
            kept.append(moment)
    return len(kept)


def most_surely_within(allowed: Sequence[Call], seconds: float) -> int:
    """Return the most calls that one window surely holds: sent after it began, answered before its end."""
    most = 0
    begun: list[float] = []
    for call in sorted(allowed, key=lambda one: one.answered):
        insort(begun, call.sent)
        most = max(most, len(begun) - bisect_left(begun, call.answered - seconds))
    return most


def forged(service: Service) -> bool:
    """Ask without credentials, each time from another address as the headers have it."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    statuses = []
    for number in range(FORGED):
        address = f"198.51.100.{number}"
        headers = {"X-Forwarded-For": address, "Forwarded": f"for={address}", "X-Real-IP": address}
        statuses.append(called(connection, headers).status)
    connection.close()
    limit = TIERS["free"].windows[0].limit
    passed = FORGED - statuses.count(429)
    met = passed == limit and 0 not in statuses
    print(f"  {FORGED} forged addresses: {passed} passed of {limit}{'' if met else '   MISSED'}")
    return met


class Redis:
    """A server of our own on a port of its own, which keeps nothing when it dies."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_port()
        self.kills = 0
        self._argv = [
            program,
            "--port",
            str(self.port),
            "--save",
            "",
            "--appendonly",
            "no",
            "--bind",
            "127.0.0.1",
        ]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        self._process = subprocess.Popen(self._argv, cwd=self._folder, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        """Kill it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def torment(self, kills: int, seconds: float) -> None:
        """Kill it so many times within the time, each time for a moment; leave it time to be found again."""
        chance = random.Random(20)  # noqa: S311 - no secret
        each = (seconds - 5) / kills
        for _ in range(kills):
            alive = each * chance.uniform(0.3, 0.7)
            time.sleep(alive)
            self.kill()
            self.kills += 1
            time.sleep(each - alive)
            self.start()

    def counted(self) -> int:
        """Return how many callers it knows."""
        done = subprocess.run(
            [str(shutil.which("redis-cli")), "-p", str(self.port), "dbsize"],
            check=True,
            stdout=subprocess.PIPE,
        )
        return int(done.stdout.split()[-1])


if __name__ == "__main__":
    sys.exit(main())
