"""The history of a tree of files: git, read without running anything, or none."""

from __future__ import annotations

import os
from pathlib import Path

from hefesto_api.adapters.history import refs
from hefesto_api.adapters.history.port import Commit, History, Logged, NoHistory
from hefesto_api.adapters.history.repository import Roots, Unusable, locate
from hefesto_api.domain.errors import HefestoError

__all__ = ["Commit", "History", "Logged", "NoHistory", "checked_out", "open_history", "top_level"]


def open_history(path: str | os.PathLike[str], roots: Roots = None) -> History:
    """Open the history of a file or directory.

    With `roots` the repository, and all that it points to, must lie inside them (requests over HTTP);
    without, it may lie anywhere above the path (the command line). Answers a NoHistory where there is no
    repository, or with its `reason` where there is one that cannot be used.
    """
    try:
        place = locate(Path(path), roots)
    except Unusable as error:
        return NoHistory(str(error))
    except (OSError, ValueError):
        return NoHistory("it cannot be read")
    if place is None:
        return NoHistory()
    if refs.is_sha256(place):
        return NoHistory("its objects are named by SHA-256, which is not supported")
    # libgit2 takes 70 ms to load, which a command that needs no history should not pay.
    from hefesto_api.adapters.history.objects import GitHistory  # noqa: PLC0415

    return GitHistory(place)


def checked_out(path: str | os.PathLike[str], roots: Roots = None) -> tuple[str | None, str | None]:
    """Return the commit and the branch that are checked out, if any; loads no git library."""
    try:
        place = locate(Path(path), roots)
        return refs.head(place) if place is not None else (None, None)
    except (HefestoError, Unusable, OSError, ValueError):
        return None, None


def top_level(path: str | os.PathLike[str], roots: Roots = None) -> Path | None:
    """Return the top directory of the work tree that holds a path; loads no git library."""
    try:
        place = locate(Path(path), roots)
    except (Unusable, OSError, ValueError):
        return None
    return place.top_level if place else None
