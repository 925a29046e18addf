"""Where log lines go: standard error, or a file that several processes write and rotate together."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Protocol

LIMIT = 10 * 1024 * 1024
KEPT = 5


class Sink(Protocol):
    """A place for whole lines."""

    def write(self, line: bytes) -> None:
        """Write one line, its end included, without mixing it with another's."""


class StandardError:
    """Lines on standard error, one write each."""

    def write(self, line: bytes) -> None:
        """Write one line; a closed standard error loses it, and the service goes on."""
        try:
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
        except (AttributeError, ValueError, OSError):
            return


class RotatingFile:
    """A file kept under `limit` bytes; the older ones are `path.1` to `path.5`.

    Every process appends (O_APPEND keeps lines whole). The one that finds the file full renames it while
    it holds a lock beside it; the others see before each line that their file has another name, or none any
    more, and open the new one: so a tool that turns logs over by itself is followed, too. What the disk does
    not take goes to standard error: a line is lost rather than the work that it tells of.
    """

    def __init__(self, path: Path, limit: int = LIMIT, kept: int = KEPT) -> None:
        self._path = path
        self._limit = limit
        self._kept = kept
        self._lock = threading.Lock()
        self._torn = False
        self._otherwise = StandardError()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._open()

    def write(self, line: bytes) -> None:
        """Append one line; rotate first when it would not fit."""
        try:
            with self._lock:
                self._follow()
                if os.fstat(self._file).st_size + len(line) > self._limit:
                    self._rotate()
                self._append(line)
        except OSError:
            self._otherwise.write(line)

    def _append(self, line: bytes) -> None:
        """Write a line; when the disk took a part of the one before, begin anew."""
        whole = b"\n" + line if self._torn else line
        written = os.write(self._file, whole)
        self._torn = written < len(whole)
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _follow(self) -> None:
        """Open the file that has the name now, if it is not the one that is open."""
        if not self._still_ours():
            self._reopen()

    def _reopen(self) -> None:
        opened = self._open()
        os.close(self._file)
        self._file = opened

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def _rotate(self) -> None:
        """Turn the file over, unless another process did; where that cannot be done it grows on."""
        with suppress(OSError):
            guard = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                fcntl.flock(guard, fcntl.LOCK_EX)
                if self._still_ours():
                    self._shift()
                self._reopen()
            finally:
                os.close(guard)

    def _still_ours(self) -> bool:
        try:
            there = os.stat(self._path)  # noqa: PTH116
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._file))

    def _shift(self) -> None:
        for number in range(self._kept - 1, 0, -1):
            older = Path(f"{self._path}.{number}")
            if older.exists():
                older.replace(f"{self._path}.{number + 1}")
        self._path.replace(f"{self._path}.1")
