"""A service whose disk is small and its own: what hard faults are planted in."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.service import SERVE, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

MEGABYTE = 1 << 20


@contextlib.contextmanager
def disk(kind: str, megabytes: int = 24) -> Iterator[Path]:
    """Mount a small disk, and take it away at the end."""
    home = Path(tempfile.mkdtemp(prefix="hefesto-faults-"))
    folder, image = home / "disk", home / "disk.img"
    folder.mkdir()
    if kind == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "hefesto", folder], check=True)
    else:
        with image.open("wb") as file:
            file.truncate(2 * megabytes * MEGABYTE)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        subprocess.run(["mount", "-o", "loop,errors=remount-ro", image, folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def served(folder: Path, **environ: str) -> Iterator[Service]:
    """Serve an installation of which all is on that disk."""
    for name in ("src", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    settings = {
        "HEFESTO_LOG_LEVEL": "info",
        "HEFESTO_LOG_FORMAT": "json",
        "HEFESTO_LOG_FILE": str(folder / "hefesto.log"),
        "HEFESTO_ANALYSIS_PROCESSES": "1",
        "TMPDIR": str(folder / "tmp"),
        **environ,
    }
    service = Service(folder, folder / "src", (*SERVE, "--workers", "2"), settings)
    service.folder = folder.parent  # its standard error is told in the end, whatever becomes of the disk
    service.start()
    try:
        yield service
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(service.pid, signal.SIGTERM)
            service.stop()
        said = service.log()
        if "Traceback" in said:
            print("  on standard error:\n" + said[-1500:])
