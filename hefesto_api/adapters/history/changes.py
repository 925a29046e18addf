"""What a commit did to which lines of which files, by libgit2's comparison of trees and blobs.

Bounded for the commits that bring in a foreign tree: files beyond `MOST_FILES`, those over `FILE_BYTES` and
all that come after `COMMIT_BYTES` were read are named without hunks. A file that was added needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pygit2
from pygit2.enums import ConfigLevel, DeltaStatus, DiffFind, DiffOption, FileMode, ObjectType

from hefesto_api.domain.hunks import FileChange, Hunk, Hunks, ParentDiff

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_FILES = 2_000
FILE_BYTES = 1 << 20
COMMIT_BYTES = 64 << 20
RENAME_PAIRS = 40_000
RENAME_BYTES = 32 << 20
_REGULAR = frozenset({FileMode.BLOB, FileMode.BLOB_EXECUTABLE})
_FLAGS = DiffOption.INDENT_HEURISTIC

# What libgit2 does must not depend on the machine: it would read the user's and the system's settings.
for _level in (ConfigLevel.PROGRAMDATA, ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL):
    pygit2.settings.search_path[_level] = ""


class _Side(NamedTuple):
    """A file on one side of a comparison."""

    path: str
    blob: pygit2.Oid


class Comparison:
    """Compares the commits of one object store with their parents."""

    def __init__(self, odb: pygit2.Odb) -> None:
        self._odb = odb
        self._repository: Any = pygit2.Repository()  # its objects are of more kinds than its types say
        self._repository.set_odb(odb)
        self._read = 0

    def changes(self, commit: str, prefix: str = "") -> list[FileChange]:
        """Return what a commit did to the files beneath a folder; parents that are not there are left out.

        May raise what libgit2 raises for damaged objects.
        """
        self._read = 0
        found = self._repository[pygit2.Oid(hex=commit)]
        if not isinstance(found, pygit2.Commit):
            return []
        parents = [one for one in map(self._commit, found.parent_ids) if one is not None]
        if len(parents) < len(found.parent_ids):  # where a shallow clone ends nothing is known
            return []
        tree = _beneath(found.tree, prefix)
        trees = [_beneath(parent.tree, prefix) for parent in parents]
        first = trees[0] if trees else None
        made = self._compared(first, tree) if tree or first else []
        return [self._completed(one, tree, trees[1:], prefix) for one in made]

    def _commit(self, oid: pygit2.Oid) -> pygit2.Commit | None:
        found = self._repository.get(oid)
        return found if isinstance(found, pygit2.Commit) else None

    def _compared(self, old: pygit2.Tree | None, new: pygit2.Tree | None) -> list[FileChange]:
        if old is not None and new is not None:
            if old.id == new.id:
                return []
            diff = old.diff_to_tree(new, flags=_FLAGS, context_lines=0)
            self._find_renames(diff)
        elif new is not None:
            diff = new.diff_to_tree(flags=_FLAGS, context_lines=0, swap=True)
        else:
            assert old is not None  # noqa: S101 - one of them is there
            diff = old.diff_to_tree(flags=_FLAGS, context_lines=0)
        return list(self._changes(diff))

    def _find_renames(self, diff: pygit2.Diff) -> None:
        """Pair files that vanished with those that appeared: by content where that is affordable."""
        gone, came = [], []
        for delta in diff.deltas:
            if delta.status == DeltaStatus.DELETED and delta.old_file.mode in _REGULAR:
                gone.append(delta.old_file.id)
            elif delta.status == DeltaStatus.ADDED and delta.new_file.mode in _REGULAR:
                came.append(delta.new_file.id)
        if not gone or not came:
            return
        flags = DiffFind.FIND_RENAMES
        if len(gone) * len(came) > RENAME_PAIRS or sum(map(self._size, (*gone, *came))) > RENAME_BYTES:
            flags |= DiffFind.FIND_EXACT_MATCH_ONLY
        diff.find_similar(flags=flags, rename_limit=RENAME_PAIRS)

    def _changes(self, diff: pygit2.Diff) -> Iterator[FileChange]:
        looked_into = 0
        for number, delta in enumerate(diff.deltas):
            old, new = delta.old_file, delta.new_file
            old_path, new_path = _path(old), _path(new)
            was = old.mode in _REGULAR and delta.status != DeltaStatus.ADDED
            became = new.mode in _REGULAR and delta.status != DeltaStatus.DELETED
            if became and not was:
                yield FileChange(new_path, "added")
            elif was and not became:
                yield FileChange(old_path, "deleted")
            elif was and became:
                looked_into += 1
                hunks = self._hunks(diff, number, old.id, new.id) if looked_into <= MOST_FILES else None
                moved = old_path if old_path != new_path else None
                if old.id != new.id or moved:
                    yield FileChange(new_path, "modified", moved, hunks)
                if moved:
                    yield FileChange(moved, "deleted", new_path)

    def _hunks(self, diff: pygit2.Diff, number: int, old: pygit2.Oid, new: pygit2.Oid) -> Hunks | None:
        if old == new:
            return ()
        return _hunks_of(diff[number]) if self._is_affordable(old, new) else None

    def _is_affordable(self, *blobs: pygit2.Oid) -> bool:
        sizes = [self._size(blob) for blob in blobs]
        self._read += sum(sizes)
        return max(sizes) <= FILE_BYTES and self._read <= COMMIT_BYTES

    def _size(self, blob: pygit2.Oid) -> int:
        return int(self._odb.read_header(blob)[1])

    def _completed(
        self, one: FileChange, tree: pygit2.Tree | None, parents: list[pygit2.Tree | None], prefix: str
    ) -> FileChange:
        """Add how a merge's file differs from the other parents', and the folder that was left out."""
        others: tuple[ParentDiff, ...] = ()
        if parents and tree is not None and one.kind != "deleted":
            others = tuple(self._against(parent, tree, one, prefix) for parent in parents)
        other_path = None if one.other_path is None else prefix + one.other_path
        return FileChange(prefix + one.path, one.kind, other_path, one.hunks, others)

    def _against(
        self, parent: pygit2.Tree | None, tree: pygit2.Tree, one: FileChange, prefix: str
    ) -> ParentDiff:
        now = _file(tree, one.path)
        then = _file(parent, one.path) or _file(parent, one.other_path)
        if then is None or now is None:
            return ParentDiff(None)
        if then.blob == now.blob:
            return ParentDiff(prefix + then.path)
        if not self._is_affordable(then.blob, now.blob):
            return ParentDiff(prefix + then.path, None)
        old, new = self._repository[then.blob], self._repository[now.blob]
        patch = old.diff(new, flags=_FLAGS, old_as_path=then.path, new_as_path=now.path, context_lines=0)
        return ParentDiff(prefix + then.path, _hunks_of(patch))


def _beneath(tree: pygit2.Tree, prefix: str) -> pygit2.Tree | None:
    try:
        found = tree[prefix.rstrip("/")] if prefix else tree
    except KeyError:
        return None
    return found if isinstance(found, pygit2.Tree) else None


def _file(tree: pygit2.Tree | None, path: str | None) -> _Side | None:
    try:
        found = tree[path] if tree is not None and path else None
    except (KeyError, ValueError):  # not there, or a name that is no UTF-8
        return None
    if found is None or found.type != ObjectType.BLOB or found.filemode not in _REGULAR or path is None:
        return None
    return _Side(path, found.id)


def _path(file: pygit2.DiffFile) -> str:
    return file.raw_path.decode("utf-8", "surrogateescape")


def _hunks_of(patch: pygit2.Patch | None) -> Hunks | None:
    """Return a patch's hunks; None for a file that is no text."""
    if patch is None or patch.delta.is_binary:
        return None
    return tuple(Hunk(one.old_start, one.old_lines, one.new_start, one.new_lines) for one in patch.hunks)
