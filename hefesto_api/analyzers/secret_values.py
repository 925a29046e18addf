"""Secrets that show by their place: values given to names like `password`, and passwords in addresses.

A name alone says little: most such values are names of fields, texts for people or places to fill in. What
is left after the filters here has to look like something a person or a generator made up to be secret.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from hefesto_api.analyzers.needles import Needles
from hefesto_api.analyzers.secret_tokens import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

ASSIGNED: Final = "HEF-SEC-HARDCODED-PASSWORD"
ADDRESS: Final = "HEF-SEC-CONNECTION-STRING"
AWS: Final = "HEF-SEC-AWS-KEY"

_PASSWORDS: Final = (b"passw", b"passphrase", b"pwd")
_NAMES: Final = (b"passw", b"passphrase", b"pwd", b"secret", b"token", b"_key", b"apikey", b"api-key")
_NEEDLES: Final = Needles(_NAMES)
_KEYS: Final = (b"api", b"access", b"private", b"auth", b"encryption", b"signing", b"master", b"service")
# From the keyword on: the rest of the name, a closing quote, a type, the operator, the value.
_TAIL: Final = re.compile(
    rb"""(?:or[dt]|rase)?(?:[_-]?(?:access[_-]?key|key|value|prod|dev|live|v?[0-9]{1,2}))?s?(?![A-Za-z0-9_-])"""
    rb"""["'`]?\]?[ \t]{0,8}(?::[ \t]{0,4}[A-Za-z.\[\]]{1,24}(?=[ \t]{0,8}=))?"""
    rb"""[ \t]{0,8}(?::=|=>|=(?!=)|:)[ \t]{0,8}"""
    rb"""(?:[rbuf]?"((?:[^"\\\n]|\\.)*+)|[rbuf]?'((?:[^'\\\n]|\\.)*+)|`([^`\n]*+)"""
    rb"""|(?=[^ \t\n"'`])([^\s"'`;,#(){}\[\]<>]{8,256}+)(?=[ \t]*(?:\n|\#|$)))""",
    re.IGNORECASE,
)
_BEARER: Final = re.compile(rb"earer[ ]{1,3}([A-Za-z0-9._~+/-]{20,}+)")
_USERINFO: Final = re.compile(
    rb"""://([^\s:/@"'`<>]{0,64}):([^\s@/"'`<>]{1,128})@([A-Za-z0-9.\[{$%<_-]{1,80})"""
)

_UNLIKELY: Final = re.compile(
    rb"""^(?:[$@/.#\\&?~|<\[({%]|[a-z]{2,10}:|https?|true$|false$|null$|none$)"""
    rb"""|\$\{|\{\{|%\(|%s|\{[a-z_0-9.]{0,40}\}|://|\*\*\*|\.\.\.|<[^>]{1,60}>|\\[nrtux]|[ \t]""",
    re.IGNORECASE,
)
_CONSTANT: Final = re.compile(rb"^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$")
_PLACEHOLDER: Final = re.compile(
    rb"example|sample|dummy|fake|change.?(?:me|it|this)|placeholder|redact|hidden|masked|insecure|replace|insert"
    rb"|your|todo|fixme|xxx|foobar|lorem|default|undefined|not.?(?:a|set|so|used|real)|unused|my.?(?:secret|pass|token|key)"
    rb"|test|mock|stub|demo|0123456|abcdef",
    re.IGNORECASE,
)
# Words with separators and at most two digits at the end of each: a name of something, not a secret.
_WORDY: Final = re.compile(rb"^[A-Za-z]+[0-9]{0,2}(?:[._:/+-]+[A-Za-z0-9]?[A-Za-z]*[0-9]{0,2})*$")
_CAMEL: Final = re.compile(rb"[a-z][A-Z]|[A-Z]{2}[a-z]|[0-9][A-Za-z]|[A-Za-z][0-9]")
_AWS_VALUE: Final = re.compile(rb"^[A-Za-z0-9/+]{40}$")
_PLAIN_USER: Final = (b"user", b"username", b"usr", b"foo", b"a", b"me", b"login")
_PLAIN_WORDS: Final = frozenset(
    b"password passwd pass pw pwd secret guest user root admin postgres mysql test bar b token key "
    b"mypassword userpass foobar xxx redis rabbitmq passw0rd hunter2 pass123 password123".split()
)


def find(data: bytes, *, configuration: bool) -> Iterator[Secret]:
    """Yield what is given to secret names; unquoted values count in configuration files alone."""
    for at, name, match in _named(data):
        if match[4] is None or configuration:
            yield from _assigned(data, at, name, match)
    if b"earer " in data and b"bearer" in data.lower():
        for match in _BEARER.finditer(data):
            if _strength(match[1]) == 2 and re.search(rb"[0-9]", match[1]):
                yield Secret(*match.span(1), ASSIGNED, "bearer token")


def find_addresses(data: bytes) -> Iterator[Secret]:
    """Yield the passwords in addresses of the form scheme://user:password@host."""
    at = data.find(b"://")
    while at >= 0:
        match = _USERINFO.match(data, at)
        if match and not _is_plain_address(match):
            yield Secret(*match.span(2), ADDRESS, "password in an address")
        at = data.find(b"://", at + 3)


def find_any(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the spans of all that stands where a secret would, believable or not: for masking."""
    for _, _, match in _named(data):
        if match[4] is None or _strength(match[4]):
            yield match.span(match.lastindex or 0)
    for pattern, needle, group in ((_BEARER, b"earer ", 1), (_USERINFO, b"://", 2)):
        if needle in data:
            for match in pattern.finditer(data):
                yield match.span(group)


@lru_cache(maxsize=1)  # a file is looked at twice: for what to report, and for what to mask
def _named(data: bytes) -> tuple[tuple[int, bytes, re.Match[bytes]], ...]:
    """Return (place, keyword, match of what follows) wherever something is given to a secret name."""
    return tuple(_each_named(data, data.lower()))


def _each_named(data: bytes, lower: bytes) -> Iterator[tuple[int, bytes, re.Match[bytes]]]:
    for name in _NEEDLES.within(lower):
        at = lower.find(name)
        while at >= 0:
            if name != b"_key" or lower.endswith(_KEYS, max(at - 12, 0), at):
                match = _TAIL.match(data, at + len(name))
                if match:
                    yield at, name, match
            at = lower.find(name, at + len(name))


def _assigned(data: bytes, at: int, name: bytes, match: re.Match[bytes]) -> Iterator[Secret]:
    group = match.lastindex or 0
    value = match[group]
    if match[4] is not None and not _is_line_of_settings(data, at):
        return
    password = name in _PASSWORDS
    if len(value) < (6 if password else 12) or len(value) > 512:
        return
    strength = _strength(value)
    if not strength or (strength == 1 and not password):
        return
    if _AWS_VALUE.match(value) and b"aws" in data[max(at - 40, 0) : match.start(group)].lower():
        yield Secret(*match.span(group), AWS, "AWS secret access key")
        return
    kind = "password" if password else "secret"
    yield Secret(*match.span(group), ASSIGNED, kind, strength == 1, "" if strength == 2 else "MEDIUM")


def _is_line_of_settings(data: bytes, at: int) -> bool:
    start = data.rfind(b"\n", max(at - 80, 0), at) + 1
    return (
        re.fullmatch(rb"[ \t-]*(?:export[ \t]+|set[ \t]+|ENV[ \t]+)?[\"']?[A-Za-z0-9_.-]*", data[start:at])
        is not None
    )


def _strength(value: bytes) -> int:
    """Return 0 for what is no secret, 1 for what may be a weak password, 2 for what looks random."""
    if any(form.search(value) for form in (_UNLIKELY, _CONSTANT, _PLACEHOLDER, _WORDY)):
        return 0
    if len(set(value)) < 5:
        return 0
    mixed = len(_CAMEL.findall(value))
    if len(value) >= 16 and _entropy(value) >= 3.0 and mixed >= 4:
        return 2
    return 1 if re.search(rb"[0-9]", value) and re.search(rb"[A-Za-z]", value) else 0


def _entropy(value: bytes) -> float:
    """Return Shannon's entropy in bits for each byte."""
    total = len(value)
    return -sum(count / total * math.log2(count / total) for count in Counter(value).values())


def _is_plain_address(match: re.Match[bytes]) -> bool:
    user, password, host = match[1].lower(), match[2], match[3].lower()
    if (
        _UNLIKELY.search(password)
        or _PLACEHOLDER.search(password)
        or host.startswith((b"example", b"{", b"$", b"%"))
    ):
        return True
    lower = password.lower()
    return lower in _PLAIN_WORDS or lower == user or user in _PLAIN_USER or len(set(lower)) < 4
