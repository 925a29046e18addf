"""How long a credential goes on after it was taken back: on a service of several processes, under load.

    python -m benchmarks.security.revocation [--quick] [--rounds 10]

Threads ask without pause with one key while another program takes it back: deletes, disables or rotates it,
lets it expire, disables or deletes its user, or takes the scope away. The latest request that was still let
in must have been sent less than a second after that was committed, and none may be refused before. `--plant`
takes nothing back, which must be noticed. Exit status 1 when a figure is missed.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.domain import api_keys as texts
from hefesto_api.domain import clock
from hefesto_api.storage import api_keys, users

from benchmarks.service import SERVE, Service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hefesto_api.runtime import Runtime
    from hefesto_api.storage.api_keys import KeyRecord
    from hefesto_api.storage.base import Session

WORKERS: Final = 4
CALLERS: Final = 12
PATH: Final = "/api/v1/config"
WITHIN: Final = 1.0  # seconds
BEFORE, AFTER = 0.5, 2.0  # seconds of asking around the moment
SECRET_KEY: Final = "a key for benchmarks that is long enough to be one"  # noqa: S105 - of a service that lives for minutes


class Asked(NamedTuple):
    """One request: when it was sent and answered, by the clock of durations, and what it was answered."""

    at: float
    done: float
    status: int


class Round(NamedTuple):
    """What came of one taking back: the latest that was let in, and what should not have been answered."""

    latest: float
    asked: int
    refused_before: list[int]
    failed: int
    let_in_late: int


def main() -> int:
    """Take credentials back in every way, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="how often in each way: 10")
    parser.add_argument("--quick", action="store_true", help="once in each way")
    parser.add_argument("--plant", action="store_true", help="take nothing back: it must be noticed")
    asked = parser.parse_args()
    ways = {"nothing": leave_alone} if asked.plant else WAYS
    rounds = 1 if asked.quick or asked.plant else asked.rounds
    with ExitStack() as stack:
        service, held = served(stack)
        found = {name: [measured(service, held, way) for _ in range(rounds)] for name, way in ways.items()}
    is_met = judged(found)
    return int(is_met) if asked.plant else int(not is_met)


def served(stack: ExitStack) -> tuple[Service, Runtime]:
    """Start a service that asks for credentials, and open its database beside it, as a command would."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hefesto-revocation-")))
    environ = {
        "HEFESTO_AUTH": "required",
        "HEFESTO_SECRET_KEY": SECRET_KEY,
        "HEFESTO_RATE_LIMITS": "off",
    }
    service = Service(folder, folder, [*SERVE, "--workers", str(WORKERS), "--no-worker"], environ)
    service.start()
    stack.callback(service.kill)
    held = runtimes.build(all_settings.load(service.environ, folder))
    stack.callback(held.close)
    return service, held


def leave_alone(_session: Session, _key: KeyRecord) -> None:
    """Do nothing at all."""


def delete(session: Session, key: KeyRecord) -> None:
    """Revoke the key."""
    api_keys.delete(session, key.id)


def disable(session: Session, key: KeyRecord) -> None:
    """Disable the key."""
    api_keys.change(session, key.id, is_active=False)


def rotate(session: Session, key: KeyRecord) -> None:
    """Give the key another secret."""
    other = texts.new_key()
    api_keys.rotate(session, key.id, texts.digest(other), texts.hint(other))


def expire(session: Session, key: KeyRecord) -> None:
    """Let the key expire now."""
    api_keys.change(session, key.id, expires_at=clock.now() - timedelta(milliseconds=1))


def disable_user(session: Session, key: KeyRecord) -> None:
    """Disable the user whose key it is."""
    users.change(session, str(key.user_id), is_active=False)


def delete_user(session: Session, key: KeyRecord) -> None:
    """Delete the user whose key it is."""
    users.delete(session, str(key.user_id))


def unscope(session: Session, key: KeyRecord) -> None:
    """Take the scope away that is asked for."""
    api_keys.change(session, key.id, role=None, scopes=["read:alerts"])


WAYS: Final[Mapping[str, Callable[[Session, KeyRecord], None]]] = {
    "deleted": delete,
    "disabled": disable,
    "rotated": rotate,
    "expired": expire,
    "user disabled": disable_user,
    "user deleted": delete_user,
    "scope taken": unscope,
}


def measured(service: Service, held: Runtime, way: Callable[[Session, KeyRecord], None]) -> Round:
    """Ask with a new key without pause, take it back meanwhile, and weigh what was answered."""
    secret = texts.new_key()
    with held.db.write() as session:
        user = users.create(session, f"{texts.digest(secret)[:16]}@example.com", role="developer")
        key = api_keys.create(
            session,
            "revoked soon",
            texts.digest(secret),
            texts.hint(secret),
            created_by="benchmark",
            role="developer",
            user_id=user.id,
        )
    answers: list[Asked] = []
    stop = threading.Event()
    callers = [
        threading.Thread(target=ask, args=(service.port, secret, stop, answers)) for _ in range(CALLERS)
    ]
    for caller in callers:
        caller.start()
    time.sleep(BEFORE + random.uniform(0, BEFORE))  # noqa: S311 - so that no round begins alike
    began = time.monotonic()
    with held.db.write() as session:
        way(session, key)
    committed = time.monotonic()
    time.sleep(AFTER)
    stop.set()
    for caller in callers:
        caller.join()
    let_in = [one.at - committed for one in answers if one.status == 200]
    return Round(
        latest=max(let_in, default=0.0),
        asked=len(answers),
        refused_before=[one.status for one in answers if one.status != 200 and one.done < began],
        failed=sum(one.status >= 500 or not one.status for one in answers),
        let_in_late=sum(late >= WITHIN for late in let_in),
    )


def ask(port: int, secret: str, stop: threading.Event, answers: list[Asked]) -> None:
    """Ask again and again, over a connection that is kept."""
    headers = {"Authorization": f"Bearer {secret}"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while not stop.is_set():
        at = time.monotonic()
        try:
            connection.request("GET", PATH, headers=headers)
            answer = connection.getresponse()
            answer.read()
            answers.append(Asked(at, time.monotonic(), answer.status))
        except (OSError, http.client.HTTPException):  # a kept connection may end; the next is a new one
            connection.close()
    connection.close()


def judged(found: Mapping[str, list[Round]]) -> bool:
    """Print the figures, and tell whether all are met."""
    load = os.getloadavg()[0]
    print(f"{WORKERS} processes, {CALLERS} callers, load {load:.1f}")
    print(f"{'taken back':<16}{'rounds':>8}{'requests':>10}{'let in last':>14}{'too late':>10}{'of 500':>8}")
    for name, rounds in found.items():
        latest = max(one.latest for one in rounds)
        asked, late, failed = (
            sum(getattr(one, what) for one in rounds) for what in ("asked", "let_in_late", "failed")
        )
        print(f"{name:<16}{len(rounds):>8}{asked:>10}{latest * 1000:>11.0f} ms{late:>10}{failed:>8}")
    every = [one for rounds in found.values() for one in rounds]
    print(f"refused before: {[status for one in every for status in one.refused_before] or 'none'}")
    met = not any(one.let_in_late or one.failed or one.refused_before for one in every) and all(
        one.asked for one in every
    )
    print("all figures met" if met else "A FIGURE IS MISSED")
    return met


if __name__ == "__main__":
    sys.exit(main())
