"""Forged, stale, mistyped, confused and oversized tokens, thrown at a running service: none is accepted.

    python -m benchmarks.security.tokens [--quick]

Each token is shown as a bearer's and sent as a refresh token. Some classes are signed by the service's own
key, as if a fault elsewhere had made them. A token that is good must be accepted before and after, or nothing
was measured. Exit status 1 when one is accepted, when an answer is of 500, or when it was led elsewhere.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.domain import clock, signing
from hefesto_api.runtime import Runtime
from hefesto_api.storage import sessions, signing_keys, users

from benchmarks.security import forgeries
from benchmarks.security.forgeries import Good
from benchmarks.service import SERVE, Service

WORKERS: Final = 2
PASSWORD: Final = "correct horse battery"  # noqa: S105 - of a service that lives for minutes
SECRET_KEY: Final = "a key for benchmarks that is long enough to be one"  # noqa: S105 - of the same
WITHIN: Final = 1.0  # seconds, in which what was revoked must be refused by every process
QUICK: Final = 400  # of each class


class Login(NamedTuple):
    """What a login gave."""

    access: str
    refresh: str


class Target:
    """The service as it is spoken to: raw bytes in headers, one connection as long as that lasts."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def show(self, token: str | bytes, path: str = "/api/v1/auth/me") -> int:
        """Return the status of a GET with a bearer's token; 0 when the connection was ended without one."""
        raw = token.encode("utf-8", "surrogatepass") if isinstance(token, str) else token
        return self._status(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ".encode() + raw + b"\r\n\r\n"
        )

    def refresh(self, token: str | bytes) -> int:
        """Return the status of sending a token as a refresh token."""
        text = token.decode("latin-1") if isinstance(token, bytes) else token
        body = json.dumps({"refresh_token": text}).encode()
        head = (
            "POST /api/v1/auth/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return self._status(head.encode() + body)

    def _status(self, request: bytes) -> int:
        for _ in range(2):  # the service may have closed the connection meanwhile
            try:
                return self._answered(request)
            except (OSError, http.client.HTTPException):
                self._close()
        return 0

    def _answered(self, request: bytes) -> int:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        with suppress(
            BrokenPipeError, ConnectionResetError
        ):  # refused before it was sent whole: there is an answer
            self._socket.sendall(request)
        answer = http.client.HTTPResponse(self._socket)
        answer.begin()
        answer.read()
        if answer.will_close:
            self._close()
        return answer.status

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Trap:
    """An address that tokens say keys are to be fetched from; whoever comes is counted."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.visits = 0
        threading.Thread(target=self._count, daemon=True).start()

    @property
    def url(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def _count(self) -> None:
        while True:
            visitor, _ = self._socket.accept()
            self.visits += 1
            visitor.close()


def main() -> int:
    """Throw everything and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"at most {QUICK} of each class")
    asked = parser.parse_args()
    with ExitStack() as stack:
        service, held = served(stack)
        trap = Trap()
        logins = [logged_in(service, held, f"{name}@example.com") for name in ("ada", "bob")]
        good = Good(logins[0].access, logins[1].access, own_key(held), trap.url)
        target = Target(service.port)
        before = target.show(good.token)
        found = thrown(target, good, QUICK if asked.quick else None)
        found["opaque"] = others(target, logins)
        found["stale"] = stale(service, held, target)
        after = target.show(good.token)
        return judged(found, trap, (before, after))


def served(stack: ExitStack) -> tuple[Service, Runtime]:
    """Start a service that asks for credentials, and open its database beside it."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hefesto-tokens-")))
    environ = {
        "HEFESTO_AUTH": "required",
        "HEFESTO_SECRET_KEY": SECRET_KEY,
        "HEFESTO_RATE_LIMITS": "off",
        "HEFESTO_PASSWORD_MEMORY_MB": "1",
    }
    service = Service(folder, folder, [*SERVE, "--workers", str(WORKERS), "--no-worker"], environ)
    service.start()
    stack.callback(service.kill)
    held = runtimes.build(all_settings.load(service.environ, folder))
    stack.callback(held.close)
    return service, held


def logged_in(service: Service, held: Runtime, email: str) -> Login:
    """Return the login of a user, who is made if there is none."""
    hashed = held.passwords.hash(PASSWORD)
    with held.db.write() as session:
        if users.by_email(session, email) is None:
            users.create(session, email, role="admin", password_hash=hashed)
    told = service.call("POST", "/api/v1/auth/login", {"email": email, "password": PASSWORD})
    return Login(told["access_token"], told["refresh_token"])


def own_key(held: Runtime) -> Ed25519PrivateKey:
    """Return the key that the service signs with."""
    with held.db.read() as session:
        (key,) = signing_keys.every(session)
    return Ed25519PrivateKey.from_private_bytes(
        held.vault.decrypt(key.sealed, purpose=signing.PURPOSE, row=key.id)
    )


def thrown(target: Target, good: Good, most: int | None) -> dict[str, Counter[int]]:
    """Throw every forgery, as a bearer's and as a refresh token; return the answers of each class."""
    classes: dict[str, list[str | bytes]] = {}
    for name, token in forgeries.all_of(good):
        classes.setdefault(name, []).append(token)
    found: dict[str, Counter[int]] = {}
    for name, tokens in classes.items():
        chosen = random.Random(0).sample(tokens, min(most or len(tokens), len(tokens)))  # noqa: S311 - a choice
        found[name] = Counter(target.show(token) for token in chosen)
        found[name] += Counter(target.refresh(token) for token in chosen)
    return found


def others(target: Target, logins: list[Login]) -> Counter[int]:
    """Show credentials in each other's place."""
    shown = [
        logins[0].refresh,
        "heft_" + "A" * 43,
        "hef_" + "A" * 43,
        "hef_",
        "hefr_",
        PASSWORD,
        "ada@example.com",
    ]
    bearers = Counter(target.show(one) for one in shown)
    return bearers + Counter(target.refresh(one) for one in (logins[0].access, *shown[1:]))


def stale(service: Service, held: Runtime, target: Target) -> Counter[int]:
    """End what tokens hang on, in every way; a second later no process takes them."""
    ended = [logged_in(service, held, f"stale{number}@example.com") for number in range(5)]
    with held.db.write() as session:
        owners = [users.by_email(session, f"stale{number}@example.com") for number in range(5)]
        first, second, third, fourth, _ = (owner.id for owner in owners if owner is not None)
        sessions.end_all(session, first, "revoked", now=clock.now())
        users.revoke_tokens(session, second)
        users.change(session, third, is_active=False)
        users.delete(session, fourth)
    logout(service, ended[4])
    time.sleep(WITHIN)
    found: Counter[int] = Counter()
    for _ in range(4 * WORKERS):  # so that each process is asked
        other = Target(service.port)
        found += Counter(other.show(login.access) for login in ended)
    return found + Counter(target.refresh(login.refresh) for login in ended)


def logout(service: Service, login: Login) -> None:
    """Log out over HTTP."""
    service.fetch("POST", "/api/v1/auth/logout", {"refresh_token": login.refresh})


def judged(found: dict[str, Counter[int]], trap: Trap, controls: tuple[int, int]) -> int:
    """Print the figures and return the exit status."""
    print(f"{'class':<14}{'shown':>8}{'accepted':>10}{'of 500':>8}  answers")
    total: Counter[int] = Counter()
    for name, answers in found.items():
        total += answers
        print(row(name, answers))
    print(row("all", total))
    print(f"a good token is answered {controls[0]} before and {controls[1]} after")
    print(f"{trap.visits} visits to the address that tokens named for keys")
    met = not accepted(total) and not failed(total) and not trap.visits and controls == (200, 200)
    print("all figures met" if met else "A FIGURE IS MISSED")
    return 0 if met else 1


def row(name: str, answers: Counter[int]) -> str:
    """Return a line of the table."""
    told = ", ".join(f"{status or 'closed'}: {count}" for status, count in sorted(answers.items()))
    return f"{name:<14}{answers.total():>8}{accepted(answers):>10}{failed(answers):>8}  {told}"


def accepted(answers: Counter[int]) -> int:
    """Count the answers that let somebody in."""
    return sum(count for status, count in answers.items() if 200 <= status < 400)


def failed(answers: Counter[int]) -> int:
    """Count the answers that blame the service."""
    return sum(count for status, count in answers.items() if status >= 500)


if __name__ == "__main__":
    sys.exit(main())
