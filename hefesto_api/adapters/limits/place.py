"""Where the processes of an installation find the counts that they share, and who tidies up after it.

In memory, where the system has such a folder; private to the user; named by the database, for whoever serves
the same one on this host has the same callers; and by the boot, since the counts' clock begins with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import time
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from hefesto_api.adapters.limits import memory

if TYPE_CHECKING:
    from hefesto_api.settings import Settings

FILE = "counts.map"
STALE_SECONDS = 2 * 86_400.0  # nothing counts for longer than a day
_SHARED = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it, and looked at before it is used
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def file_for(settings: Settings) -> Path:
    """Return the file of an installation, its folder made; raises OSError when that is not ours alone."""
    given = settings.rate_limit_folder
    parent = Path(given).expanduser().absolute() if given else _default_folder()
    folder = parent / f"{_prefix()}{_installation(settings)}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
        raise OSError(f"{folder} is not a folder of this user alone")
    tidy(parent, sparing=folder)
    return folder / FILE


def tidy(parent: Path, *, sparing: Path) -> None:
    """Remove what installations left behind that nobody has used for days."""
    for folder in parent.glob(f"{_prefix()}*"):
        with contextlib.suppress(OSError):
            file = folder / FILE
            if folder != sparing and _age(file) > STALE_SECONDS and memory.unused(file):
                shutil.rmtree(folder)


def _age(file: Path) -> float:
    """Return the seconds since a file was last known to be used."""
    about = file if file.exists() else file.parent
    return time.time() - about.stat().st_mtime


def _default_folder() -> Path:
    return _SHARED if os.access(_SHARED, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def _prefix() -> str:
    return f"hefesto-limits-{os.geteuid()}-"


def _installation(settings: Settings) -> str:
    boot = ""
    with contextlib.suppress(OSError):
        boot = _BOOT.read_text("ascii").strip()
    return blake2b(f"{boot} {settings.database_url}".encode(), digest_size=12).hexdigest()
