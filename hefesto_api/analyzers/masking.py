"""Masking what leaves the service for others: in a text, and in all the texts of a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hefesto_api.analyzers.secrets import mask
from hefesto_api.domain.redaction import MASK, is_secret
from hefesto_api.domain.veil import veiled

MOST_DEPTH = 20


def masked(text: str) -> str:
    """Return a text without what is a secret, or stands where one would."""
    return veiled(mask(text))


def masked_within(value: Any, depth: int = MOST_DEPTH) -> Any:
    """Return a JSON value with its texts masked, and whole what is called a secret."""
    if isinstance(value, str):
        return masked(value)
    if depth == 0:
        return None
    if isinstance(value, Mapping):
        return {
            str(name): MASK
            if isinstance(item, str) and is_secret(str(name))
            else masked_within(item, depth - 1)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked_within(item, depth - 1) for item in value]
    return value
