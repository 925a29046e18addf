"""Real repositories for tests of features: made by git, with commits whose times differ."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FIRST = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class Repository:
    """A repository in a folder; each commit is an hour younger than the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._moment = FIRST
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def commit(self, message: str, author: str = "Ada", **files: str) -> str:
        """Write files (`__` in a name stands for `/`), commit all and return the hash."""
        for name, text in files.items():
            target = self.folder / f"{name.replace('__', '/')}.py"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        self.git("add", "-A")
        self._moment += timedelta(hours=1)
        self.git("commit", "-q", "--allow-empty", "-m", message, author=author)
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str, author: str = "Ada") -> str:
        """Run git there, without anybody's configuration, and return what it prints."""
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_AUTHOR_DATE": self._moment.isoformat(),
            "GIT_COMMITTER_DATE": self._moment.isoformat(),
            "GIT_AUTHOR_NAME": author,
            "GIT_COMMITTER_NAME": author,
            "GIT_AUTHOR_EMAIL": "dev@shop.example",
            "GIT_COMMITTER_EMAIL": "dev@shop.example",
        }
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()
