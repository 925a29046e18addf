"""Tar archives, read once from front to back."""

from __future__ import annotations

import tarfile
from typing import IO, TYPE_CHECKING

from hefesto_api.analyzers.archives.values import Found, Raw

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

# A header that describes the next one is read into memory whole and searched by expressions whose time
# grows with the square of its size. 16 KiB holds the longest path several times over.
_LONGEST_HEADER = 16 * 1024
_DESCRIBING = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_KINDS = {
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "link",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "fifo",
}


class _Header(tarfile.TarInfo):
    """A header that cannot make the reader keep more than it should, nor end the archive unnoticed."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf and not any(buf):  # the empty block that ends every archive
                raise
            raise tarfile.ReadError("a header is damaged or missing") from error
        if header.size < 0 or (header.type in _DESCRIBING and header.size > _LONGEST_HEADER):
            raise tarfile.ReadError("a header is too large")
        return header


def members(stream: IO[bytes]) -> Iterator[Raw]:
    """Yield the entries of a tar stream but its directories; each is to be read before the next is taken."""
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header, errorlevel=2) as archive:
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined] # else it keeps every header it has seen
            if not member.isdir():
                yield _raw(archive, member)


def _raw(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Raw:
    if member.type in _KINDS or not member.isreg() or member.issparse():
        return Raw(member.name, 0, _KINDS.get(member.type, "unsupported"), None)

    def read(limit: int) -> Found:
        source = archive.extractfile(member)
        content = source.read(limit + 1) if source else b""
        return content if len(content) in (member.size, limit + 1) else "damaged"

    return Raw(member.name, member.size, None, read)
