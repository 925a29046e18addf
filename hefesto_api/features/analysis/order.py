"""What one analysis is asked to do, and the places its files come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from hefesto_api.analyzers import structure
from hefesto_api.analyzers.archives import Member
from hefesto_api.analyzers.base import SourceFile
from hefesto_api.analyzers.wanted import is_wanted
from hefesto_api.analyzers.workspace import Entry, Limits, Location, Skipped, Tree, open_root

ALL_GROUPS = ("complexity", "security", "code_smells", "best_practices")


class Order(Struct, frozen=True):
    """One analysis to carry out.

    `project_id` is None for content that is kept with its analysis alone. `places` are relative paths
    beneath `root` ("" is all of it); `content` holds inline files or an unpacked archive instead.
    """

    analysis_id: str
    project_id: str | None
    branch: str = ""
    root: Path | None = None
    places: tuple[Place, ...] = ()
    exclude: tuple[str, ...] = ()
    groups: tuple[str, ...] = ALL_GROUPS
    diff_base: str | None = None
    tool: str = "hefesto"  # whose findings these are: ours, or those of the tool whose report is imported

    @property
    def whole(self) -> bool:
        """Whether everything beneath the root is looked at."""
        return any(not place.relative for place in self.places) and not self.exclude

    def covers(self, path: str) -> bool:
        """Tell whether a file of the project lies within what was asked for (exclusions aside)."""
        return any(
            not place.relative or path == place.relative or path.startswith(f"{place.relative}/")
            for place in self.places
        )


class Place(Struct, frozen=True):
    """A file or directory beneath the root."""

    relative: str
    is_dir: bool = True


class Listed(Struct, frozen=True):
    """A file to look at; `stat` is what tells that it did not change, where there is a file system."""

    path: str
    stat: tuple[int, int, int, int] = (0, 0, 0, 0)


class Source(Protocol):
    """Where the files of an analysis come from."""

    skipped: list[Skipped]

    @property
    def files(self) -> Sequence[Listed]:
        """All files to look at, by path."""

    def read(self, file: Listed) -> SourceFile | Skipped:
        """Return one file's content, or why there is none."""

    def exists(self, path: str) -> bool:
        """Tell whether a path that was not listed is there all the same."""


class TreeSource:
    """The files beneath the places of an order, as the workspace lets them be read."""

    def __init__(self, trees: Sequence[Tree], exclude: Sequence[str], limits: Limits) -> None:
        self._tree = trees[0]
        self._limit = limits.file_bytes
        self.skipped: list[Skipped] = []
        entries: dict[str, Entry] = {}
        for tree in trees:
            found = tree.discover(wanted=is_wanted, exclude=exclude, limits=limits)
            entries.update((entry.path, entry) for entry in found.entries)
            self.skipped += found.skipped
        self._entries = entries
        self._kept: dict[str, SourceFile] = {}
        self.files: Sequence[Listed] = [_listed(entries[path]) for path in sorted(entries)]

    def keep(self, source: SourceFile) -> None:
        """Have the next `read` of a file answer what was read of it before."""
        self._kept[source.path] = source

    def read(self, file: Listed) -> SourceFile | Skipped:
        """Return one file's content, or why there is none."""
        if (kept := self._kept.pop(file.path, None)) is not None:
            return kept
        content = self._tree.content(self._entries[file.path], self._limit)
        if isinstance(content, Skipped):
            return content
        return SourceFile(file.path, content, structure.language_of(file.path))

    def exists(self, path: str) -> bool:
        """Tell whether a path that was not listed is there all the same."""
        return self._tree.holds(path)


class GivenSource:
    """Files that were sent along with the request."""

    def __init__(self, members: Iterable[Member | Skipped]) -> None:
        self.skipped: list[Skipped] = []
        self._contents: dict[str, bytes] = {}
        for member in members:
            if isinstance(member, Skipped):
                self.skipped.append(member)
            else:
                self._contents[member.path] = member.content
        self.files: Sequence[Listed] = [Listed(path) for path in sorted(self._contents)]

    def read(self, file: Listed) -> SourceFile | Skipped:
        """Return one file's content, or why there is none."""
        content = self._contents[file.path]
        return SourceFile(file.path, content, structure.language_of(file.path))

    def exists(self, path: str) -> bool:
        """Tell whether a path that was not listed is there all the same."""
        return path in self._contents


@contextmanager
def tree_source(order: Order, limits: Limits) -> Iterator[TreeSource]:
    """Open the root of an order and list the files of its places."""
    root = order.root or Path()
    locations = [Location(root, place.relative, place.is_dir) for place in order.places]
    with open_root(locations[0]) as first:
        trees = [first, *(first.at(location) for location in locations[1:])]
        yield TreeSource(trees, order.exclude, limits)


def _listed(entry: Entry) -> Listed:
    inode = entry.inode if entry.inode < 1 << 63 else entry.inode - (1 << 64)  # as databases keep 64 bits
    return Listed(entry.path, (entry.size, entry.mtime_ns, entry.ctime_ns, inode))
