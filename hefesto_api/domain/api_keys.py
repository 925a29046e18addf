"""The text of an API key: recognised by its beginning, checked for slips, never kept."""

from __future__ import annotations

import re
import secrets
import string
import zlib
from hashlib import sha256

PREFIX = "hef_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET = 43  # characters of base 62: as much as 32 bytes
_CHECK = 6
_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_SECRET + _CHECK}}}", re.ASCII)
_HINT = 4


def new_key() -> str:
    """Return a new key: 256 random bits, and the CRC-32 of what stands before it in base 62."""
    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET))
    return body + _check(body)


def is_key(text: str) -> bool:
    """Tell whether a text can be a key at all; a mistyped or shortened one cannot."""
    return bool(_SHAPE.fullmatch(text)) and text.endswith(_check(text[:-_CHECK]))


def digest(key: str) -> str:
    """Return what is kept of a key. Its 256 random bits need no slow hash, which every request would pay."""
    return sha256(key.encode()).hexdigest()


def hint(key: str) -> str:
    """Return the beginning of a key, by which its owner knows it again."""
    return key[: len(PREFIX) + _HINT]


def _check(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
