"""Keyed hashes that chain the audit log (HMAC, RFC 2104): who has not the key cannot write one that fits.

What is hashed is written as JSON, so that no two different entries are the same bytes.
"""

from __future__ import annotations

import hmac
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def entry_hash(key: bytes, values: tuple[Any, ...], previous: bytes) -> bytes:
    """Return the hash of an entry: of all it says, its place, and the hash of the entry before it.

    Raises TypeError or UnicodeError for what no entry of ours holds.
    """
    return _hash(key, "entry", (*values, previous.hex()))


def first_hash(key: bytes, strand: int) -> bytes:
    """Return what stands for the entry before the first one of a strand."""
    return _hash(key, "strand", (strand,))


def head_hash(key: bytes, strand: int, count: int, last: bytes, pruned: int, pruned_last: bytes) -> bytes:
    """Return what proves a strand's head: how many entries it has, and the hash of the last.

    The first `pruned` of them were deleted by policy, the last of these with the hash `pruned_last`.
    """
    return _hash(key, "head", (strand, count, last.hex(), pruned, pruned_last.hex()))


def seal_hash(key: bytes, values: tuple[Any, ...], previous: bytes) -> bytes:
    """Return the hash of a seal over all strands, and of the seal before it."""
    return _hash(key, "seal", (*values, previous.hex()))


def _hash(key: bytes, kind: str, values: tuple[Any, ...]) -> bytes:
    for value in values:
        if not (value is None or isinstance(value, str | int)):
            raise TypeError("a hashed value is a text, a whole number or nothing")
    return hmac.digest(key, _encode((kind, *values)), "sha256")
