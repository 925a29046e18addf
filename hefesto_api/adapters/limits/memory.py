"""A file of memory that processes share, looked at as words."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# The words (of eight bytes) that it begins with: what it is, where the free ones begin, whether another file
# has taken its place, and 16 bytes that names are hashed with, so that nobody can choose names that collide.
MAGIC, TOP, RETIRED, SALT, SALT_END, BEGIN = 0, 1, 2, 3, 5, 8
_VERSION = int.from_bytes(b"HEFLIM01", "little")


class SharedMemory:
    """A mapped file, or memory of this process alone: `words` are of eight bytes, `halves` of four.

    All its bytes are written when it is made: a file system that is full then is an OSError, and not, later,
    a signal that ends the process. While it is mapped the file carries a shared lock, for `unused`.
    """

    def __init__(self, mapped: mmap.mmap, file: int = -1, salt: bytes = b"") -> None:
        self._map = mapped
        self._file = file
        self._view = memoryview(mapped)
        self.words = self._view.cast("Q")
        self.halves = self._view.cast("I")
        if self.words[MAGIC] != _VERSION:
            self.words[SALT:SALT_END] = memoryview(salt or secrets.token_bytes(16)).cast("Q")
            self.words[TOP] = BEGIN
            self.words[MAGIC] = _VERSION
        self.salt = self.words[SALT:SALT_END].tobytes()

    @property
    def size(self) -> int:
        """Its length in words."""
        return len(self.words)

    def is_at(self, path: Path | None) -> bool:
        """Tell whether it is still the file of that name: somebody may have tidied up."""
        if path is None:
            return True
        try:
            there = path.stat()
        except OSError:
            return False
        ours = os.fstat(self._file)
        return (there.st_ino, there.st_dev) == (ours.st_ino, ours.st_dev)

    def touch(self) -> None:
        """Leave word that it is used still; stores to memory leave none."""
        if self._file >= 0:
            os.utime(self._file)

    def close(self) -> None:
        """Unmap it; the file stays."""
        for view in (self.words, self.halves, self._view):
            view.release()
        self._map.close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def private(size: int, salt: bytes = b"") -> SharedMemory:
    """Make memory of so many bytes for this process alone."""
    return SharedMemory(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), salt=salt)


def made(path: Path, size: int, salt: bytes = b"") -> SharedMemory:
    """Make a file of so many bytes, in the place of what is there."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(file, "wb", closefd=False) as whole:
            whole.write(bytes(size))
        return _mapped(file, salt)
    except BaseException:
        os.close(file)
        path.unlink(missing_ok=True)
        raise


def found(path: Path) -> SharedMemory | None:
    """Open a file that was made by this version; None where there is none."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    size = os.fstat(file).st_size
    if size < BEGIN * 8 or size % 8 or int.from_bytes(os.pread(file, 8, 0), "little") != _VERSION:
        os.close(file)
        return None
    return _mapped(file)


def unused(path: Path) -> bool:
    """Tell whether no process has the file mapped."""
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(file)
    return True


def _mapped(file: int, salt: bytes = b"") -> SharedMemory:
    fcntl.flock(file, fcntl.LOCK_SH)
    return SharedMemory(mmap.mmap(file, 0), file, salt)
