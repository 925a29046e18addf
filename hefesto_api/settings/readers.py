"""How the text of a setting becomes its value; each reader says which values it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST_KEY = 32  # characters
NEW_KEY = "openssl rand -base64 32"
"""The command that prints a good key for secrets."""
_LEAST_DIFFERENT = 10  # characters: a row of the same ones is no key

_MOST_CALLS = 1_000_000  # in a window: each call of the longest is remembered


@dataclass(frozen=True)
class Reader:
    """`read` turns text into a value or raises ValueError; `values` tells a person what it takes."""

    values: str
    read: Callable[[str], Any]


def integer(least: int, most: int) -> Reader:
    """Take a whole number within bounds."""

    def read(value: str) -> int:
        return int(_within(_digits(value), least, most))

    return Reader(f"a whole number from {least} to {most}", read)


def number(least: float, most: float) -> Reader:
    """Take a number within bounds."""

    def read(value: str) -> float:
        return _within(float(value), least, most)

    return Reader(f"a number from {least:g} to {most:g}", read)


def choice(*names: str) -> Reader:
    """Take one of some names, in any case."""

    def read(value: str) -> str:
        if value.lower() not in names:
            raise ValueError
        return value.lower()

    return Reader(" or ".join(names), read)


def shown(value: Any) -> str:
    """Write a default as it would be set."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _digits(value: str) -> int:
    if not value.removeprefix("-").isascii() or not value.removeprefix("-").isdigit():
        raise ValueError
    return int(value)


def _within(value: float, least: float, most: float) -> float:
    if not math.isfinite(value) or not least <= value <= most:
        raise ValueError
    return value


def _words(value: str) -> tuple[str, ...]:
    return tuple(word for word in (part.strip() for part in value.split(",")) if word)


def _secret_keys(value: str) -> tuple[str, ...]:
    """Take keys that nobody can guess: the newest first, each once."""
    keys = tuple(dict.fromkeys(_words(value)))
    if not keys or any(len(key) < LEAST_KEY or len(set(key)) < _LEAST_DIFFERENT for key in keys):
        raise ValueError
    return keys


def _flag(value: str) -> bool:
    try:
        return {
            "true": True,
            "1": True,
            "yes": True,
            "on": True,
            "false": False,
            "0": False,
            "no": False,
            "off": False,
        }[value.lower()]
    except KeyError:
        raise ValueError from None


def _paths(value: str) -> tuple[Path, ...]:
    return tuple(Path(part).expanduser().absolute() for part in value.split(":") if part)


def _networks(value: str) -> tuple[str, ...]:
    return tuple(str(ip_network(word)) for word in _words(value))


def _proxies(value: str) -> tuple[str, ...]:
    return tuple(word if word == "unix" else str(ip_network(word)) for word in _words(value))


def _thresholds(value: str) -> tuple[int, ...]:
    numbers = tuple(_digits(word) for word in _words(value))
    if len(numbers) != 4 or list(numbers) != sorted(set(numbers)) or numbers[0] < 1:
        raise ValueError
    return numbers


def _tier(value: str) -> tuple[int, ...]:
    """Read a rate a minute, the burst in a minute, and what an hour and a day allow."""
    numbers = tuple(_digits(part) for part in value.split("/"))
    if len(numbers) != 4 or min(numbers) < 1 or max(numbers) > _MOST_CALLS or numbers[0] > numbers[1]:
        raise ValueError
    return numbers


def _tiers(value: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    pairs = [word.partition("=") for word in _words(value)]
    if not all(name.strip() for name, _, _ in pairs):
        raise ValueError
    return tuple((name.strip(), _tier(numbers.strip())) for name, _, numbers in pairs)


def _url(*schemes: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if urlsplit(value).scheme not in schemes:
            raise ValueError
        return value

    return read


def _origin_url(value: str) -> str:
    """Take the address of a service: a scheme, a host, perhaps a port and a path; no more."""
    value = _url("http", "https")(value).rstrip("/")
    parts = urlsplit(value)
    if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        raise ValueError
    _ = parts.port  # raises for what is none
    return value


def _issuer_url(value: str) -> str:
    """Take an issuer as it is, since it is compared to the letter: a final slash is part of it."""
    return value if _origin_url(value) else ""


def _role_mapping(value: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for word in _words(value):
        claim, separator, role = word.rpartition("=")
        if not separator or not claim or role not in {"viewer", "developer", "operator", "admin"}:
            raise ValueError
        pairs.append((claim, role))
    return tuple(pairs)


def _database_url(value: str) -> str:
    """Accept the names that platforms use for PostgreSQL, and answer the one with our driver."""
    scheme, separator, rest = value.partition("://")
    if not separator or scheme not in {"sqlite", "postgres", "postgresql", "postgresql+psycopg"}:
        raise ValueError
    return value if scheme == "sqlite" else f"postgresql+psycopg://{rest}"


text = Reader("any text", str)
words = Reader("words separated by commas", _words)
secret_keys = Reader(
    f"new[,old]: each at least {LEAST_KEY} characters without a comma, such as `{NEW_KEY}` prints",
    _secret_keys,
)
flag = Reader("true or false", _flag)
port = integer(0, 65535)
paths = Reader("folders separated by ':'", _paths)
networks = Reader("networks such as 10.0.0.0/8, separated by commas", _networks)
proxies = Reader("networks such as 10.0.0.0/8, or unix for local sockets, separated by commas", _proxies)
thresholds = Reader("four rising whole numbers such as 5,10,15,20", _thresholds)
tier = Reader("calls a minute/burst/an hour/a day such as 10/20/100/1000", _tier)
tiers = Reader("ids with their limits such as ID=1000/2000/10000/100000, separated by commas", _tiers)
http_url = Reader("a URL such as https://host/path", _url("http", "https"))
origin_url = Reader("a URL such as https://host or https://host/path", _origin_url)
issuer_url = Reader("a URL such as https://host/path, as the provider writes it", _issuer_url)
role_mapping = Reader("pairs such as group=viewer,other=admin", _role_mapping)
redis_url = Reader("a URL such as redis://host:6379/0", _url("redis", "rediss", "unix"))
database_url = Reader("a URL such as sqlite:///file.db or postgresql://user@host/name", _database_url)
