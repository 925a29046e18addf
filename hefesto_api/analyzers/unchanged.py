"""The lines of a file that is still as it was when it was analysed."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from hefesto_api.analyzers.workspace import Location, open_root, resolve
from hefesto_api.domain.errors import InvalidFilePath

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def lines(roots: Sequence[Path], root: str, path: str, digest: str) -> list[str] | None:
    """Return the lines of a file beneath `root` whose content has a SHA-256 (hex); None for any other.

    They are the file's own, secrets and all: for hashes, not to be shown. `root` must (still) lie within
    what may be read.
    """
    try:
        place = resolve(root, roots)
        with open_root(Location(place.root / place.relative, "", True)) as tree:
            content = tree.read(path)
    except InvalidFilePath:
        return None
    return rows(content) if sha256(content).hexdigest() == digest else None


def rows(content: bytes) -> list[str]:
    """Return the lines of a content; when it ends in a line end, an empty one is the last.

    So that joining them gives the whole text again, which hashes of lines depend on.
    """
    text = content.decode("utf-8-sig", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
