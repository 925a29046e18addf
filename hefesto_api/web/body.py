"""Reading a request's body: never more than its limit, counted after decompression, and never half of it."""

from __future__ import annotations

import io
import zlib
from contextlib import contextmanager
from hashlib import sha256
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any

from hefesto_api.domain.errors import MalformedRequest, PayloadTooLarge
from hefesto_api.web.errors import LengthRequired, UnsupportedMediaType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping

CHUNK = 64 * 1024
MEGABYTE = 1024 * 1024


def read(environ: Mapping[str, Any], limit: int) -> bytes:
    """Return the whole body; raises PayloadTooLarge, LengthRequired, UnsupportedMediaType or
    MalformedRequest.
    """
    return b"".join(chunks(environ, limit))


def chunks(environ: Mapping[str, Any], limit: int) -> Iterator[bytes]:
    """Yield the body, decompressed, in pieces; raises as `read` does, before more than `limit` bytes."""
    encoding = environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower()
    if encoding == "identity":
        return _received(environ, limit)
    if encoding not in {"gzip", "x-gzip"}:
        raise UnsupportedMediaType(
            f"Bodies may be gzip or not encoded, not {encoding[:50]!r}.", accepted="gzip"
        )
    return _unpacked(_received(environ, limit), limit)


@contextmanager
def kept(environ: MutableMapping[str, Any], limit: int) -> Iterator[IO[bytes]]:
    """Read the body into a file, unpacked, and put it in its place; the file is closed at the end."""
    with SpooledTemporaryFile(max_size=MEGABYTE) as spool:
        for piece in chunks(environ, limit):
            spool.write(piece)
        environ["CONTENT_LENGTH"] = str(spool.tell())
        spool.seek(0)
        environ["wsgi.input"] = spool
        environ.pop("HTTP_CONTENT_ENCODING", None)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        yield spool


def spooled(environ: MutableMapping[str, Any], limit: int) -> tuple[IO[bytes], str]:
    """Read the body into a file as it was sent, put it in its place, and return it with its SHA-256.

    Whoever calls this closes the file. Raises as `read` does; `limit` counts what was sent, packed or not.
    """
    spool = SpooledTemporaryFile(max_size=MEGABYTE)  # noqa: SIM115 - the caller closes it
    digest = sha256()
    try:
        for piece in _received(environ, limit):
            digest.update(piece)
            spool.write(piece)
        environ["CONTENT_LENGTH"] = str(spool.tell())
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    environ["wsgi.input"] = spool
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return spool, digest.hexdigest()


def stream(environ: Mapping[str, Any], limit: int) -> IO[bytes]:
    """Return the body, unpacked, as a stream whose reads raise as `chunks` does."""
    return io.BufferedReader(_Pieces(chunks(environ, limit)), CHUNK)


class _Pieces(io.RawIOBase):
    """A stream over pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def refuse_declared_excess(environ: Mapping[str, Any], limit: int) -> None:
    """Refuse a body that is too large by its own word, before any of it is read."""
    if _length(environ) > limit:
        raise _too_large(limit)


def _length(environ: Mapping[str, Any]) -> int:
    """Return the declared length: 0 without a body, -1 for a chunked one, whose end the server marks."""
    declared = environ.get("CONTENT_LENGTH") or ""
    if "HTTP_TRANSFER_ENCODING" in environ:
        if not environ.get("wsgi.input_terminated"):
            raise LengthRequired("Send Content-Length: this server does not read chunked bodies.")
        return -1
    if not declared:
        return 0
    if not (declared.isascii() and declared.isdigit()):
        raise MalformedRequest("Content-Length is not a number.")
    return int(declared) if len(declared) < 19 else 1 << 62


def _received(environ: Mapping[str, Any], limit: int) -> Iterator[bytes]:
    refuse_declared_excess(environ, limit)
    length = _length(environ)
    stream = environ["wsgi.input"]
    count = 0
    while length < 0 or count < length:
        piece = _piece(stream, CHUNK if length < 0 else min(CHUNK, length - count))
        if not piece:
            break
        count += len(piece)
        if count > limit:
            raise _too_large(limit)
        yield piece
    if count < length:
        raise MalformedRequest("The body ended before its Content-Length.")


def _piece(stream: IO[bytes], size: int) -> bytes:
    try:
        return stream.read(size)
    except Exception as error:  # each server raises its own kinds for broken chunks and lost clients
        raise MalformedRequest("The body could not be read: its transfer encoding is broken.") from error


def _unpacked(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    gzip = zlib.decompressobj(wbits=31)
    started = False
    count = 0
    for piece in pieces:
        started = True
        for data in _inflated(gzip, piece):
            count += len(data)
            if count > limit:
                raise _too_large(limit)
            yield data
        if gzip.unused_data:
            raise MalformedRequest("The body holds something after its gzip stream.")
    if started and not gzip.eof:
        raise MalformedRequest("The body's gzip stream is cut short.")


def _inflated(gzip: Any, piece: bytes) -> Iterator[bytes]:
    """Yield what a piece unpacks to, at most CHUNK bytes at a time, until the piece gives no more."""
    data = _inflate(gzip, piece)
    yield data
    while gzip.unconsumed_tail or len(data) == CHUNK:
        data = _inflate(gzip, gzip.unconsumed_tail)
        yield data


def _inflate(gzip: Any, piece: bytes) -> bytes:
    try:
        return bytes(gzip.decompress(piece, CHUNK))
    except zlib.error as error:
        raise MalformedRequest("The body is not a gzip stream.") from error


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {limit} bytes.", limit_bytes=limit)
