"""A parser child: reads examinations from standard input, answers reports on standard output.

It parses text written by strangers with parsers written in C, so it gives up what it does not need before
the first byte arrives: no environment, a working directory outside every tree, no writing of files, bounded
memory, no core dumps. A child that dies takes one file with it; the parent goes on (see `pool`).

Frames are a 4-byte big-endian length and msgpack: first the `Thresholds`, then lists of `Examination`; each
examination is answered by one frame, a packed `FileReport` (see `pack`).
"""

import gc
import os
import resource
import struct
import sys
import zlib
from collections.abc import Callable
from typing import BinaryIO

import msgspec
from msgspec.structs import replace

from hefesto_api.analyzers.base import Examination, FileReport
from hefesto_api.analyzers.registry import Thresholds

Examine = Callable[[Examination, Thresholds], FileReport]

MEMORY_LIMIT = 3 << 30
LENGTH = struct.Struct(">I")
READY = b"ready"  # the first answer: what comes to grief later came to grief over a file


def main() -> None:
    """Serve until standard input ends."""
    # Our parent imports this module, too, for its frames alone.
    from hefesto_api.analyzers.examination import examine  # noqa: PLC0415

    _give_up_what_is_not_needed()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    thresholds = msgspec.msgpack.decode(_frame(requests), type=Thresholds)
    decoder = msgspec.msgpack.Decoder(list[Examination])
    # What was imported stays, and what a file makes is freed by counting: looking for circles took a
    # twentieth of the child's time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    answers.write(READY)
    answers.flush()
    while batch := _frame(requests):
        for task in decoder.decode(batch):
            report = pack(_examined(examine, task, thresholds))
            answers.write(LENGTH.pack(len(report)) + report)
            answers.flush()


def pack(report: FileReport) -> bytes:
    """Encode a report as it is sent: the shingles with their length, and the rest, compressed if long.

    Shingles are hashes: trying to compress them took a third of the time and gained nothing. So do short
    reports, which most are: what zlib needs to begin with costs more than there is to gain.
    """
    shingles = report.shingles
    rest = msgspec.msgpack.encode(replace(report, shingles=b""))
    if len(rest) > _SHORT:
        rest = zlib.compress(rest, 1)
    return b"".join((LENGTH.pack(len(shingles)), shingles, rest))


def to_keep(packed: bytes) -> bytes:
    """Return a report as it is kept: without the shingles, which have a place of their own."""
    return packed[LENGTH.size + LENGTH.unpack_from(packed)[0] :]


def unpack(packed: bytes) -> FileReport:
    """Decode a report as it was sent or as it is kept."""
    if packed[:1] >= _ZLIB:  # no shingles are as long as that byte in front would say
        return _decoded(packed)
    report = _decoded(to_keep(packed))
    return replace(report, shingles=packed[LENGTH.size : LENGTH.size + LENGTH.unpack_from(packed)[0]])


def _decoded(kept: bytes) -> FileReport:
    return _REPORT.decode(zlib.decompress(kept) if kept[:1] == _ZLIB else kept)


_SHORT = 1_000  # bytes
_ZLIB = b"\x78"  # with which a compressed report begins; one that is not begins with a greater byte
_REPORT = msgspec.msgpack.Decoder(FileReport)


def _examined(examine: Examine, task: Examination, thresholds: Thresholds) -> FileReport:
    try:
        return examine(task, thresholds)
    except MemoryError:
        return FileReport(language=task.source.language, skipped="too much memory needed")
    except RecursionError:
        return FileReport(language=task.source.language, skipped="nested too deeply")


def _frame(stream: BinaryIO) -> bytes:
    header = stream.read(LENGTH.size)
    return stream.read(LENGTH.unpack(header)[0]) if len(header) == LENGTH.size else b""


def _give_up_what_is_not_needed() -> None:
    os.environ.clear()
    for what, limit in (
        (resource.RLIMIT_AS, MEMORY_LIMIT),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


if __name__ == "__main__":
    main()
