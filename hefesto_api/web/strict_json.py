"""Reading JSON strictly: what two readers could take for two things is refused."""

from __future__ import annotations

import json
from typing import Any

import orjson

from hefesto_api.domain.errors import MalformedRequest

DEPTH = 64
_LEAST, _MOST = -(2**63), 2**63 - 1


def loads(body: bytes) -> Any:
    """Read a JSON text (RFC 8259): UTF-8 without lone surrogates, NaN, infinities, NUL or duplicate keys.

    It is at most 64 deep and its integers fit 64 bits. Raises MalformedRequest. orjson refuses most of
    it quickly; the standard library's decoder then sees the pairs and digits that orjson merges.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(f"The body is not JSON: {error}.") from None
    if body.count(b"[") + body.count(b"{") > DEPTH and _deeper(value, DEPTH):
        raise MalformedRequest(f"The body is nested more than {DEPTH} deep.")
    value = _DECODER.decode(body.decode())
    if b"\\u0000" in body and _holds_nul(value):
        raise MalformedRequest("The body holds a NUL character.")
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedRequest(f"The body holds the key {twice[:100]!r} twice in one object.")
    return found


def _integer(digits: str) -> int:
    if len(digits) > 20 or not _LEAST <= (value := int(digits)) <= _MOST:
        raise MalformedRequest("The body holds an integer that does not fit 64 bits.")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=_integer)


def _deeper(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict) and any("\0" in key for key in value):
        return True
    return any(map(_holds_nul, _children(value)))
