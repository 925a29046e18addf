"""Finding the repository that holds a path, and making sure that reading it leads nowhere else.

A `.git` file, a `commondir`, an `alternates` file or a link can point anywhere on the machine, and a FIFO
where a file should be would stop a reader for ever. All of it is looked at before anything is read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

Roots = Sequence[Path] | None

_POINTER_BYTES = 4096
_MOST_FILES = 500_000
_LOOKED_AT = ("HEAD", "config", "packed-refs", "shallow", "commondir", "gitdir", "refs", "objects")
_ALTERNATES_DEPTH = 5


class Unusable(Exception):
    """A repository that is there and must not or cannot be read; the text says why."""


class Place(Struct, frozen=True):
    """Where a repository keeps its things; `top_level` is None for a bare one.

    `git_dir` holds HEAD; `common_dir` objects and refs (another folder only in linked worktrees).
    """

    top_level: Path | None
    git_dir: Path
    common_dir: Path


def locate(path: Path, roots: Roots = None) -> Place | None:
    """Find the repository of a file or directory, no higher than the root that holds it.

    Raises Unusable for a repository that points outside the roots or holds what is no plain file.
    """
    start = Path(os.path.realpath(path))
    place = _bare(start) if _is_allowed(start, roots) else None
    for folder in (start, *start.parents) if place is None else ():
        if not _is_allowed(folder, roots):
            return None
        if os.path.lexists(folder / ".git"):
            place = _with_work_tree(folder, roots)
            break
    if place is not None:
        _vet(place, roots)
    return place


def read_small(folder: Path, relative: str, limit: int) -> bytes | None:
    """Return a regular file's content beneath a folder, following no link; None where there is none."""
    opened = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        *parents, last = relative.split("/")
        for part in parents:
            opened.append(os.open(part, flags | os.O_DIRECTORY, dir_fd=opened[-1]))
        opened.append(os.open(last, flags, dir_fd=opened[-1]))
        return _content(opened[-1], limit)
    except (OSError, ValueError):
        return None
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _content(descriptor: int, limit: int) -> bytes | None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
        return None
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read(limit)


def _is_allowed(path: Path, roots: Roots) -> bool:
    return roots is None or any(path.is_relative_to(os.path.realpath(root)) for root in roots)


def _bare(folder: Path) -> Place | None:
    """A bare repository counts only where it is asked for itself: inside a tree it is part of the tree."""
    if (folder / ".git").exists() or not all((folder / part).is_dir() for part in ("objects", "refs")):
        return None
    return Place(None, folder, folder) if (folder / "HEAD").is_file() else None


def _with_work_tree(folder: Path, roots: Roots) -> Place:
    git_dir = _target(folder / ".git", roots)
    pointer = read_small(git_dir, "commondir", _POINTER_BYTES)
    common_dir = _inside(git_dir / os.fsdecode(pointer).strip(), roots) if pointer else git_dir
    return Place(folder, git_dir, common_dir)


def _target(dot_git: Path, roots: Roots) -> Path:
    """Follow a `.git` file, as submodules and worktrees have it, or a link, to the directory it names."""
    if dot_git.is_file() and not dot_git.is_symlink():
        text = os.fsdecode(read_small(dot_git.parent, ".git", _POINTER_BYTES) or b"")
        if not text.startswith("gitdir: "):
            raise Unusable("its .git file names no directory")
        return _inside(dot_git.parent / text.removeprefix("gitdir: ").rstrip("\r\n"), roots)
    return _inside(dot_git, roots)


def _inside(path: Path, roots: Roots) -> Path:
    if "\0" in str(path):
        raise Unusable("it points to a name that cannot be")
    real = Path(os.path.realpath(path))
    if not _is_allowed(real, roots):
        raise Unusable("it points outside the allowed roots")
    if not real.is_dir():
        raise Unusable("it points to a directory that is not there")
    return real


def _vet(place: Place, roots: Roots) -> None:
    if not os.access(place.git_dir / "HEAD", os.R_OK) or not (place.common_dir / "objects").is_dir():
        raise Unusable("HEAD or its objects are missing or unreadable")
    for folder in {place.git_dir, place.common_dir}:
        for name in _LOOKED_AT:
            _vet_plain(folder / name, roots)
    _vet_alternates(place.common_dir / "objects", roots, _ALTERNATES_DEPTH)


def _vet_alternates(objects: Path, roots: Roots, depth: int) -> None:
    """Look at the other object stores that this one borrows from, as far as libgit2 would follow them."""
    listed = read_small(objects, "info/alternates", _POINTER_BYTES * 16)
    if listed is None and os.path.lexists(objects / "info" / "alternates"):
        raise Unusable("its list of alternates is no plain file")
    for line in os.fsdecode(listed or b"").splitlines():
        if line and not line.startswith("#"):
            if not depth:
                raise Unusable("its alternates are nested too deep")
            other = _inside(objects / line, roots)
            _vet_plain(other, roots)
            _vet_alternates(other, roots, depth - 1)


def _vet_plain(top: Path, roots: Roots) -> None:
    """Refuse what is neither file nor directory, and links that lead out of the roots."""
    for number, item in enumerate(_everything(top)):
        if number > _MOST_FILES:
            raise Unusable("it has too many files")
        if item.is_symlink():
            _vet_link(Path(item.path), roots)
        elif not item.is_file(follow_symlinks=False):
            raise Unusable("it holds something that is neither a file nor a directory")


def _vet_link(link: Path, roots: Roots) -> None:
    if roots is not None and not _is_allowed(Path(os.path.realpath(link)), roots):
        raise Unusable("it points outside the allowed roots")
    if not (link.is_file() or link.is_dir()):
        raise Unusable("it holds a link to something that is neither a file nor a directory")


def _everything(top: Path) -> Iterator[os.DirEntry[str]]:
    """Yield all but the plain directories, beneath a path, the path itself included."""
    if not top.is_dir() or top.is_symlink():
        with os.scandir(top.parent) as listing:
            yield from (item for item in listing if item.name == top.name)
        return
    stack = [str(top)]
    while stack:
        with os.scandir(stack.pop()) as listing:
            for item in listing:
                if item.is_dir(follow_symlinks=False):
                    stack.append(item.path)
                else:
                    yield item
