"""Where users' requests may go: an address is read once, resolved once, and every answer is checked."""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address
    Network = ipaddress.IPv4Network | ipaddress.IPv6Network
    Resolver = Callable[..., Sequence[tuple[Any, Any, Any, Any, Any]]]

LONGEST = 2000
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})", re.ASCII)
_TARGET = re.compile(r"[!-~]*", re.ASCII)
# What leads back to addresses of version 4, whatever is_global says of it; and what is global, but within
# a cloud is the machine's own keeper.
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "168.63.129.16/32",
        "::/96",
        "::ffff:0:0/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)


class Refused(Exception):
    """A request was not made: its address is none, or leads where users may not send."""


class Target(Struct, frozen=True):
    """An address taken apart once, so that what is checked is what is called."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def read_url(url: str, allowed: Sequence[str] = ()) -> Target:
    """Take an address apart; raises Refused for what is none, and for a number that is not public.

    A name is not resolved: what it stands for may be another tomorrow, so it is checked at each call.
    """
    if len(url) > LONGEST or not url.isprintable() or "\\" in url or any(sign.isspace() for sign in url):
        raise Refused("This is not an address of the web.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("This is not an address of the web.") from None
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise Refused("An address begins with http:// or https:// and a host.")
    if "@" in parts.netloc or parts.fragment:
        raise Refused("An address holds neither a user nor a fragment.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _TARGET.fullmatch(path):
        raise Refused("The path holds signs that must be percent-encoded.")
    target = Target(parts.scheme, _host(parts.hostname), port or _PORTS[parts.scheme], path)
    number = _number(target.host)
    if number is not None:
        check(number, allowed)
    return target


def resolve(
    target: Target, seconds: float, allowed: Sequence[str] = (), resolver: Resolver | None = None
) -> list[str]:
    """Return all that a host stands for, each checked; raises Refused, OSError."""
    found: list[Any] = []

    def ask() -> None:
        try:
            asked = (resolver or socket.getaddrinfo)(target.host, target.port, type=socket.SOCK_STREAM)
            found.append(asked)
        except (OSError, UnicodeError) as error:
            found.append(error)

    if _is_plain_number(target.host):
        ask()
    else:  # the resolver's patience is not ours
        asking = threading.Thread(target=ask, name="resolver", daemon=True)
        asking.start()
        asking.join(max(seconds, 0.0))
    if not found:
        raise TimeoutError("the name was not resolved in time")
    if isinstance(found[0], Exception):
        raise OSError("the name is not known") from found[0]
    numbers = list(dict.fromkeys(str(row[4][0]) for row in found[0]))
    for number in numbers:
        check(number, allowed)
    if not numbers:
        raise OSError("the name is not known")
    return numbers


def check(number: str, allowed: Sequence[str] = ()) -> None:
    """Raise Refused unless an address is public, or within a network that the operator allows."""
    try:
        address = ipaddress.ip_address(number)
    except ValueError:
        raise Refused("This is no address of a host.") from None
    if any(address in ipaddress.ip_network(network) for network in allowed):
        return
    if not _is_public(address):
        raise Refused("The address leads into a private network (see HEFESTO_WEBHOOK_ALLOW_PRIVATE).")


def _is_public(address: Address) -> bool:
    barred = (
        address.is_multicast
        or address.is_reserved
        or address.is_loopback
        or address.is_link_local
        or address.is_private
        or address.is_unspecified
    )
    return address.is_global and not barred and not any(address in network for network in _NEVER)


def _host(name: str) -> str:
    """Return a host in ASCII; raises Refused."""
    if ":" in name:
        try:
            address = ipaddress.IPv6Address(name)
        except ValueError:
            raise Refused("This is no address of a host.") from None
        if address.scope_id:
            raise Refused("This is no address of a host.")
        return str(address)
    try:
        plain = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        raise Refused("This is no name of a host.") from None
    if not _HOST.fullmatch(plain):
        raise Refused("This is no name of a host.")
    return plain


def _number(host: str) -> str | None:
    """Return the address that a host is in figures, in any of the old ways (127.1, 0x7f000001)."""
    if ":" in host:
        return host
    try:
        return socket.inet_ntoa(socket.inet_aton(host.rstrip(".")))
    except OSError:
        return None


def _is_plain_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
