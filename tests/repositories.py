"""Repositories for tests: made by git itself, whose word is what ours is measured by."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NOWHERE = os.devnull


class Repository:
    """A work tree with its repository. Each commit is an hour younger than the one before."""

    def __init__(self, folder: Path, *, begins: int = 1_767_258_000) -> None:
        self.folder = folder
        self._time = begins
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        """Run git, apart from the settings of this machine and user."""
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": _NOWHERE,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ana Pérez",
            "GIT_AUTHOR_EMAIL": "ana@shop.example",
            "GIT_AUTHOR_DATE": f"{self._time} +0000",
            "GIT_COMMITTER_NAME": "Ci",
            "GIT_COMMITTER_EMAIL": "ci@shop.example",
            "GIT_COMMITTER_DATE": f"{self._time} +0000",
        }
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments], env=environment, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def write(self, path: str, text: str) -> None:
        """Write a file of the work tree."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def commit(self, message: str = "Change", /, **files: str) -> str:
        """Commit all there is and return the hash; files are written first (`a__b_py` is `a/b.py`)."""
        for name, text in files.items():
            self.write(name.replace("__", "/").replace("_py", ".py"), text)
        self._time += 3600
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head()

    def branch(self, name: str, start: str = "HEAD") -> None:
        """Begin a branch and check it out."""
        self.git("checkout", "-q", "-b", name, start)

    def checkout(self, name: str) -> None:
        """Check a branch or a commit out."""
        self.git("checkout", "-q", name)

    def merge(self, name: str, message: str = "Merge") -> str:
        """Merge a branch, never as a fast-forward; return the merge."""
        self._time += 3600
        self.git("merge", "-q", "--no-ff", "-m", message, name)
        return self.head()

    def head(self) -> str:
        """Return the commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    def line_log(self, path: str, start: int, end: int, commit: str = "HEAD") -> list[str]:
        """Return the commits that git names for some lines of a file."""
        return self.git("log", f"-L{start},{end}:{path}", "--format=%H", "-s", commit).split()
