"""What the rest of the program may ask of a repository's history, and the twin for where there is none."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from hefesto_api.domain.errors import AnalysisFailed, NotFound


class Commit(Struct, frozen=True):
    """One commit: `time` is the author's, aware, in UTC; `branch` is known only for what is checked out."""

    hash: str
    author: str
    email: str
    time: datetime
    message: str
    branch: str | None = None


class History(Protocol):
    """The past of a tree of files. Paths are relative to `top_level`, with `/`."""

    top_level: Path | None

    def head(self) -> Commit | None:
        """Return the commit that is checked out."""

    def resolve(self, revision: str) -> str:
        """Return the full hash of a commit; raises NotFound."""

    def commit(self, commit: str) -> Commit:
        """Return what a commit says of itself; raises NotFound."""

    def blob(self, commit: str, path: str) -> bytes | None:
        """Return a file as of a commit; raises NotFound for the commit."""

    def tree_ids(self, commit: str, prefix: str = "") -> dict[str, str]:
        """Return the blob hash of every file as of a commit; raises NotFound for the commit."""

    def content(self, blob: str) -> bytes | None:
        """Return the content of a hash that `tree_ids` named; None when it is too large."""

    def blob_id(self, content: bytes) -> str:
        """Return the hash to compare with those of `tree_ids`."""

    def remote_url(self) -> str | None:
        """Return where the repository comes from, without credentials."""


class NoHistory:
    """The history of what is in no repository, or in one that cannot be used (`reason` says why)."""

    top_level: Path | None = None

    def __init__(self, reason: str | None = None) -> None:
        self.reason = reason

    def head(self) -> Commit | None:
        """Nothing is checked out."""
        return None

    def resolve(self, revision: str) -> str:
        """There is no commit: NotFound, or AnalysisFailed with what is wrong with the repository."""
        if self.reason:
            raise AnalysisFailed(f"The git repository cannot be used: {self.reason}.", reason=self.reason)
        raise NotFound("commit", revision[:250].encode("utf-8", "backslashreplace").decode())

    def commit(self, commit: str) -> Commit:
        """There is no commit."""
        raise NotFound("commit", self.resolve(commit))

    def blob(self, commit: str, path: str) -> bytes | None:
        """There is no commit to look in."""
        raise NotFound("commit", self.resolve(commit))

    def tree_ids(self, commit: str, prefix: str = "") -> dict[str, str]:
        """There is no commit to look in."""
        raise NotFound("commit", self.resolve(commit))

    def content(self, blob: str) -> bytes | None:
        """There is nothing to read."""
        raise NotFound("commit", self.resolve(blob))

    def blob_id(self, content: bytes) -> str:
        """Return git's hash of a content."""
        header = b"blob %d\0" % len(content)
        return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()

    def remote_url(self) -> str | None:
        """It comes from nowhere."""
        return None
