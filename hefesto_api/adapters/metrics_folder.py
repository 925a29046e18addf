"""The folder in which the processes of one service keep what they count, so that any of them tells of all.

Its name is in PROMETHEUS_MULTIPROC_DIR, which prometheus_client reads when it is imported: whoever starts the
processes makes it first. It is in shared memory where there is one: the files are mapped, and a process that
touches a mapped page for which a full disk has no room is killed (SIGBUS).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "hefesto-metrics-"
_NAME = re.compile(rf"{_PREFIX}(\d+)-(\d+)-\w+")
_SHARED = Path("/dev/shm")  # noqa: S108 - a folder of our own, for us alone, within it
_ROOM = 16 << 20  # bytes that shared memory must have free: 64 kB for each kind of metric in each process


def make() -> Path:
    """Make the folder for this process and its children, and remove those whose makers were killed."""
    for place in _places():
        _sweep(place)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{_numbering()}-{os.getpid()}-", dir=_places()[0]))


def remove(folder: Path) -> None:
    """Remove a folder that `make` made."""
    if _NAME.fullmatch(folder.name):
        shutil.rmtree(folder, ignore_errors=True)


def forget(pid: int, folder: Path) -> None:
    """Forget what is true of living processes alone (their memory, their connections); counts stay."""
    for path in folder.glob(f"gauge_live*_{pid}.db"):
        path.unlink(missing_ok=True)


def forget_the_dead(folder: Path) -> None:
    """Do so for every process that is no more: a folder that somebody else named outlives the service."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdecimal() and not _is_alive(int(pid)):
            path.unlink(missing_ok=True)


def _places() -> list[Path]:
    """Return where the folder may be, the best first."""
    places = [Path(tempfile.gettempdir())]
    with suppress(OSError):
        if os.access(_SHARED, os.W_OK | os.X_OK) and shutil.disk_usage(_SHARED).free >= _ROOM:
            places.insert(0, _SHARED)
    return places


def _sweep(place: Path) -> None:
    for path in place.glob(f"{_PREFIX}*"):
        named = _NAME.fullmatch(path.name)
        if not named or int(named[1]) != _numbering():
            continue  # containers may share the memory, and then a number of theirs means nobody here
        if not _is_alive(int(named[2])) and _is_ours(path):
            remove(path)


def _numbering() -> int:
    """Return what tells this numbering of processes from those of other containers."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0


def _is_ours(path: Path) -> bool:
    with suppress(OSError):
        return path.lstat().st_uid == os.geteuid() and not path.is_symlink()
    return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
