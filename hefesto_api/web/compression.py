"""Answers above a kilobyte leave compressed, when the client takes it: as zstd, br or gzip.

An answer that is kept is compressed once. Only its end differs each time (the envelope's timestamp), and each
of the three codings can be ended with a few bytes that are not compressed: a stored block of DEFLATE
(RFC 1951, 3.2.4), an uncompressed meta-block of Brotli (RFC 7932, 9.2), a raw block of Zstandard (RFC 8878,
3.1.1.2).
"""

from __future__ import annotations

import gzip
import struct
import zlib
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask, request
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Response

LEAST = 1024
IDENTITY, GZIP, BROTLI, ZSTD = "identity", "gzip", "br", "zstd"
_LEVEL = 3  # of gzip: JSON shrinks nearly as far as at 6, in half the time
_BROTLI_QUALITY = 4
_ZSTD_LEVEL = 3
_TEXTS = ("text/", "application/json", "application/problem+json", "application/sarif+json")
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class Begun(NamedTuple):
    """The beginning of a body in some coding, up to what differs each time; `check` is what its end needs."""

    coding: str
    head: bytes
    check: tuple[int, int] = (0, 0)  # of gzip: the checksum of what was compressed, and how long it was

    def ended(self, tail: bytes) -> bytes:
        """Return the body, ended with less than 64 KiB that are not compressed."""
        return _ENDS[self.coding](self, tail)


def install(app: Flask) -> None:
    """Compress what is large enough."""
    app.after_request(compress)


def compress(response: Response) -> Response:
    """Encode a finished body of text; streams and files go as they are."""
    if response.direct_passthrough or not response.is_sequence or "Content-Encoding" in response.headers:
        return response
    body: bytes = response.get_data()
    if len(body) <= LEAST or not (response.mimetype or "").startswith(_TEXTS):
        return response
    coding = chosen(request.environ.get("HTTP_ACCEPT_ENCODING", ""))
    if coding != IDENTITY:
        response.set_data(compressed(coding, body))
        response.headers["Content-Encoding"] = coding
    return response


@lru_cache(maxsize=512)
def chosen(accepted: str) -> str:
    """Return the coding of an answer for an Accept-Encoding: what the client prefers, then what we do."""
    if not accepted:
        return IDENTITY
    wanted = parse_accept_header(accepted, Accept)
    best = max(codings(), key=lambda coding: wanted.quality(coding))  # the first of equals
    return best if wanted.quality(best) > 0 else IDENTITY


@lru_cache(maxsize=1)
def codings() -> tuple[str, ...]:
    """Return the codings that there are libraries for, the best first."""
    return tuple(name for name, there in ((ZSTD, _zstd()), (BROTLI, _brotli()), (GZIP, True)) if there)


def compressed(coding: str, body: bytes) -> bytes:
    """Return a body in a coding."""
    if coding == ZSTD:
        return bytes(_zstd().compress(body, _ZSTD_LEVEL))
    if coding == BROTLI:
        return bytes(_brotli().compress(body, quality=_BROTLI_QUALITY))
    return gzip.compress(body, _LEVEL, mtime=0)


def begun(coding: str, head: bytes) -> Begun:
    """Return the beginning of a body in a coding, to be ended again and again."""
    return _BEGINNINGS[coding](head)


def _plain(head: bytes) -> Begun:
    return Begun(IDENTITY, head)


def _gzipped(head: bytes) -> Begun:
    writer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = writer.compress(head) + writer.flush(zlib.Z_SYNC_FLUSH)
    return Begun(GZIP, _GZIP_HEAD + data, (zlib.crc32(head), len(head)))


def _brotlied(head: bytes) -> Begun:
    writer = _brotli().Compressor(quality=_BROTLI_QUALITY)
    return Begun(BROTLI, writer.process(head) + writer.flush())


def _zstandarded(head: bytes) -> Begun:
    writer = _zstd().ZstdCompressor(_ZSTD_LEVEL)
    return Begun(ZSTD, writer.compress(head) + writer.flush(writer.FLUSH_BLOCK))


def _end_plain(one: Begun, tail: bytes) -> bytes:
    return one.head + tail


def _end_gzip(one: Begun, tail: bytes) -> bytes:
    check, length = one.check
    size = len(tail)
    block = struct.pack("<BHH", 1, size, size ^ 0xFFFF)
    return one.head + block + tail + struct.pack("<LL", zlib.crc32(tail, check), (length + size) & 0xFFFFFFFF)


def _end_brotli(one: Begun, tail: bytes) -> bytes:
    block = ((len(tail) - 1) << 3 | 1 << 19).to_bytes(3, "little")
    return one.head + block + tail + b"\x03"


def _end_zstd(one: Begun, tail: bytes) -> bytes:
    return one.head + (len(tail) << 3 | 1).to_bytes(3, "little") + tail


_BEGINNINGS: dict[str, Callable[[bytes], Begun]] = {
    IDENTITY: _plain,
    GZIP: _gzipped,
    BROTLI: _brotlied,
    ZSTD: _zstandarded,
}
_ENDS: dict[str, Callable[[Begun, bytes], bytes]] = {
    IDENTITY: _end_plain,
    GZIP: _end_gzip,
    BROTLI: _end_brotli,
    ZSTD: _end_zstd,
}


@lru_cache(maxsize=1)
def _zstd() -> Any:
    """Return the library of Zstandard, which newer Pythons bring along; None where there is none."""
    return _library("compression.zstd") or _library("backports.zstd")


@lru_cache(maxsize=1)
def _brotli() -> Any:
    return _library("brotli")


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None
