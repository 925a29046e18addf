"""Single flight: of those who want the same answer at once, one makes it and the others wait for it.

Threads of a process wait for each other; processes of a host by a lock on a file, which also carries what was
made to the others. A process that is killed lets go of its lock, and nobody waits longer than a few seconds:
who has waited long enough makes the answer himself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 5.0  # seconds that somebody waits for another's answer
SLOTS = 256
MOST_BYTES = 128 * 1024  # of an answer that a slot carries: all together take at most 32 MiB
_NAME = 16
_NOW = fcntl.LOCK_EX | fcntl.LOCK_NB
_FIRST_PAUSE, _LONGEST_PAUSE = 0.0005, 0.01


class Flights:
    """What the threads of this process are making just now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._flying: dict[Any, threading.Event] = {}
        self.waited = 0

    def begin(self, key: Any) -> bool:
        """Tell whether the caller is the one to make it; others return when it was made, or given up."""
        if self._pid != os.getpid():  # those who flew were threads of the parent
            self._pid, self._lock, self._flying = os.getpid(), threading.Lock(), {}
        with self._lock:
            landing = self._flying.get(key)
            if landing is None:
                self._flying[key] = threading.Event()
                return True
            self.waited += 1
        landing.wait(PATIENCE)
        return False

    def end(self, key: Any) -> None:
        """Let those who wait look."""
        with self._lock:
            landing = self._flying.pop(key, None)
        if landing is not None:
            landing.set()


class Slots:
    """A folder of files, each a lock and the answer made last under it; a host's processes share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def holding(self, name: str) -> Iterator[Slot | None]:
        """Hold the slot of a name; None where another name's answer is made in it, or nothing can be held."""
        digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_NAME).digest()
        try:
            file = self._opened(int.from_bytes(digest[:2]) % SLOTS)
        except OSError:
            yield None
            return
        try:
            yield Slot(file, digest) if _locked(file, digest) else None
        finally:
            os.close(file)  # and let go of the lock

    def _opened(self, number: int) -> int:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / f"{number:03}"
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


class Slot:
    """A file that is held: what it carries, and what it is to carry for those who wait."""

    def __init__(self, file: int, digest: bytes) -> None:
        self._file = file
        self._digest = digest
        self._carried = b""
        size = os.fstat(file).st_size
        raw = os.pread(file, size, 0) if _NAME < size <= MOST_BYTES + _NAME else b""
        if raw[:_NAME] == digest:
            self._carried = raw[_NAME:]
        else:
            self._write(b"")  # so that others who wait for this name know that it is being made

    @property
    def carried(self) -> bytes:
        """What was made last for the name; b"" for nothing."""
        return self._carried

    def carry(self, raw: bytes) -> None:
        """Leave an answer to the others, unless it is large."""
        self._write(raw if len(raw) <= MOST_BYTES else b"")

    def _write(self, raw: bytes) -> None:
        with contextlib.suppress(OSError):  # a full memory: everybody makes his own
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, self._digest + raw, 0)


def _locked(file: int, digest: bytes) -> bool:
    """Lock a file, waiting for who makes the same; tell whether that was done."""
    until, pause = time.monotonic() + PATIENCE, _FIRST_PAUSE
    while True:
        try:
            fcntl.flock(file, _NOW)
        except OSError:
            holder = os.pread(file, _NAME, 0)
            if (holder and holder != digest) or time.monotonic() > until:
                return False
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        else:
            return True
