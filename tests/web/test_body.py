"""Bodies are read whole or refused, and never beyond their limit."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pytest
from hefesto_api.domain.errors import MalformedRequest, PayloadTooLarge
from hefesto_api.web import body
from hefesto_api.web.errors import LengthRequired, UnsupportedMediaType

LIMIT = 1000


def sent(content: bytes, **environ: Any) -> dict[str, Any]:
    return {"wsgi.input": io.BytesIO(content), "CONTENT_LENGTH": str(len(content)), **environ}


def chunked(content: bytes, **environ: Any) -> dict[str, Any]:
    return {
        "wsgi.input": io.BytesIO(content),
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input_terminated": True,
        **environ,
    }


@pytest.mark.parametrize("wrap", [sent, chunked])
@pytest.mark.parametrize("size", [0, 1, LIMIT])
def test_a_body_within_the_limit_is_read_whole(wrap: Any, size: int) -> None:
    assert body.read(wrap(b"x" * size), LIMIT) == b"x" * size


@pytest.mark.parametrize("wrap", [sent, chunked])
def test_one_byte_more_is_refused(wrap: Any) -> None:
    with pytest.raises(PayloadTooLarge):
        body.read(wrap(b"x" * (LIMIT + 1)), LIMIT)


def test_a_declared_excess_is_refused_unread() -> None:
    environ = sent(b"", CONTENT_LENGTH=str(10**30))
    with pytest.raises(PayloadTooLarge):
        body.read(environ, LIMIT)
    assert environ["wsgi.input"].tell() == 0


@pytest.mark.parametrize("wrap", [sent, chunked])
@pytest.mark.parametrize("size", [0, 1, LIMIT])
def test_gzip_is_unpacked(wrap: Any, size: int) -> None:
    packed = gzip.compress(b"x" * size, mtime=0)
    assert body.read(wrap(packed, HTTP_CONTENT_ENCODING="gzip"), LIMIT) == b"x" * size


def test_a_bomb_is_stopped_at_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000, mtime=0)
    seen = 0
    with pytest.raises(PayloadTooLarge):
        for piece in body.chunks(sent(bomb, HTTP_CONTENT_ENCODING="gzip"), 100_000):
            seen += len(piece)
    assert seen <= 100_000


@pytest.mark.parametrize(
    "content",
    [
        b"not gzip",
        gzip.compress(b"x" * 900, mtime=0)[:-3],
        gzip.compress(b"x", mtime=0) + b"more",
        b"\x1f\x8b",
    ],
)
def test_a_broken_gzip_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedRequest):
        body.read(sent(content, HTTP_CONTENT_ENCODING="gzip"), LIMIT)


def test_other_encodings_are_refused() -> None:
    with pytest.raises(UnsupportedMediaType):
        body.read(sent(b"x", HTTP_CONTENT_ENCODING="br"), LIMIT)


def test_a_cut_body_is_refused() -> None:
    with pytest.raises(MalformedRequest):
        body.read(sent(b"half", CONTENT_LENGTH="8"), LIMIT)


@pytest.mark.parametrize("length", ["-1", "1.5", "ten", "١"])
def test_a_length_that_is_none_is_refused(length: str) -> None:
    with pytest.raises(MalformedRequest):
        body.read(sent(b"x", CONTENT_LENGTH=length), LIMIT)


def test_a_chunked_body_needs_a_server_that_marks_its_end() -> None:
    with pytest.raises(LengthRequired):
        body.read(chunked(b"x", **{"wsgi.input_terminated": False}), LIMIT)


class Broken(io.BytesIO):
    """What a server gives for a body whose chunks are not chunks."""

    def read(self, size: int | None = -1) -> bytes:
        raise ValueError("invalid chunk size")


def test_what_the_server_cannot_read_is_the_clients_fault() -> None:
    with pytest.raises(MalformedRequest):
        body.read(chunked(b"", **{"wsgi.input": Broken()}), LIMIT)


def test_a_kept_body_can_be_read_again() -> None:
    environ = sent(gzip.compress(b"x" * 700, mtime=0), HTTP_CONTENT_ENCODING="gzip")
    with body.kept(environ, LIMIT):
        assert body.read(environ, LIMIT) == b"x" * 700


def test_a_stream_reads_in_any_sizes() -> None:
    stream = body.stream(sent(bytes(range(250))), LIMIT)
    assert stream.read(7) + stream.read(1) + stream.read() == bytes(range(250))
    with pytest.raises(PayloadTooLarge):
        body.stream(chunked(b"x" * 5000), LIMIT).read()
