"""Opaque credentials: random texts that tell by their beginning what they are; only their hashes are kept."""

from __future__ import annotations

import hmac
import secrets
from base64 import b32encode, urlsafe_b64encode
from hashlib import sha256

REFRESH = "hefr_"
TICKET = "heft_"
_BYTES = 32
LONGEST = 128  # characters of any of them


def new(kind: str) -> str:
    """Return a new credential of a kind."""
    return kind + secrets.token_urlsafe(_BYTES)


def hashed(credential: str) -> str:
    """Return what is kept of a credential: it is long and random, so a plain hash says nothing of it."""
    return sha256(credential.encode("utf-8", "surrogatepass")).hexdigest()


def following(credential: str, key: bytes) -> str:
    """Return the one credential that replaces another: who has the old one and our key can tell it again."""
    raw = hmac.digest(key, credential.encode("utf-8", "surrogatepass"), "sha256")
    return credential[: credential.index("_") + 1] + urlsafe_b64encode(raw).rstrip(b"=").decode()


def new_backup_code() -> str:
    """Return a code of 50 random bits that people can type, such as `k5qz2-m4xwa`."""
    text = b32encode(secrets.token_bytes(7)).decode().lower()[:10]
    return f"{text[:5]}-{text[5:]}"


def normal_backup_code(typed: str) -> str:
    """Return a typed code without what does not count: case, spaces and dashes."""
    return "".join(typed.split()).replace("-", "").lower()
