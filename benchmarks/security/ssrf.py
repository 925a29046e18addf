"""Every class of trick with addresses, and a thousand DNS rebinds: no connection to the canary.

    python -m benchmarks.security.ssrf [--quick]

Canaries listen on loopback, on both families. Fails when one of them hears anything, and when a request to an
address that is allowed does not arrive (a gate that refuses everything proves nothing).
"""

from __future__ import annotations

import argparse
import ipaddress
import itertools
import random
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

from hefesto_api.adapters.delivery import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 2.0
PUBLIC = "127.0.0.2"  # stands for the public address that a name gave when it was asked first


class Canary:
    """A listener that answers 200 and counts who came."""

    def __init__(self, host: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.server = socket.create_server((host, 0), family=family, backlog=256)
        self.port: int = self.server.getsockname()[1]
        self.calls = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            client, _ = self.server.accept()
            self.calls += 1
            with client:
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def spellings(number: str) -> Iterator[tuple[str, str]]:
    """Yield (class, host) for the ways to write an address of version 4."""
    a, b, c, d = (int(part) for part in number.split("."))
    whole = int(ipaddress.IPv4Address(number))
    yield "dotted", number
    yield "trailing dot", f"{number}."
    yield "decimal", str(whole)
    yield "octal", f"0{whole:o}"
    yield "hexadecimal", hex(whole)
    yield "octal parts", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}"
    yield "padded octal parts", f"{a:04o}.{b:04o}.{c:04o}.{d:04o}"
    yield "hexadecimal parts", f"{a:#x}.{b:#x}.{c:#x}.{d:#x}"
    yield "three parts", f"{a}.{b}.{(c << 8) + d}"
    yield "two parts", f"{a}.{(b << 16) + (c << 8) + d}"
    yield "overflow", str(whole + 2**32)
    yield "mapped", f"[::ffff:{number}]"
    yield "mapped in hexadecimal", f"[::ffff:{(a << 8) + b:x}:{(c << 8) + d:x}]"
    yield "compatible", f"[::{number}]"
    yield "translated", f"[::ffff:0:{number}]"
    yield "NAT64", f"[64:ff9b::{number}]"
    yield "local NAT64", f"[64:ff9b:1::{number}]"
    yield "6to4", f"[2002:{(a << 8) + b:x}:{(c << 8) + d:x}::]"
    yield "Teredo", f"[2001:0:{(a << 8) + b:x}:{(c << 8) + d:x}::]"
    yield "user before", f"example.com@{number}"
    yield "user with password", f"a:b@{number}"
    yield "fragment", f"{number}#@example.com"
    yield "query", f"{number}?@example.com"
    yield "backslash", f"{number}\\@example.com"
    yield "percent", "".join(f"%{ord(sign):02x}" for sign in number)
    yield "full width", "".join(chr(ord(sign) + 0xFEE0) for sign in number)
    yield "ideographic stop", number.replace(".", "\u3002")
    yield "circled", number.translate({48: "\u24ea", **{48 + n: chr(0x245F + n) for n in range(1, 10)}})
    yield "tab within", f"{number[:2]}\t{number[2:]}"
    yield "line feed", f"{number}\n"
    yield "NUL", f"{number}\0"
    yield "zone", f"[::ffff:{number}%251]"


OTHERS = (
    ("name", "localhost"), ("name", "localhost."), ("name", "LOCALHOST"), ("zero", "0"),
    ("zero", "0.0.0.0"), ("version 6", "[::1]"),  # noqa: S104
    ("version 6", "[::]"), ("version 6", "[0:0:0:0:0:0:0:1]"), ("version 6", "[::1%25lo]"),
)  # fmt: skip
INSIDE = (
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200",
    "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255",
)  # fmt: skip


def tricks() -> list[tuple[str, str]]:
    """Return all (class, host)."""
    inside = [("inside", spelled) for number in INSIDE for _, spelled in spellings(number)]
    near = [*spellings("127.0.0.1"), *spellings("127.1.2.3")]
    return [*near, *OTHERS, *inside]


def rebinding(chance: random.Random) -> Callable[..., Any]:
    """Resolve to a public address at first, and to the canary in all kinds of turns afterwards."""
    turn = itertools.count()
    evil = chance.choice(["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "169.254.169.254"])  # noqa: S104
    mixed = chance.random() < 0.3

    def resolver(_host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        first = next(turn) == 0
        numbers = [PUBLIC, evil] if mixed else [PUBLIC] if first else [evil]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in numbers
        ]

    return resolver


def main() -> int:
    """Print the figures; 1 when a canary heard anything."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true")
    many = 100 if options.parse_args().quick else 1000
    canaries = [Canary("127.0.0.1"), Canary("::1")]
    refused, answered, classes = 0, [], set()
    sender = Sender(seconds=SECONDS)
    for kind, host in tricks():
        for scheme, canary in itertools.product(("http", "https"), canaries):
            outcome = sender.send("POST", f"{scheme}://{host}:{canary.port}/", b"{}")
            classes.add(kind)
            refused += outcome.status is None
            answered += [host] if outcome.status is not None else []
    rebinds, chance = 0, random.Random(6)  # noqa: S311 - no secret
    for _ in range(many):
        moved = Sender([f"{PUBLIC}/32"], seconds=SECONDS, resolver=rebinding(chance))
        for _attempt in range(3):
            moved.send("POST", f"http://rebind.example:{canaries[0].port}/", b"{}")
        rebinds += 1
    heard = sum(canary.calls for canary in canaries)
    allowed = Sender(["127.0.0.1/32"], seconds=SECONDS)
    arrives = allowed.send("POST", f"http://127.0.0.1:{canaries[0].port}/", b"{}").is_success
    sys.stdout.write(
        f"{len(classes)} classes of tricks, {refused} requests refused, "
        f"{len(answered)} answered {answered[:3]}\n"
        f"{rebinds} names that change: {heard} connections to the canaries\n"
        f"what is allowed {'arrives' if arrives else 'DOES NOT ARRIVE'}\n"
    )
    return 0 if not heard and not answered and arrives else 1


if __name__ == "__main__":
    sys.exit(main())
