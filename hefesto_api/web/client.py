"""Who is at the other end: the peer itself, or for whom trusted proxies say that they speak.

What proxies tell counts only from the networks that the settings name, and only what the nearest of them
added: a client may write whatever it likes into the same headers. The environment of a request is put right
before anything reads it, so that its address, scheme and host are the client's everywhere.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from flask import Flask, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from ipaddress import IPv4Address, IPv4Network, IPv6Network

    from hefesto_api.settings import Settings

    Address = IPv4Address | IPv6Address
    Network = IPv4Network | IPv6Network
    WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

FORWARDED = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_SERVER",
    "HTTP_X_REAL_IP",
)
UNIX = "unix"
"""What stands in the settings for proxies that come through a socket of this machine's file system."""
_PEER = "hefesto.peer"
_HOST = re.compile(r"([A-Za-z0-9_.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII)
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}", re.ASCII)
_LONGEST = 64  # of the text of one address with its port
_SHARED_BITS = 64  # of an IPv6 address: what one customer is given is his alone


def install(app: Flask, settings: Settings) -> None:
    """Put each request's address, scheme and host right, if there are proxies that may tell them."""
    if settings.trusted_proxies:
        app.wsgi_app = _corrected(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign,assignment]


def client_address() -> str:
    """Return the address that the request came from, as the text of an IP address; "" for a local socket."""
    return address_of(request.environ)


def address_of(environ: Mapping[str, Any]) -> str:
    """Return the same of a request that has not come as far as Flask."""
    address = _address(environ.get("REMOTE_ADDR") or "")
    return "" if address is None else str(address)


def client_network() -> str:
    """Return what limits count a client by: its IPv4 address, or its network of 64 bits.

    Whoever has one IPv6 address has 18 trillion millions of them.
    """
    address = _address(request.environ.get("REMOTE_ADDR") or "")
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), _SHARED_BITS), strict=False))
    return "" if address is None else str(address)


def peer_address() -> str:
    """Return the address of the other end of the connection, which may be a proxy's."""
    address = _address(request.environ.get(_PEER, request.environ.get("REMOTE_ADDR")) or "")
    return "" if address is None else str(address)


def was_forwarded() -> bool:
    """Tell whether the request says that it came through a proxy, trusted or not."""
    return any(name in request.environ for name in FORWARDED)


def is_local() -> bool:
    """Tell whether a process of this machine calls, for itself: no proxy that would do so for others."""
    address = _address(request.environ.get("REMOTE_ADDR") or "")
    return not was_forwarded() and (address is None or address.is_loopback)


def through_trusted_proxy() -> bool:
    """Tell whether a proxy that the settings trust handed the request on."""
    return _PEER in request.environ


def host_name(text: str) -> str:
    """Return the name or address of a host, lower case and without its port; "" for what is no host."""
    found = _HOST.fullmatch(text)
    return found.group(1).lower().rstrip(".") if found else ""


def _corrected(inner: WsgiApp, trusted: Sequence[str]) -> WsgiApp:
    networks = [ip_network(text) for text in trusted if text != UNIX]
    sockets = UNIX in trusted

    def trusts(address: Address | None) -> bool:
        return sockets if address is None else any(address in network for network in networks)

    def correct(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        peer = environ.get("REMOTE_ADDR") or ""
        if trusts(_address(peer)):
            environ[_PEER] = peer
            environ["REMOTE_ADDR"] = _nearest(peer, environ.get("HTTP_X_FORWARDED_FOR", ""), trusts)
            _take_over_address(environ)
        return inner(environ, start_response)

    return correct


def _nearest(peer: str, chain: str, trusts: Callable[[Address | None], bool]) -> str:
    """Return the last address of a chain that is no trusted proxy's; what cannot be read ends the chain."""
    nearest = peer
    while chain:
        chain, _, text = chain.rpartition(",")
        address = _address(text.strip())
        if address is None:
            break
        nearest = str(address)
        if not trusts(address):
            break
    return nearest


def _take_over_address(environ: dict[str, Any]) -> None:
    """Take the scheme and the host from a trusted proxy, where what it says is one."""
    scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
    if scheme in {"http", "https"}:
        environ["wsgi.url_scheme"] = scheme
    host = environ.get("HTTP_X_FORWARDED_HOST", "").rpartition(",")[2].strip()
    if host_name(host):
        environ["HTTP_HOST"] = host


@lru_cache(maxsize=1024)
def _address(text: str) -> Address | None:
    """Read an address, perhaps with a port; an IPv4 address in IPv6's clothes is that IPv4 address."""
    if len(text) > _LONGEST or not text.isascii():
        return None
    with_port = _WITH_PORT.fullmatch(text)
    if with_port:
        text = with_port.group(1) or with_port.group(2)
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))  # without its zone
    return address
