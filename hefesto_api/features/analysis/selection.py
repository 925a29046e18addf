"""Which analyses a list of paths makes: one for each git work tree, else for each folder.

Needs no database, so that a command can begin before it opens one (see `cli.head_start`).
"""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hefesto_api.adapters.history import top_level
from hefesto_api.analyzers.workspace import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_EVERYWHERE = (Path("/"),)


class Selection(NamedTuple):
    """What one analysis looks at: places beneath a top, as (relative path, is it a directory)."""

    top: Path
    places: tuple[tuple[str, bool], ...]

    @property
    def path(self) -> str:
        """The path that the analysis is known by: its one place, or "." for the top and for several."""
        return (self.places[0][0] if len(self.places) == 1 else "") or "."

    @property
    def project(self) -> str:
        """The slug of the top's project: its name, and what tells it from another folder of that name."""
        name = re.sub(r"[^a-z0-9]+", "-", self.top.name.lower()).strip("-")[:40] or "root"
        return f"{name}-{sha256(os.fsencode(self.top)).hexdigest()[:8]}"


def select(paths: Iterable[str]) -> list[Selection]:
    """Sort paths by the analysis they belong to: one for each git work tree, else for each folder.

    A folder outside git that lies in another one that was named belongs to that one. Raises
    InvalidFilePath for a path that is not there, or is neither file nor folder, or cannot be read.
    """
    tops: dict[Path, list[tuple[str, bool]]] = {}
    for place, is_dir, top in _located(paths):
        tops.setdefault(top, []).append((place[len(str(top)) :].strip("/"), is_dir))
    return [Selection(top, _without_repeats(tops[top])) for top in sorted(tops)]


def _located(paths: Iterable[str]) -> list[tuple[str, bool, Path]]:
    """Return (real path, is it a directory, top) for each path."""
    tops: dict[str, Path | None] = {}
    found: list[tuple[str, bool, str, Path | None]] = []
    for path in paths:
        location = resolve(os.path.abspath(path), _EVERYWHERE)  # noqa: PTH100 - ".." as the shell means it
        real = str(location.root / location.relative)
        folder = real if location.is_dir else os.path.dirname(real)  # noqa: PTH120 - hundreds of files
        if folder not in tops:
            tops[folder] = top_level(folder)
        found.append((real, location.is_dir, folder, tops[folder]))
    loose = sorted({folder for _, _, folder, top in found if top is None}, key=len)
    return [(real, is_dir, top or _outermost(folder, loose)) for real, is_dir, folder, top in found]


def _outermost(folder: str, named: Sequence[str]) -> Path:
    """Return the outermost of the named folders that holds a folder, itself among them."""
    return Path(next(one for one in named if folder == one or folder.startswith(one.rstrip("/") + "/")))


def _without_repeats(places: Sequence[tuple[str, bool]]) -> tuple[tuple[str, bool], ...]:
    """Drop places that lie in others."""
    folders = {place for place, is_dir in places if is_dir}
    if "" in folders:
        return (("", True),)
    kept = {place: is_dir for place, is_dir in sorted(places) if folders.isdisjoint(_above(place))}
    return tuple(kept.items())


def _above(place: str) -> list[str]:
    parts = place.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]
