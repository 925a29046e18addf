"""Commits, trees and blobs of one repository, read by libgit2 from its object store alone.

libgit2 is given the folder of objects and nothing else: it never sees the repository's configuration,
hooks, filters or index, and it starts no program. Ownership does not matter for the same reason: what
git's `safe.directory` guards against is running what a foreign configuration names.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import pygit2

from hefesto_api.adapters.history import refs
from hefesto_api.adapters.history.changes import Comparison
from hefesto_api.adapters.history.port import Commit, Logged
from hefesto_api.adapters.history.walk import Node, walk
from hefesto_api.domain.errors import AnalysisFailed, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hefesto_api.adapters.history.repository import Place
    from hefesto_api.domain.hunks import FileChange

_FAILURES = (pygit2.GitError, KeyError, ValueError, OSError, MemoryError)
_OBJECT_BYTES = 64 * 1024 * 1024
_MOST_ENTRIES = 400_000
_LONGEST_REVISION = 250
_MOST_STEPS = 10_000
_COMMIT, _TREE, _BLOB, _TAG = 1, 2, 3, 4
_FILE = re.compile(rb"0?100[0-7]{3}")
_DIRECTORY = re.compile(rb"0?40000")
_SIGNATURE = re.compile(r"(.*?) ?<([^<>]*)> ?(-?\d+)(?: ([+-]\d{4}))?")
_HEX = re.compile(r"[0-9a-fA-F]{4,64}")
_STEP = re.compile(r"\^\{(?:commit)?\}|([~^])(\d*)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class GitHistory:
    """The history of one repository. Every method may raise AnalysisFailed when it is damaged."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.top_level: Path | None = place.top_level

    def head(self) -> Commit | None:
        """Return the commit that is checked out, with its branch; None before the first commit."""
        commit, branch = refs.head(self._place)
        return self._commit(commit, branch) if commit else None

    def resolve(self, revision: str) -> str:
        """Return the full hash of the commit that a revision names; raises NotFound.

        Understood: full and abbreviated hashes, branches, tags, HEAD, and `~n`, `^n`, `^{}` behind them.
        """
        base, steps = _split(revision)
        found = self._base(base) if steps is not None else None
        commit = self._peeled(found) if found else None
        for step in steps or ():
            commit = self._step(commit, step) if commit else None
        if commit is None:
            raise NotFound(
                "commit", revision[:_LONGEST_REVISION].encode("utf-8", "backslashreplace").decode()
            )
        return commit

    def commit(self, commit: str) -> Commit:
        """Return what a commit says of itself; raises NotFound."""
        return self._commit(self.resolve(commit), None)

    def blob(self, commit: str, path: str, limit: int = _OBJECT_BYTES) -> bytes | None:
        """Return a file's content as of a commit; None when it was no file then or is over `limit` bytes."""
        found = self._find(self._tree_of(commit), path)
        if found is None or not _FILE.fullmatch(found[0]) or self._header(found[1])[1] > limit:
            return None
        return self._read(found[1], _BLOB)

    def content(self, blob: str, limit: int = _OBJECT_BYTES) -> bytes | None:
        """Return the content of a hash that `tree_ids` named; None when it is over `limit` bytes."""
        return self._read(blob, _BLOB) if self._header(blob)[1] <= limit else None

    def tree_ids(self, commit: str, prefix: str = "") -> dict[str, str]:
        """Return the blob hash of every regular file as of a commit, by path, beneath `prefix`.

        Raises NotFound for the commit; an unknown prefix has no files.
        """
        tree: str | None = self._tree_of(commit)
        folder = prefix.strip("/")
        if folder:
            found = self._find(tree, folder)
            tree = found[1] if found and _DIRECTORY.fullmatch(found[0]) else None
        return dict(self._files(tree, f"{folder}/" if folder else "")) if tree else {}

    def blob_id(self, content: bytes) -> str:
        """Return the hash that this repository would know a content by (SHA-1)."""
        header = b"blob %d\0" % len(content)
        return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()

    def remote_url(self) -> str | None:
        """Return where the repository comes from, without credentials."""
        return refs.remote_url(self._place)

    def has(self, commit: str) -> bool:
        """Tell whether a full hash names something that is there."""
        return self._has(commit)

    def log(self, head: str, is_known: Callable[[str], bool], limit: int) -> list[Logged]:
        """Return the unknown commits that are reachable from a full hash, children before parents."""
        return walk(head, self._node, is_known, limit)

    def changes(self, commit: str, prefix: str = "") -> list[FileChange]:
        """Return what a commit did to the files beneath a folder, against its parents."""
        try:
            return self._comparison.changes(commit, prefix)
        except _FAILURES as error:
            raise _damaged(f"commit {commit[:64]}", error) from None

    def _node(self, commit: str) -> Node | None:
        if not self._has(commit):
            return None
        headers = list(_headers(self._read(commit, _COMMIT)))
        parents = tuple(value for key, value in headers if key == "parent" and len(value) == 40)
        stamp = re.search(r"> (\d{1,12})(?: |$)", dict(headers).get("committer", ""))
        return Node(parents, int(stamp.group(1)) if stamp else 0)

    @cached_property
    def _comparison(self) -> Comparison:
        return Comparison(self._odb)

    @cached_property
    def _odb(self) -> pygit2.Odb:
        try:
            return pygit2.Odb(str(self._place.common_dir / "objects"))
        except _FAILURES as error:
            raise _damaged("its objects", error) from None

    def _base(self, name: str) -> str | None:
        if len(name) == 40 and _HEX.fullmatch(name) and self._has(name):
            return name.lower()  # before any branch of that name, as git does
        found = refs.named(self._place, name) if refs.is_name(name) or name == "@" else None
        if found or not _HEX.fullmatch(name) or len(name) == 40:
            return found
        return self._expanded(name)

    def _expanded(self, abbreviation: str) -> str | None:
        repository = pygit2.Repository()
        repository.set_odb(self._odb)
        try:
            return str(repository.expand_id(abbreviation))
        except _FAILURES:  # unknown or ambiguous
            return None

    def _peeled(self, name: str) -> str | None:
        """Follow tags to the commit behind them; None when there is none."""
        for _ in range(_MOST_STEPS):
            kind, _size = self._header(name)
            if kind == _COMMIT:
                return name
            if kind != _TAG:
                return None
            name = dict(_headers(self._read(name, _TAG))).get("object", "")
        return None

    def _step(self, commit: str, step: re.Match[str]) -> str | None:
        kind, count = step.group(1), int(step.group(2) or 1)
        if kind == "~":
            current: str | None = commit
            for _ in range(count):
                current = self._parent(current, 1) if current else None
            return current
        return self._parent(commit, count) if kind and count else commit

    def _parent(self, commit: str, number: int) -> str | None:
        parents = [value for key, value in _headers(self._read(commit, _COMMIT)) if key == "parent"]
        parent = parents[number - 1] if number <= len(parents) else None
        return parent if parent and self._has(parent) else None  # a shallow clone ends

    def _tree_of(self, commit: str) -> str:
        return dict(_headers(self._read(self.resolve(commit), _COMMIT))).get("tree", "")

    def _commit(self, commit: str, branch: str | None) -> Commit:
        content = self._read(commit, _COMMIT)
        _head, _, message = content.partition(b"\n\n")
        name, email, time = _signature(dict(_headers(content)).get("author", ""))
        return Commit(commit, name, email, time, message.decode("utf-8", "replace").strip(), branch)

    def _find(self, tree: str | None, path: str) -> tuple[bytes, str] | None:
        """Return the mode and hash of what lies at a path beneath a tree."""
        found: tuple[bytes, str] | None = (b"40000", tree) if tree else None
        for part in path.split("/"):
            if found is None or not _DIRECTORY.fullmatch(found[0]):
                return None
            wanted = part.encode("utf-8", "surrogateescape")
            entries = _entries(self._read(found[1], _TREE))
            found = next(((mode, name) for mode, entry, name in entries if entry == wanted), None)
        return found

    def _files(self, tree: str, prefix: str) -> Iterator[tuple[str, str]]:
        stack, seen = [(prefix, tree)], 0
        while stack:
            folder, current = stack.pop()
            for mode, raw, name in _entries(self._read(current, _TREE)):
                seen += 1
                if seen > _MOST_ENTRIES:
                    raise AnalysisFailed(
                        "The commit has too many files to compare with.", limit=_MOST_ENTRIES
                    )
                path = folder + raw.decode("utf-8", "surrogateescape")
                if _DIRECTORY.fullmatch(mode):
                    stack.append((f"{path}/", name))
                elif _FILE.fullmatch(mode):
                    yield path, name

    def _has(self, name: str) -> bool:
        try:
            return pygit2.Oid(hex=name) in self._odb
        except ValueError:
            return False

    def _header(self, name: str) -> tuple[int, int]:
        try:
            kind, size = self._odb.read_header(pygit2.Oid(hex=name))
        except _FAILURES as error:
            raise _damaged(f"object {name[:64]}", error) from None
        return int(kind), size

    def _read(self, name: str, kind: int) -> bytes:
        found, size = self._header(name)
        if found != kind or size > _OBJECT_BYTES:
            raise _damaged(f"object {name[:64]}", ValueError("not what its name was used for, or too large"))
        try:
            return self._odb.read(pygit2.Oid(hex=name))[1]
        except _FAILURES as error:
            raise _damaged(f"object {name[:64]}", error) from None


def _damaged(part: str, error: BaseException) -> AnalysisFailed:
    return AnalysisFailed(
        f"The git repository is damaged or incomplete: {part} cannot be read.", reason=str(error)
    )


def _split(revision: str) -> tuple[str, list[re.Match[str]] | None]:
    """Part a revision into its base and its steps; the steps are None when it cannot be understood."""
    base = re.split(r"[~^]", revision, maxsplit=1)[0]
    suffix = revision[len(base) :]
    steps = list(_STEP.finditer(suffix))
    whole = "".join(step.group() for step in steps) == suffix
    modest = sum(int(step.group(2) or 1) for step in steps if len(step.group(2) or "") < 9) <= _MOST_STEPS
    long = any(len(step.group(2) or "") >= 9 for step in steps)
    return base, steps if whole and modest and not long and len(revision) <= _LONGEST_REVISION else None


def _headers(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield a commit's or tag's header lines; of the signatures only their first lines."""
    for line in content.partition(b"\n\n")[0].split(b"\n"):
        key, _, value = line.decode("utf-8", "replace").partition(" ")
        if key:
            yield key, value


def _signature(text: str) -> tuple[str, str, datetime]:
    found = _SIGNATURE.fullmatch(text)
    if found is None:
        return text, "", _EPOCH
    try:
        time = _EPOCH + timedelta(seconds=int(found.group(3)))
    except (OverflowError, ValueError):
        time = _EPOCH
    return found.group(1), found.group(2), time


def _entries(tree: bytes) -> Iterator[tuple[bytes, bytes, str]]:
    """Yield mode, name and hash of a tree's entries; a cut one ends it."""
    place = 0
    while (end := tree.find(b"\0", place)) >= 0:
        mode, _, name = tree[place:end].partition(b" ")
        yield mode, name, tree[end + 1 : end + 21].hex()
        place = end + 21
