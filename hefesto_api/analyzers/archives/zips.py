"""Zip archives, read from their directory at the end."""

from __future__ import annotations

import stat
import zipfile
from itertools import pairwise
from typing import IO, TYPE_CHECKING, cast

from hefesto_api.analyzers.archives.values import Found, Raw
from hefesto_api.analyzers.workspace.values import MEBIBYTE
from hefesto_api.domain.errors import MalformedRequest, PayloadTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hefesto_api.analyzers.archives.inflate import Meter

# The directory is read whole and becomes one object an entry, some ten times its size.
_LARGEST_DIRECTORY = 16 * MEBIBYTE
# Of the others lzma may claim 4 GiB of memory, and bzip2 unpacks 4 KiB to 90 MB in one step.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_LOCAL_HEADER_BYTES = 30
_CHUNK = 64 * 1024
_KINDS = {
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


class _Guarded:
    """A seekable stream that refuses to be read in one large piece, as an oversized directory would be."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.seek, self.tell, self.seekable = source.seek, source.tell, source.seekable

    def read(self, size: int = -1) -> bytes:
        """Read, at most as much as a directory may have."""
        if size > _LARGEST_DIRECTORY:
            raise PayloadTooLarge("The archive has too many entries.")
        return self._source.read(size)


def members(stream: IO[bytes], meter: Meter) -> Iterator[Raw]:
    """Yield the entries of a zip archive but its directories; `meter` counts what is unpacked."""
    with zipfile.ZipFile(cast("IO[bytes]", _Guarded(stream))) as archive:
        entries = archive.infolist()
        _refuse_overlaps(entries)
        for entry in entries:
            if not entry.is_dir():
                yield _raw(archive, entry, meter)


def _refuse_overlaps(entries: list[zipfile.ZipInfo]) -> None:
    """Entries that share their bytes are how 40 KB become 5 GB; no honest archive has them."""
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    for entry, following in pairwise(ordered):
        if entry.header_offset + _LOCAL_HEADER_BYTES + entry.compress_size > following.header_offset:
            raise MalformedRequest("The entries of the archive overlap.")


def _raw(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, meter: Meter) -> Raw:
    def read(limit: int) -> Found:
        found = _read(archive, entry, limit)
        meter.take(len(found))
        return found

    # `filename` ends at the first NUL; what the archive says is in `orig_filename`.
    return Raw(entry.orig_filename, entry.file_size, _objection(entry), read)


def _objection(entry: zipfile.ZipInfo) -> str | None:
    if entry.flag_bits & _ENCRYPTED:
        return "encrypted"
    if entry.compress_type not in _METHODS:
        return "unsupported"
    return _KINDS.get(stat.S_IFMT(entry.external_attr >> 16))


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> Found:
    try:
        with archive.open(entry) as source:
            return source.read(limit + 1)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError, RuntimeError):
        return "damaged"
