"""Opening what lies beneath a directory without following a single link, even while the tree is changed.

A path that is checked and then opened by its name can be swapped in between. On Linux the kernel itself
resolves the whole path under the rule (openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS); elsewhere,
and where a sandbox forbids that call, each component is opened from its parent's descriptor.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | os.O_NOFOLLOW
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
# Names a file without opening it, so that asking what it is wakes no device and waits for no FIFO.
HANDLE = getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK) | os.O_CLOEXEC | os.O_NOFOLLOW

_OPENAT2 = 437  # the same number on every architecture that has it
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
_LONGEST = 4000  # PATH_MAX is 4096 with the final NUL; longer ones are walked


def open_beneath(root: int, relative: str, flags: int) -> int:
    """Open a relative path beneath the directory `root`; return the descriptor.

    Raises OSError; a link anywhere on the way is ELOOP (or ENOTDIR), `..` that leads out is EXDEV.
    """
    path = os.fsencode(relative)
    kernel = _kernel_call()
    if kernel is None or len(path) > _LONGEST:
        return open_by_components(root, relative, flags)
    return kernel(root, path, flags)


def open_by_components(root: int, relative: str, flags: int) -> int:
    """Do the same with one `openat` a component, each refusing links: any POSIX system, any length."""
    *parents, last = [part for part in relative.split("/") if part not in ("", ".")] or ["."]
    if ".." in parents or last == "..":
        raise OSError(errno.EXDEV, "leads out of the directory", relative)
    current = os.dup(root)
    try:
        for part in parents:
            current = _step(current, part)
        return os.open(last, flags | os.O_NOFOLLOW, dir_fd=current)
    finally:
        os.close(current)


def _step(current: int, part: str) -> int:
    below = os.open(part, DIRECTORY, dir_fd=current)
    os.close(current)
    return below


@cache
def _kernel_call() -> Callable[[int, bytes, int], int] | None:
    """Return the call to openat2, or None where the kernel or a sandbox does not let us have it."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        return None
    call = _bind()
    anywhere = os.open("/", HANDLE | os.O_DIRECTORY)
    try:
        os.close(call(anywhere, b".", HANDLE))
    except OSError:
        return None
    finally:
        os.close(anywhere)
    return call


def _bind() -> Callable[[int, bytes, int], int]:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    libc.syscall.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]

    def call(root: int, path: bytes, flags: int) -> int:
        how = struct.pack("QQQ", flags, 0, _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS)
        while True:
            descriptor = libc.syscall(_OPENAT2, root, path, how, len(how))
            if descriptor >= 0:
                return int(descriptor)
            number = ctypes.get_errno()
            if number not in (errno.EAGAIN, errno.EINTR):  # a rename elsewhere disturbed it: once more
                raise OSError(number, os.strerror(number), path)

    return call
