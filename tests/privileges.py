"""Doing without root's right to read and write everything, so that root's tests see what users see."""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
_BEYOND_MODES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
_PR_CAPBSET_DROP = 24


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@contextmanager
def bound_by_modes() -> Iterator[None]:
    """Let this thread do only what files' modes allow; changes nothing for anybody but root."""
    if os.geteuid() != 0:
        yield
        return
    held = _read()
    effective = held[0].effective
    held[0].effective = effective & ~_BEYOND_MODES
    _write(held)
    try:
        yield
    finally:
        held[0].effective = effective
        _write(held)


def bind_to_modes() -> None:
    """Do the same for good, to a program that is about to be started (`preexec_fn`)."""
    if os.geteuid() == 0:
        for capability in (1, 2):
            _checked(_libc().prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0))


def _read() -> ctypes.Array[_Sets]:
    held = (_Sets * 2)()
    _checked(_libc().capget(ctypes.byref(_Header(_VERSION, 0)), held))
    return held


def _write(held: ctypes.Array[_Sets]) -> None:
    _checked(_libc().capset(ctypes.byref(_Header(_VERSION, 0)), held))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(status: int) -> None:
    if status != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
