"""Compressed streams, opened by what they begin with, and metered: no more comes out than was allowed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import time
from typing import IO, TYPE_CHECKING, cast

from hefesto_api.analyzers.workspace.values import MEBIBYTE
from hefesto_api.domain.errors import PayloadTooLarge

if TYPE_CHECKING:
    from hefesto_api.analyzers.workspace.values import Limits

RATIO = 100  # source code shrinks to a tenth; ten times that is no source code
_RATIO_FROM = 32 * MEBIBYTE
_XZ_MEMORY = 128 * MEBIBYTE  # what xz -9 needs is 65 MiB; a header may claim 4 GiB
_CHUNK = 64 * 1024


class Meter:
    """Counts what comes out of a compressed upload of `size` bytes, and ends it at a limit."""

    def __init__(self, limits: Limits, size: int) -> None:
        self._most = min(limits.total_bytes, max(RATIO * size, _RATIO_FROM))
        self._deadline = time.monotonic() + limits.seconds
        self._taken = 0

    def take(self, count: int) -> None:
        """Count bytes; raises PayloadTooLarge over the limit of bytes, of the ratio or of time."""
        self._taken += count
        if self._taken > self._most:
            raise PayloadTooLarge("The archive unpacks to too much.", limit_bytes=self._most)
        if time.monotonic() > self._deadline:
            raise PayloadTooLarge("The archive takes too long to unpack.")


class Metered(io.RawIOBase):
    """A stream that counts what is read from it."""

    def __init__(self, source: IO[bytes], meter: Meter) -> None:
        super().__init__()
        self._source = source
        self._meter = meter

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Read on, at most a chunk at a time."""
        content = self._source.read(min(size, _CHUNK) if size >= 0 else _CHUNK)
        self._meter.take(len(content))
        return content


def plain(stream: IO[bytes], start: bytes) -> IO[bytes] | None:
    """Return the tar stream inside an upload that begins with `start`; None when it is none."""
    if start.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
    if start.startswith(b"BZh"):
        return bz2.BZ2File(stream)
    if start.startswith(b"\xfd7zXZ\0"):
        return cast("IO[bytes]", _Xz(stream))
    is_tar = start[257:262] == b"ustar" or (len(start) == 512 and not any(start))
    return stream if is_tar else None


class _Xz(io.RawIOBase):
    """An xz stream whose decoder may not take more memory than it should need."""

    def __init__(self, source: IO[bytes]) -> None:
        super().__init__()
        self._source = source
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        while not self._decoder.eof:
            fed = self._source.read(_CHUNK) if self._decoder.needs_input else b""
            if self._decoder.needs_input and not fed:
                raise EOFError("the stream ends too early")
            content = self._decoder.decompress(fed, size)
            if content:
                return content
        return b""
