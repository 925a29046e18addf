"""What the rest of the program may ask of a repository's history, and the twin for where there is none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from hefesto_api.domain.errors import AnalysisFailed, NotFound
from hefesto_api.domain.hunks import FileChange


class Commit(Struct, frozen=True):
    """One commit: `time` is the author's, aware, in UTC; `branch` is known only for what is checked out."""

    hash: str
    author: str
    email: str
    time: datetime
    message: str
    branch: str | None = None


class Logged(Struct, frozen=True):
    """A commit in the order of a log, with its parents (those of them that are not there included)."""

    hash: str
    parents: tuple[str, ...]


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

    def has(self, commit: str) -> bool:
        """Tell whether a full hash names something that is there."""

    def log(self, head: str, is_known: Callable[[str], bool], limit: int) -> list[Logged]:
        """Return the commits of a full hash and its ancestors that are not known: children before parents.

        The younger first where that leaves a choice, and at most `limit`. What is known is not looked
        behind, and what is not there (a shallow clone) is left out.
        """

    def changes(self, commit: str, prefix: str = "") -> list[FileChange]:
        """Return what a commit did to the files beneath a folder (ending in `/`), against its parents.

        Paths are from `top_level`, as ever. Empty where a parent is not there.
        """


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

    def has(self, commit: str) -> bool:
        """There is nothing."""
        return False

    def log(self, head: str, is_known: Callable[[str], bool], limit: int) -> list[Logged]:
        """There is no commit."""
        return []

    def changes(self, commit: str, prefix: str = "") -> list[FileChange]:
        """There is no commit."""
        raise NotFound("commit", self.resolve(commit))
