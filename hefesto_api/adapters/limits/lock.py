"""A lock between the processes of a host, which a process that is killed lets go of.

The system call is made without giving up the interpreter: who gives it up while it holds the lock may wait
five milliseconds for it, and with it everybody who waits for the lock.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 1.0  # seconds: nobody keeps it longer, unless its process was stopped
_PAUSE = 0.0002
_NOW = fcntl.LOCK_EX | fcntl.LOCK_NB

_flock = ctypes.PyDLL(None, use_errno=True).flock
_flock.argtypes = (ctypes.c_int, ctypes.c_int)
_flock.restype = ctypes.c_int


class LockTimeout(OSError):
    """Somebody has had the lock for longer than anybody may."""


class HostLock:
    """Excludes the other threads of this process and, with a path, all processes that use the same file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = -1
        self._open()

    def __enter__(self) -> None:
        if self._pid != os.getpid():  # forked: the parent's descriptor would share the parent's lock
            self._open()
        if not self._threads.acquire(timeout=PATIENCE):
            raise LockTimeout(errno.ETIMEDOUT, "a thread has kept the lock of the limits")
        try:
            self._take()
        except OSError:
            self._threads.release()
            raise

    def __exit__(self, *_: object) -> None:
        if self._file >= 0:
            _flock(self._file, fcntl.LOCK_UN)
        self._threads.release()

    def renew(self) -> None:
        """Take, while it is held, the lock of the file that is at the path now, and let go of the former."""
        former = self._file
        self._file = self._opened()
        os.close(former)
        self._take()

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> None:
        self._pid = os.getpid()
        self._threads = threading.Lock()
        self._file = self._opened()

    def _opened(self) -> int:
        if self._path is None:
            return -1
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def _take(self) -> None:
        """Try again and again without holding anything up: the one who has it needs microseconds."""
        if self._file < 0 or _flock(self._file, _NOW) == 0:
            return
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            time.sleep(_PAUSE)
            if _flock(self._file, _NOW) == 0:
                return
        raise LockTimeout(errno.ETIMEDOUT, "a process has kept the lock of the limits")
