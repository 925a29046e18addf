"""A report as it is sent: plain, gzip, or GitHub's form, unwrapped from file to file and never held whole."""

from __future__ import annotations

import binascii
import mmap
import re
import zlib
from contextlib import ExitStack, contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct

from hefesto_api.domain import decoding
from hefesto_api.domain.errors import Invalid, MalformedRequest, PayloadTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

    Text = bytes | mmap.mmap

IN_MEMORY = 1024 * 1024  # bytes up to which a report needs no file
_PIECE = 256 * 1024
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_BRANCH = "refs/heads/"
_FORM_REST = 64 * 1024  # bytes of GitHub's form beside the report
# One member of an object whose value is no object and no list: its key and the value's place.
_MEMBER = re.compile(
    rb'[\s{,]*+"((?:[^"\\]++|\\.)*+)"\s*+:\s*+("(?:[^"\\]++|\\.)*+"|[^\s"{}\[\],]++)', re.DOTALL
)
_HALF_ESCAPE = re.compile(rb"\\(?:u[0-9A-Fa-f]{0,3})?\Z")


class Received(NamedTuple):
    """A report as it was sent: the document, and the commit and branch that were named beside it."""

    content: Text
    commit_hash: str | None = None
    branch: str | None = None


class _GitHubForm(Struct):
    """The form in which GitHub's API takes reports."""

    sarif: str | None = None
    commit_sha: str | None = None
    ref: str | None = None


_FORM = decoding.of_json(_GitHubForm)


@contextmanager
def received(body: IO[bytes], limit: int) -> Iterator[Received]:
    """Unwrap a report: plain, gzip, or GitHub's `{commit_sha, ref, sarif: base64(gzip)}`.

    The content is gone at the end. Raises MalformedRequest, Invalid, or PayloadTooLarge for more than
    `limit` bytes.
    """
    with ExitStack() as opened:
        content = _unwrapped(opened, _pieces(body), limit)
        place = _report_within(content)
        if place is None:
            yield Received(content)
            return
        form = _form_of(content, place)
        packed = _base64(content, place[0] + 1, place[1] - 1)
        branch = form.ref.removeprefix(_BRANCH) if form.ref and form.ref.startswith(_BRANCH) else None
        yield Received(_unwrapped(opened, packed, limit), form.commit_sha, branch)


def _unwrapped(opened: ExitStack, pieces: Iterator[bytes], limit: int) -> Text:
    """Return what the pieces hold, unpacked where they are gzip."""
    spool = opened.enter_context(SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115 - the stack closes it
    size = 0
    for piece in _inflated(pieces):
        size += len(piece)
        if size > limit:
            raise PayloadTooLarge(f"The report is larger than {limit} bytes.", limit_bytes=limit)
        spool.write(piece)
    spool.seek(0)
    if size <= IN_MEMORY:
        return spool.read()
    spool.rollover()
    spool.flush()
    return opened.enter_context(mmap.mmap(spool.fileno(), 0, access=mmap.ACCESS_READ))


def _pieces(body: IO[bytes]) -> Iterator[bytes]:
    while piece := body.read(_PIECE):
        yield piece


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    first = next(pieces, b"")
    while len(first) < len(_GZIP) and (more := next(pieces, b"")):
        first += more
    if not first.startswith(_GZIP):
        yield first
        yield from pieces
        return
    gzip = zlib.decompressobj(wbits=31)
    yield from _inflate(gzip, first)
    for piece in pieces:
        yield from _inflate(gzip, piece)
    if not gzip.eof:
        raise MalformedRequest("The report's gzip stream is cut short.")


def _inflate(gzip: zlib._Decompress, piece: bytes) -> Iterator[bytes]:
    """Yield what a piece unpacks to, a little at a time: the reader stops at its limit."""
    if gzip.eof:
        raise MalformedRequest("The report holds something after its gzip stream.")
    while True:
        try:
            found = gzip.decompress(piece, _PIECE)
        except zlib.error:
            raise MalformedRequest("The report is not a gzip stream.") from None
        yield found
        piece = gzip.unconsumed_tail
        if gzip.unused_data:
            raise MalformedRequest("The report holds something after its gzip stream.")
        if not piece and len(found) < _PIECE:
            return


def _report_within(content: Text) -> tuple[int, int] | None:
    """Return the place of the value of GitHub's member `sarif`; a plain report has none."""
    position = len(_BOM) if content[: len(_BOM)] == _BOM else 0
    while member := _MEMBER.match(content, position):
        if content[member.start(1) : min(member.end(1), member.start(1) + 10)] == b"sarif":
            return member.span(2)
        position = member.end()
    return None


def _form_of(content: Text, place: tuple[int, int]) -> _GitHubForm:
    """Read the form without the report in it."""
    begin, end = place
    if begin + len(content) - end > _FORM_REST:
        raise PayloadTooLarge("The form is too large beside its report.", limit_bytes=_FORM_REST)
    value = b'""' if content[begin : begin + 1] == b'"' else content[begin : min(end, begin + 100)]
    try:
        text = (content[:begin] + value + content[end:]).removeprefix(_BOM)
        return _FORM.decode(text)
    except msgspec.ValidationError as error:
        raise Invalid("body", f"This is no SARIF report, nor GitHub's form of one: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedRequest(f"The body is not JSON: {error}.") from None
    except RecursionError:
        raise MalformedRequest("The body is nested too deeply.") from None


def _base64(content: Text, begin: int, end: int) -> Iterator[bytes]:
    """Yield what a JSON string of base64 holds."""
    held, ended = b"", False
    for text in _string(content, begin, end):
        held += text
        whole = len(held) - len(held) % 4
        piece, held = held[:whole], held[whole:]
        if ended and piece:
            raise Invalid("sarif", "This is not base64.")
        ended = piece.endswith(b"=")
        yield _decoded(piece)
    if held:
        raise Invalid("sarif", "This is not base64.")


def _decoded(piece: bytes) -> bytes:
    try:
        return binascii.a2b_base64(piece, strict_mode=True) if piece else b""
    except binascii.Error:
        raise Invalid("sarif", "This is not base64.") from None


def _string(content: Text, begin: int, end: int) -> Iterator[bytes]:
    """Yield the text of a JSON string without its escapes, such as the `\\/` and `\\u002B` of some tools."""
    while begin < end:
        piece = content[begin : min(end, begin + _PIECE)]
        if b"\\" in piece:
            half = _HALF_ESCAPE.search(piece)
            piece = piece[: half.start()] if half and begin + len(piece) < end else piece
            yield _unescaped(piece)
        else:
            yield piece
        begin += len(piece)


def _unescaped(piece: bytes) -> bytes:
    try:
        return msgspec.json.decode(b'"' + piece + b'"', type=str).encode()
    except (msgspec.DecodeError, UnicodeError):
        raise Invalid("sarif", "This is not base64.") from None
