"""Files that come with a request, in an archive or inline: read in memory, never written to disk."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, cast

from hefesto_api.analyzers.archives import tars, zips
from hefesto_api.analyzers.archives.inflate import Meter, Metered, plain
from hefesto_api.analyzers.archives.names import normal, objection
from hefesto_api.analyzers.archives.values import Member, Raw
from hefesto_api.analyzers.workspace import gitignore
from hefesto_api.analyzers.workspace.values import Limits, Skipped, is_binary, shown
from hefesto_api.analyzers.workspace.walk import MINIFIED, NEVER
from hefesto_api.domain.errors import InvalidFilePath, MalformedRequest, PayloadTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["Member", "extract", "inline"]

_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error)
_MORE_DAMAGE = (EOFError, OSError, ValueError, IndexError, KeyError, OverflowError, RecursionError)


def extract(
    stream: IO[bytes],
    *,
    wanted: Callable[[str], bool],
    exclude: Sequence[str] = (),
    limits: Limits | None = None,
) -> Iterator[Member | Skipped]:
    """Yield the wanted files of a zip, tar, tar.gz, tar.bz2 or tar.xz, and what was left out.

    `stream` is seekable. Archives within are not opened. Raises MalformedRequest for what is no archive or
    a damaged one, PayloadTooLarge for one that unpacks to too much, has too many entries or takes too long.
    """
    limits = limits or Limits()
    size = stream.seek(0, 2)
    stream.seek(0)
    start = stream.read(512)
    stream.seek(0)
    meter = Meter(limits, size)
    try:
        yield from _selected(_raws(stream, start, meter), wanted, exclude, limits)
    except _DAMAGE + _MORE_DAMAGE:
        raise MalformedRequest("The archive is damaged.") from None


def inline(
    files: Iterable[tuple[str, str]],
    *,
    wanted: Callable[[str], bool],
    exclude: Sequence[str] = (),
    limits: Limits | None = None,
) -> Iterator[Member | Skipped]:
    """Yield the files of a request, given as (path, text), and what was left out; in their order.

    Raises InvalidFilePath for a name that leads elsewhere and MalformedRequest for one with a NUL.
    """
    limits = limits or Limits()
    raws = (_inline_raw(name, text, limits) for name, text in files)
    yield from _selected(raws, wanted, exclude, limits)


def _inline_raw(name: str, text: str, limits: Limits) -> Raw:
    if "\0" in name:
        raise MalformedRequest("A file's path holds a NUL character.", path=shown(name))
    if objection(name, limits.depth) == "unsafe_name":
        raise InvalidFilePath(shown(name[:300]), "outside_roots")
    content = text.encode("utf-8", "replace")
    return Raw(name, len(content), None, lambda limit: content[: limit + 1])


def _raws(stream: IO[bytes], start: bytes, meter: Meter) -> Iterator[Raw]:
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return zips.members(stream, meter)
    inside = plain(stream, start)
    if inside is None:
        raise MalformedRequest(
            "The upload is no archive: zip, tar, tar.gz, tar.bz2 and tar.xz are understood."
        )
    return tars.members(cast("IO[bytes]", Metered(inside, meter)))


def _selected(
    raws: Iterator[Raw], wanted: Callable[[str], bool], exclude: Sequence[str], limits: Limits
) -> Iterator[Member | Skipped]:
    """Apply the rules that all formats share to each entry in turn."""
    patterns = gitignore.parse(exclude)
    excluded = (gitignore.starting(patterns),) if patterns else ()
    seen: set[str] = set()
    for number, raw in enumerate(raws):
        if number >= limits.files:
            raise PayloadTooLarge("The archive has too many entries.", limit=limits.files)
        path = normal(raw.name)
        unsafe = objection(raw.name, limits.depth)
        if not unsafe and not _is_of_interest(path, wanted, excluded):
            continue
        reason = unsafe or raw.objection or ("duplicate" if path in seen else None)
        seen.add(path)
        found = reason or _content(raw, path, limits)
        yield Skipped(shown(raw.name[:300]), found) if isinstance(found, str) else Member(path, found)


def _is_of_interest(path: str, wanted: Callable[[str], bool], excluded: gitignore.Levels) -> bool:
    if not wanted(path) or not NEVER.isdisjoint(path.split("/")[:-1]):
        return False
    return not (excluded and gitignore.ignores_path(excluded, path))


def _content(raw: Raw, path: str, limits: Limits) -> bytes | str:
    """Return what an entry holds, or the reason why it is left out; its claimed size is not believed."""
    if path.endswith(MINIFIED):
        return "minified"
    if raw.size > limits.file_bytes or raw.read is None:
        return "too_large"
    found = raw.read(limits.file_bytes)
    if isinstance(found, str):
        return found
    if len(found) > limits.file_bytes:
        return "too_large"
    return "binary" if is_binary(found) else found
