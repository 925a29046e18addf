"""An open tree: what a walk may list and a reader may open, held by the descriptor of its root."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hefesto_api.analyzers.workspace.beneath import DIRECTORY, HANDLE, READ, open_beneath
from hefesto_api.analyzers.workspace.values import (
    Discovery,
    Entry,
    Limits,
    Location,
    Skipped,
    is_binary,
    shown,
)
from hefesto_api.analyzers.workspace.walk import inherited, single, walk
from hefesto_api.domain.errors import InvalidFilePath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_REASONS = {
    errno.ENOENT: "file_not_found",
    errno.ENOTDIR: "file_not_found",
    errno.ELOOP: "not_a_regular_file",
    errno.ENXIO: "not_a_regular_file",
    errno.EISDIR: "not_a_regular_file",
    errno.EXDEV: "outside_roots",
}
_SKIPPED_AS = {
    "file_not_found": "vanished",
    "not_a_regular_file": "symlink",
    "not_readable": "unreadable",
    "outside_roots": "symlink",
    "too_large": "too_large",
}


class Tree:
    """The files beneath a location; its reads stay beneath the root even while others rename things."""

    def __init__(self, location: Location, descriptor: int) -> None:
        self.location = location
        self._descriptor = descriptor

    def discover(
        self, *, wanted: Callable[[str], bool], exclude: Sequence[str] = (), limits: Limits | None = None
    ) -> Discovery:
        """List the wanted regular files, sorted by path, and what was left out.

        `.gitignore` files and `.git/info/exclude` are honoured from the root down; `exclude` has the same
        syntax, is relative to the location and has the last word. Raises InvalidFilePath when the
        location itself is gone.
        """
        limits = limits or Limits()
        if not self.location.is_dir:
            status = self._status(self.location.relative)
            return single(self.location.relative, status, wanted=wanted, limits=limits)
        top = self._open(self.location.relative or ".", DIRECTORY)
        try:
            ignores = inherited(
                self._descriptor, [part for part in self.location.relative.split("/") if part]
            )
            prefix = f"{self.location.relative}/" if self.location.relative else ""
            return walk(top, prefix, ignores, wanted=wanted, exclude=exclude, limits=limits)
        except OSError:
            raise InvalidFilePath(shown(self.location.relative) or ".", "file_not_found") from None
        finally:
            os.close(top)

    def read(self, path: str, limit: int = Limits().file_bytes) -> bytes:
        """Return a regular file's content, at most `limit` bytes; never blocks, never follows a link.

        Raises InvalidFilePath: file_not_found, not_readable, not_a_regular_file, too_large, outside_roots.
        """
        descriptor = self._open(path, READ)
        try:
            size = _size_of_regular(descriptor, path)
            content = _read_all(descriptor, size, limit) if size <= limit else None
        except OSError:
            raise InvalidFilePath(shown(path), "not_readable") from None
        finally:
            os.close(descriptor)
        if content is None or len(content) > limit:
            raise InvalidFilePath(shown(path), "too_large")
        return content

    def content(self, entry: Entry, limit: int = Limits().file_bytes) -> bytes | Skipped:
        """Return what an entry holds, or why it cannot be analysed after all (it changed, it is binary)."""
        try:
            content = self.read(entry.path, limit)
        except InvalidFilePath as error:
            return Skipped(error.path, _SKIPPED_AS[error.reason])
        if is_binary(content):
            return Skipped(shown(entry.path), "binary")
        return content

    def at(self, location: Location) -> Tree:
        """Return another place of the same root; it is open as long as this one is."""
        return Tree(location, self._descriptor)

    def holds(self, path: str) -> bool:
        """Tell whether something of that name is beneath the root, whatever it is."""
        try:
            os.close(self._open(path, HANDLE))
        except InvalidFilePath as error:
            return error.reason != "file_not_found"
        return True

    def _open(self, path: str, flags: int) -> int:
        try:
            return open_beneath(self._descriptor, path, flags)
        except OSError as error:
            raise InvalidFilePath(shown(path), _REASONS.get(error.errno or 0, "not_readable")) from None
        except ValueError:  # a NUL, or a surrogate that stands for no byte
            raise InvalidFilePath(shown(path), "file_not_found") from None

    def _status(self, path: str) -> os.stat_result:
        handle = self._open(path, HANDLE)
        try:
            return os.fstat(handle)
        finally:
            os.close(handle)


@contextmanager
def open_root(location: Location) -> Iterator[Tree]:
    """Hold the location's root open. The root itself is the operator's choice and may be a link."""
    try:
        descriptor = os.open(location.root, HANDLE & ~os.O_NOFOLLOW | os.O_DIRECTORY)
    except OSError:
        raise InvalidFilePath(shown(str(location.root)), "file_not_found") from None
    try:
        yield Tree(location, descriptor)
    finally:
        os.close(descriptor)


def _size_of_regular(descriptor: int, path: str) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise InvalidFilePath(shown(path), "not_a_regular_file")
    return status.st_size


def _read_all(descriptor: int, size: int, limit: int) -> bytes:
    """Read to the end of a file that may grow meanwhile; one byte over `limit` tells that it is too large."""
    content = os.read(descriptor, size + 1)
    if len(content) == size:
        return content
    pieces, taken = [content], len(content)
    while taken <= limit and (piece := os.read(descriptor, limit + 1 - taken)):
        pieces.append(piece)
        taken += len(piece)
    return b"".join(pieces)
