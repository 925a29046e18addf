"""The text of a project's files: as of a commit, from git objects alone, or as it lies in the tree now."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hefesto_api.storage.database import Database
    from hefesto_api.storage.projects import ProjectRecord

MOST_BYTES = 1 << 20


class Sources:
    """The files of one project, found where its analyses found them; nothing is checked out or run.

    `roots` are where trees and repositories must lie; None is anywhere (the command line). Paths are the
    project's, as findings have them. No method raises for what is not there or cannot be read.
    """

    def __init__(self, db: Database, project: ProjectRecord, roots: Sequence[Path] | None) -> None:
        self._db = db
        self._project = project
        self._roots = roots

    def read(self, path: str, commit: str | None = None) -> bytes | None:
        """Return a file as of a commit (any revision), or as it lies in the tree now.

        None when it is not to be had: unknown, outside the roots, no regular file, over a megabyte.
        """
        return None

    def resolve(self, revision: str) -> str | None:
        """Return the full hash of a commit that the project's repository knows by that name."""
        return None

    def head(self) -> str | None:
        """Return the commit that is checked out."""
        return None
