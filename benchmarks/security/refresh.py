"""Fifty threads show the same secret at one moment, two hundred times: it counts once.

    python -m benchmarks.security.refresh [--quick] [--threads 50] [--rounds 200] [--database URL]

The secret is a refresh token, a code of an authenticator app, a backup code. The clock is the benchmark's, so
that rounds need not be waited for; the application is the real one, called without sockets, on a database of
its own (or on the empty one of a URL). Exit status 1 when a secret counts twice, when nobody is let in, when
a family survives the reuse of its token, or when an answer is of 500.
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.adapters import logs, one_time_codes
from hefesto_api.adapters.passwords import Passwords
from hefesto_api.app import create_app
from hefesto_api.domain import clock
from hefesto_api.storage import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flask import Flask
    from hefesto_api.runtime import Runtime
    from werkzeug.test import TestResponse

PASSWORD: Final = "correct horse battery"  # noqa: S105 - of a service that lives for minutes
SECRET_KEY: Final = "a key for benchmarks that is long enough to be one"  # noqa: S105 - of the same
EMAIL: Final = "ada@example.com"
LATER: Final = timedelta(minutes=16)  # between rounds, after which failures are forgotten
PAST_GRACE: Final = timedelta(seconds=11)
REUSED_EVERY: Final = 10  # rounds
WITHIN: Final = 1.0  # seconds, in which a reuse must have ended the family in every process


class Hands:
    """The hands of the clock."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)
        clock.now = lambda: self.time

    def move(self, by: timedelta) -> None:
        """Let time pass."""
        self.time += by


class Outcome(NamedTuple):
    """What the rounds of one secret came to."""

    name: str
    rounds: int
    worst: int
    nobody: int
    failed: int
    seconds: float

    @property
    def met(self) -> bool:
        """Whether it counted once in each round."""
        return self.worst == 1 and not self.nobody and not self.failed


class World:
    """The application, some callers at addresses of their own, and a clock."""

    def __init__(self, app: Flask, threads: int) -> None:
        self.hands = Hands()
        self.threads = threads
        self._clients = [app.test_client() for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads)
        self._secret = b""

    def call(self, number: int, path: str, body: dict[str, Any], access: str = "") -> TestResponse:
        """Send a body from the address of a caller."""
        return self._clients[number].post(
            f"/api/v1/auth{path}",
            json=body,
            headers={"Authorization": f"Bearer {access}"} if access else {},
            environ_overrides={"REMOTE_ADDR": f"198.51.100.{number}"},
        )

    def told(self, path: str, body: dict[str, Any], access: str = "") -> dict[str, Any]:
        """Return the data of an answer that must be a success."""
        answer = self.call(0, path, body, access)
        assert answer.status_code < 300, answer.get_data(as_text=True)
        data: dict[str, Any] = answer.get_json()["data"]
        return data

    def at_once(self, deed: Callable[[int], TestResponse]) -> list[TestResponse]:
        """Have every caller do the same at one moment."""
        barrier = threading.Barrier(self.threads)

        def do(number: int) -> TestResponse:
            barrier.wait()
            return deed(number)

        return list(self._pool.map(do, range(self.threads)))

    def login(self, number: int, **more: str) -> TestResponse:
        """Log in from the address of a caller."""
        return self.call(number, "/login", {"email": EMAIL, "password": PASSWORD, **more})

    def move(self, by: timedelta = LATER) -> None:
        """Let time pass."""
        self.hands.move(by)

    def set_up_codes(self) -> list[str]:
        """Put a second factor in force; return its backup codes."""
        access = self.told("/login", {"email": EMAIL, "password": PASSWORD})["access_token"]
        self._secret = base64.b32decode(self.told("/mfa/setup", {}, access)["secret"])
        codes: list[str] = self.told("/mfa/verify", {"totp": self.code()}, access)["backup_codes"]
        return codes

    def new_codes(self) -> list[str]:
        """Return new backup codes."""
        self.move()
        wanted = {"email": EMAIL, "password": PASSWORD, "totp": self.code()}
        access = self.told("/login", wanted)["access_token"]
        self.move()
        body = {"totp": self.code(), "password": PASSWORD}
        codes: list[str] = self.told("/mfa/backup-codes", body, access)["backup_codes"]
        return codes

    def code(self) -> str:
        """Return the code that the app shows."""
        step = int(self.hands.time.timestamp()) // one_time_codes.STEP_SECONDS
        return one_time_codes.code_at(self._secret, step)


def main() -> int:
    """Play the rounds and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 rounds")
    parser.add_argument("--threads", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument(
        "--database", metavar="URL", help="an empty one; SQLite in a folder of its own otherwise"
    )
    asked = parser.parse_args()
    rounds = min(asked.rounds, 20) if asked.quick else asked.rounds
    with ExitStack() as stack:
        held = opened(stack, asked.database)
        # All at once, as in many processes: in one they would wait for each other, and prove nothing.
        vars(held)["passwords"] = Passwords(memory_kib=1024, passes=1, turns=asked.threads)
        world = World(create_app(runtime=held), asked.threads)
        world.told("/register", {"email": EMAIL, "password": PASSWORD})
        for number in range(asked.threads):
            assert world.login(number).status_code == 200  # so that each address is known
        elsewhere = create_app(runtime=held)  # with a memory of its own, as another process has
        return judged(
            [*refreshing(world, elsewhere, rounds), codes(world, rounds), backup_codes(world, rounds)]
        )


def opened(stack: ExitStack, url: str | None) -> Runtime:
    """Open a service that everybody may call, on an empty database."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hefesto-refresh-")))
    environ = {
        "HEFESTO_DATABASE_URL": url or f"sqlite:///{folder / 'hefesto.db'}",
        "HEFESTO_AUTH": "open",
        "HEFESTO_SECRET_KEY": SECRET_KEY,
        "HEFESTO_RATE_LIMITS": "off",
        "HEFESTO_LOG_LEVEL": "error",
        "HEFESTO_PASSWORD_MEMORY_MB": "1",
    }
    held = runtimes.build(all_settings.load(environ, folder))
    stack.callback(held.close)
    logs.configure(held.settings)
    migrate.upgrade(held.db)
    return held


def refreshing(world: World, elsewhere: Flask, rounds: int) -> tuple[Outcome, Outcome]:
    """Show one refresh token from every thread; now and then show it again when the grace is over."""
    began, successors, reuses, survived = time.monotonic(), [], 0, 0
    statuses: Counter[int] = Counter()
    issued = world.told("/login", {"email": EMAIL, "password": PASSWORD})
    for number in range(1, rounds + 1):
        shown = {"refresh_token": issued["refresh_token"]}
        answers = world.at_once(lambda caller, shown=shown: world.call(caller, "/refresh", shown))  # type: ignore[misc]
        statuses.update(answer.status_code for answer in answers)
        given = [answer.get_json()["data"] for answer in answers if answer.status_code == 200]
        successors.append(len({one["refresh_token"] for one in given}))
        issued = given[0] if given else world.told("/login", {"email": EMAIL, "password": PASSWORD})
        world.move(PAST_GRACE)
        if number % REUSED_EVERY == 0:
            reuses += 1
            survived += reused(world, elsewhere, shown, issued)
            issued = world.told("/login", {"email": EMAIL, "password": PASSWORD})
    failed = sum(count for status, count in statuses.items() if status >= 500)
    seconds = time.monotonic() - began
    return (
        Outcome("refresh token", rounds, max(successors), successors.count(0), failed, seconds),
        Outcome("reuse later", reuses, 1 + survived, 0, 0, seconds),
    )


def reused(world: World, elsewhere: Flask, shown: dict[str, str], issued: dict[str, Any]) -> int:
    """Show a token again that was used; return 1 when anything of the family counts a second later."""
    headers = {"Authorization": f"Bearer {issued['access_token']}"}
    other = elsewhere.test_client()
    assert other.get("/api/v1/auth/me", headers=headers).status_code == 200
    refused = world.call(0, "/refresh", shown).status_code == 401
    until = time.monotonic() + WITHIN
    while (status := other.get("/api/v1/auth/me", headers=headers).status_code) == 200:
        if time.monotonic() > until:
            break
        time.sleep(0.05)
    latest = world.call(0, "/refresh", {"refresh_token": issued["refresh_token"]}).status_code
    return 0 if refused and status == latest == 401 else 1


def codes(world: World, rounds: int) -> Outcome:
    """Show one code of the app from every thread."""
    world.set_up_codes()
    return played("TOTP code", world, rounds, lambda _number: world.code())


def backup_codes(world: World, rounds: int) -> Outcome:
    """Show one backup code from every thread."""
    left: list[str] = []

    def following(_number: int) -> str:
        if not left:
            left.extend(world.new_codes())
            world.move()
        return left.pop()

    return played("backup code", world, rounds, following)


def played(name: str, world: World, rounds: int, secret: Callable[[int], str]) -> Outcome:
    """Have every thread log in with the same code, round by round."""
    began, let_in = time.monotonic(), []
    statuses: Counter[int] = Counter()
    for number in range(rounds):
        world.move()
        code = secret(number)
        answers = world.at_once(lambda caller, code=code: world.login(caller, totp=code))  # type: ignore[misc]
        statuses.update(answer.status_code for answer in answers)
        let_in.append(sum(answer.status_code == 200 for answer in answers))
    failed = sum(count for status, count in statuses.items() if status not in {200, 401})
    return Outcome(name, rounds, max(let_in), let_in.count(0), failed, time.monotonic() - began)


def judged(outcomes: Sequence[Outcome]) -> int:
    """Print the figures and return the exit status."""
    print(f"{'secret':<15}{'rounds':>7}{'most at once':>14}{'nobody':>8}{'failed':>8}{'seconds':>9}")
    for one in outcomes:
        print(
            f"{one.name:<15}{one.rounds:>7}{one.worst:>14}{one.nobody:>8}{one.failed:>8}{one.seconds:>9.1f}"
            f"{'' if one.met else '   MISSED'}"
        )
    met = all(one.met for one in outcomes)
    print("all figures met" if met else "A FIGURE IS MISSED")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
