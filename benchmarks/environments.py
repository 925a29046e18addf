"""A virtual environment for each tool under comparison, built from the package index into the cache."""

from __future__ import annotations

import subprocess
import sys
import venv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def environment(requirement: str, cache: Path) -> Path:
    """Return the folder of an environment that holds just `requirement` (`name==version`) and what it needs.

    Raises CalledProcessError when it cannot be installed; nothing half-built is used again.
    """
    major, minor = sys.version_info[:2]
    folder = cache / "venvs" / f"{requirement.replace('==', '-')}-py{major}.{minor}"
    ready = folder / ".ready"
    if not ready.exists():
        venv.create(folder, clear=True, with_pip=True)
        pip = [
            str(folder / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        subprocess.run([*pip, requirement], check=True)
        ready.touch()
    return folder
