"""Send alerts to a live service at a fixed rate and measure how soon they are acknowledged, and kill it.

    python -m benchmarks.intake [--rate 100] [--seconds 60] [--target-ms 50]
    python -m benchmarks.intake --kills 10 [--seed N]

Starts `hefesto serve` with its defaults (web processes and a worker that reads what comes in). Alerts are
sent in an open loop, from a process of its own: a latency counts from the moment the alert was due, so that
waiting in line is part of it. One alert in `--new` is of a cause not seen before, the others are of a few
known ones. Every acknowledged alert must be on record exactly once in the end, p99 must stay under the
target, and there must be no other answer than 202.

With `--kills` the whole process group is killed with SIGKILL so often, at random moments, and started again,
while the sender goes on: what is not acknowledged is sent again, as monitoring tools do.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import json
import multiprocessing
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from benchmarks import limits
from benchmarks.service import DEADLINE, Service

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

CONNECTIONS = 32
KNOWN = 40  # causes that come again and again
WARM_UP = 3.0  # seconds whose latencies do not count
PAUSE = 0.05  # before what was not acknowledged is sent again
TRACE = """Traceback (most recent call last):
  File "/srv/app/shop/api.py", line 88, in checkout
    user = load_user(request.args["uid"])
  File "/srv/app/shop/db.py", line {line}, in {function}
    return users[row["uid"]]
KeyError: 'uid{number}'
"""


class Sent(Struct):
    """One alert: its id, when it was due (seconds from the start), its latency in ms, and the answers."""

    alert_id: str
    due: float
    ms: float
    answers: list[int]


def main() -> int:
    """Run it and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rate", type=float, default=100.0, help="alerts a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--new", type=int, default=20, help="one alert in so many has a cause of its own")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--target-ms", type=float, default=50.0, help="p99 of a run without kills")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    print(f"seed {asked.seed}; contention {limits.contention():.2f} before")
    folder = Path(tempfile.mkdtemp(prefix="hefesto-intake-"))
    try:
        (folder / "tree").mkdir()
        service = Service(folder, folder / "tree")
        service.start()
        faults = _measured(service, asked)
    finally:
        service.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"contention {limits.contention():.2f} after")
    print("\n".join(faults) or "nothing lost, nothing twice, no faults")
    return 1 if faults else 0


def _measured(service: Service, asked: argparse.Namespace) -> list[str]:
    began = time.perf_counter()
    cpu = service.cpu_seconds()
    sent = _while_sending(service.port, asked, lambda over: _kill(service, asked, over))
    arrived = time.perf_counter() - began
    drained = _settle(service)
    print(
        f"{len(sent)} alerts in {arrived:.1f} s, all read {drained:.1f} s later; "
        f"the service took {(service.cpu_seconds() - cpu) / (arrived + drained):.2f} cores"
    )
    faults = _told_apart(service, sent, asked.new)
    if not asked.kills:
        faults += _slow(sent, asked.target_ms)
    return faults


def _while_sending(port: int, asked: argparse.Namespace, work: Any) -> list[Sent]:
    """Send from another process, do some work meanwhile, and return what was sent."""
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    over = context.Event()
    arguments = (port, asked.rate, asked.seconds, asked.new, bool(asked.kills), results, over)
    sender = context.Process(target=_send_all, args=arguments)
    sender.start()
    work(over)
    found: list[Sent] = results.get(timeout=asked.seconds + 5 * DEADLINE)
    sender.join()
    return found


def _kill(service: Service, asked: argparse.Namespace, over: Event) -> None:
    """Kill and start the service until it was killed often enough."""
    chance = random.Random(asked.seed)  # noqa: S311 - no secret
    for _ in range(asked.kills):
        time.sleep(chance.uniform(0.2, 2 * asked.seconds / (asked.kills + 1)))
        if over.is_set():
            print("the sender was done before the last kill")
            return
        service.kill()
        service.start()


def _send_all(
    port: int, rate: float, seconds: float, new: int, again: bool, results: Any, over: Event
) -> None:
    began = time.perf_counter() + 0.5
    numbers = itertools.count()
    sent: list[Sent] = []

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while (number := next(numbers)) < rate * seconds:
            due = began + number / rate
            time.sleep(max(due - time.perf_counter(), 0))
            sent.append(_sent(connection, number, new, due - began, due, again))

    threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    results.put(sent)


def _sent(
    connection: http.client.HTTPConnection, number: int, new: int, offset: float, due: float, again: bool
) -> Sent:
    """Send one alert, and again until it is acknowledged where the service is being killed."""
    body = json.dumps(_alert(number, new))
    answers: list[int] = []
    while True:
        try:
            connection.request("POST", "/api/v1/iris/webhook", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            answers.append(answer.status)
        except (OSError, http.client.HTTPException):
            connection.close()
            answers.append(0)
        if answers[-1] == 202 or not again:
            return Sent(f"bench-{number}", offset, (time.perf_counter() - due) * 1000, answers)
        time.sleep(PAUSE)


def _alert(number: int, new: int) -> dict[str, Any]:
    """Return an alert of a cause of its own, or of one of the known ones at some line."""
    trace = TRACE.format(line=10 + number % 7, function=_function(number, new), number=number)
    payload = {
        "error_type": "KeyError",
        "error_message": f"'uid{number}'",
        "stacktrace": trace,
        "service_name": "shop",
        "severity": "high",
        "environment": "production",
        "release": "shop@3f1c9e7a",
    }
    return {"alert_id": f"bench-{number}", "alert_type": "error", "payload": payload}


def _function(number: int, new: int) -> str:
    return f"load_once_{number}" if number % new == 0 else f"load_{number % KNOWN}"


def _settle(service: Service) -> float:
    """Wait until everything that came in was read; return the seconds."""
    began = time.monotonic()
    while time.monotonic() - began < 5 * DEADLINE:
        if not _rows(service, "SELECT 1 FROM intake WHERE finished_at IS NULL LIMIT 1"):
            return time.monotonic() - began
        time.sleep(0.2)
    raise SystemExit("what came in was not read in time")


def _told_apart(service: Service, sent: list[Sent], new: int) -> list[str]:
    """Compare what was acknowledged with what is on record; return what is wrong."""
    acknowledged = {one.alert_id for one in sent if 202 in one.answers}
    bodies = [json.loads(row[0])["alert_id"] for row in _rows(service, "SELECT body FROM intake_bodies")]
    kept = Counter(bodies)
    (counted,) = _rows(service, "SELECT sum(occurrence_count), count(*) FROM alerts")[0:1]
    failed = _rows(service, "SELECT count(*) FROM intake WHERE status <> 'completed'")[0][0]
    deliveries = _rows(service, "SELECT count(*) FROM alert_deliveries")[0][0]
    resent = sum(len(one.answers) - 1 for one in sent)
    print(
        f"{len(acknowledged)} acknowledged ({resent} sent again); {len(bodies)} kept; "
        f"{counted[0]} occurrences of {counted[1]} alerts"
    )
    causes = {_function(int(one.removeprefix("bench-")), new) for one in kept}
    checks = {
        f"lost: {sorted(acknowledged - set(kept))[:5]}": acknowledged <= set(kept),
        f"kept twice: {[one for one, times in kept.items() if times > 1][:5]}": len(bodies) == len(kept),
        f"occurrences {counted[0]}, where {len(kept)} were kept": counted[0] == len(kept),
        f"{counted[1]} alerts of {len(causes)} causes": counted[1] == len(causes),
        f"{deliveries} deliveries noted": deliveries == len(kept),
        f"{failed} messages failed": failed == 0,
    }
    return [fault for fault, holds in checks.items() if not holds]


def _slow(sent: list[Sent], target: float) -> list[str]:
    """Print the latencies and return what is wrong with them."""
    steady = sorted(one.ms for one in sent if one.due >= WARM_UP)
    figures = {
        f"p{share}": steady[min(int(len(steady) * share / 100), len(steady) - 1)] for share in (50, 95, 99)
    }
    print("  ".join(f"{name} {ms:.1f} ms" for name, ms in figures.items()), f" max {steady[-1]:.1f} ms")
    others = Counter(status for one in sent for status in one.answers if status != 202)
    faults = [f"answers other than 202: {dict(others)}"] if others else []
    return faults + ([f"p99 {figures['p99']:.1f} ms"] if figures["p99"] >= target else [])


def _rows(service: Service, question: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(service.database, timeout=30)) as db:
        return db.execute(question).fetchall()


if __name__ == "__main__":
    sys.exit(main())
