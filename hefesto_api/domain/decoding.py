"""Decoders of structs, made with the module that needs them, one at a time.

msgspec prepares a type when it is first decoded. Two threads that first decode the same struct of structs at
once end the process (a segmentation fault, msgspec 0.22: one reads what the other has half filled). So types
are prepared here, under a lock, and nothing else in the package hands msgspec a type.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_preparing = threading.Lock()


def of_json(shape: type[T]) -> msgspec.json.Decoder[T]:
    """Return a decoder of JSON; it raises msgspec.DecodeError, and its ValidationError."""
    with _preparing:
        return msgspec.json.Decoder(shape)


def of_msgpack(shape: type[T]) -> msgspec.msgpack.Decoder[T]:
    """Return a decoder of MessagePack; it raises msgspec.DecodeError, and its ValidationError."""
    with _preparing:
        return msgspec.msgpack.Decoder(shape)


def of_builtins(shape: type[T], *, strict: bool = True) -> Callable[[Any], T]:
    """Return what makes a struct of dicts, lists and plain values; it raises msgspec.ValidationError."""
    of_json(shape)

    def converted(value: Any) -> T:
        return msgspec.convert(value, shape, strict=strict)

    return converted
