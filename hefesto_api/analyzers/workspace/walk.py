"""The walk: every wanted regular file beneath a directory, by descriptors and within limits."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from hefesto_api.analyzers.workspace import gitignore
from hefesto_api.analyzers.workspace.beneath import DIRECTORY, READ
from hefesto_api.analyzers.workspace.values import MEBIBYTE, Discovery, Entry, Limits, Skipped, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Never source: what version control, package managers, build tools and caches keep for themselves.
_VERSION_CONTROL = {".git", ".hg", ".svn", ".bzr", ".jj", "CVS"}
_PACKAGES = {
    "node_modules",
    "bower_components",
    "__pypackages__",
    ".eggs",
    ".yarn",
    ".pnpm-store",
    ".terraform",
}
_BUILDS = {".tox", ".nox", ".gradle", ".next", ".nuxt", ".svelte-kit", ".parcel-cache", ".ipynb_checkpoints"}
_CACHES = {"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"}
NEVER = frozenset(_VERSION_CONTROL | _PACKAGES | _BUILDS | _CACHES)
MINIFIED = (".min.js", ".min.mjs", ".min.cjs", ".min.css", "-min.js", ".bundle.js")
_IGNORE_FILE_BYTES = MEBIBYTE
_CLOCK_EVERY = 1024
_KINDS = {
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


@dataclass(slots=True)
class _Walk:
    """What a walk has seen so far. `stopped` is the reason it ended early."""

    wanted: Callable[[str], bool]
    limits: Limits
    exclude: gitignore.Levels
    deadline: float
    entries: list[Entry] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    directories: int = 0
    total_bytes: int = 0
    stopped: Skipped | None = None


@dataclass(slots=True)
class _Directory:
    """An open directory: `prefix` ends in `/`, `below` are the names still to visit, last first."""

    descriptor: int
    prefix: str
    ignores: gitignore.Levels
    exclude: gitignore.Levels
    below: list[str]


def walk(
    top: int,
    prefix: str,
    ignores: gitignore.Levels,
    *,
    wanted: Callable[[str], bool],
    exclude: Sequence[str],
    limits: Limits,
) -> Discovery:
    """Walk beneath the open directory `top` (left open); paths in the answer start with `prefix`."""
    patterns = gitignore.parse(exclude)
    excluded = (gitignore.starting(patterns),) if patterns else ()
    state = _Walk(wanted, limits, excluded, time.monotonic() + limits.seconds)
    stack = [_scan(state, os.dup(top), prefix, ignores, excluded, is_top=True)]
    try:
        while stack and state.stopped is None:
            _visit(state, stack)
    finally:
        for directory in stack:
            os.close(directory.descriptor)
    if state.stopped:
        state.skipped.append(state.stopped)
    return Discovery(sorted(state.entries, key=_path), sorted(state.skipped, key=_path))


def inherited(root: int, components: Sequence[str]) -> gitignore.Levels:
    """Return the patterns in force above a directory, from the root's own down to its parent's."""
    levels: gitignore.Levels = ()
    current = os.dup(root)
    try:
        for component in components:
            levels = gitignore.entering(levels + _own_patterns(current), component)
            below = os.open(component, DIRECTORY, dir_fd=current)
            os.close(current)
            current = below
    finally:
        os.close(current)
    return levels


def _path(item: Entry | Skipped) -> str:
    return item.path


def _visit(state: _Walk, stack: list[_Directory]) -> None:
    """Enter the next directory of the innermost open one, or leave that."""
    parent = stack[-1]
    if not parent.below:
        os.close(stack.pop().descriptor)
        return
    name = parent.below.pop()
    path = parent.prefix + name
    if len(stack) > state.limits.depth:
        _skip(state, path, "depth", f"deeper than {state.limits.depth} directories")
        return
    try:
        descriptor = os.open(name, DIRECTORY, dir_fd=parent.descriptor)
    except OSError:
        _skip(state, path, "unreadable")
        return
    ignores = gitignore.entering(parent.ignores, name)
    stack.append(_scan(state, descriptor, f"{path}/", ignores, gitignore.entering(parent.exclude, name)))


def _scan(
    state: _Walk,
    descriptor: int,
    prefix: str,
    ignores: gitignore.Levels,
    exclude: gitignore.Levels,
    is_top: bool = False,
) -> _Directory:
    """List a directory: its files go into the walk's lists, its directories into what is still to visit."""
    directory = _Directory(descriptor, prefix, ignores, exclude, [])
    try:
        with os.scandir(descriptor) as listing:
            found = sorted(islice(listing, 4 * state.limits.files), key=_name)
    except OSError:
        _skip(state, prefix.rstrip("/"), "unreadable")
        return directory
    names = {item.name for item in found}
    if "pyvenv.cfg" in names and not is_top:
        _skip(state, prefix.rstrip("/"), "virtual_environment")
        return directory
    if ".gitignore" in names or ".git" in names:
        directory.ignores += _own_patterns(descriptor)
    _sort_out(state, directory, found)
    return directory


def _name(item: os.DirEntry[str]) -> str:
    return item.name


def _sort_out(state: _Walk, directory: _Directory, found: list[os.DirEntry[str]]) -> None:
    levels = directory.ignores + directory.exclude
    for number, item in enumerate(found):
        if number % _CLOCK_EVERY == 0 and _is_over(state):
            return
        name = item.name
        if item.is_dir(follow_symlinks=False):
            if name not in NEVER and not (levels and gitignore.ignored(levels, name, is_dir=True)):
                directory.below.append(name)
        elif _is_of_interest(state, directory.prefix + name, item) and not (
            levels and gitignore.ignored(levels, name, is_dir=False)
        ):
            _take(state, directory.prefix + name, item)
    directory.below = _countable(state, directory)


def _countable(state: _Walk, directory: _Directory) -> list[str]:
    """Return the names of the directories to visit, last first, without those that are no UTF-8."""
    for name in directory.below:
        if not _is_decodable(name):
            _skip(state, directory.prefix + name, "undecodable_name")
    state.directories += len(directory.below)
    return [name for name in reversed(directory.below) if _is_decodable(name)]


def _is_over(state: _Walk) -> bool:
    """Tell whether a limit of the whole walk is reached, and keep which."""
    limits = state.limits
    if time.monotonic() > state.deadline:
        state.stopped = Skipped(".", "timeout", f"stopped after {limits.seconds:g} seconds")
    elif max(len(state.entries), len(state.skipped), state.directories) > limits.files:
        state.entries = state.entries[: limits.files]
        state.skipped = state.skipped[: limits.files]
        state.stopped = Skipped(".", "too_many_files", f"stopped after {limits.files} files")
    elif state.total_bytes > limits.total_bytes:
        state.stopped = Skipped(".", "too_many_bytes", f"stopped after {limits.total_bytes} bytes")
    return state.stopped is not None


def _is_of_interest(state: _Walk, path: str, item: os.DirEntry[str]) -> bool:
    """A wanted file, or a link without a suffix, which may stand for a directory."""
    return state.wanted(path) or ("." not in item.name and item.is_symlink())


def _take(state: _Walk, path: str, item: os.DirEntry[str]) -> None:
    """Keep a file, or why it was left out."""
    try:
        status = item.stat(follow_symlinks=False)
    except OSError:
        _skip(state, path, "unreadable")
        return
    reason = _objection(path, status, state.limits)
    if reason:
        _skip(state, path, reason)
        return
    state.total_bytes += status.st_size
    state.entries.append(_entry(path, status))


def _objection(path: str, status: os.stat_result, limits: Limits) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return _KINDS.get(stat.S_IFMT(status.st_mode), "device")
    if not _is_decodable(path):
        return "undecodable_name"
    if path.endswith(MINIFIED):
        return "minified"
    return "too_large" if status.st_size > limits.file_bytes else None


def _entry(path: str, status: os.stat_result) -> Entry:
    return Entry(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)


def single(path: str, status: os.stat_result, *, wanted: Callable[[str], bool], limits: Limits) -> Discovery:
    """Answer for one file that was asked for by name: ignore files do not apply to it."""
    reason = _objection(path, status, limits) if wanted(path) else "unsupported"
    if reason:
        return Discovery([], [Skipped(shown(path), reason)])
    return Discovery([_entry(path, status)], [])


def _is_decodable(path: str) -> bool:
    if path.isascii():
        return True
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _skip(state: _Walk, path: str, reason: str, detail: str = "") -> None:
    state.skipped.append(Skipped(shown(path) or ".", reason, detail))


def _own_patterns(descriptor: int) -> gitignore.Levels:
    """Read the patterns that a directory holds: its repository's private ones first, then its .gitignore."""
    found = (
        _patterns_of(descriptor, (".git", "info"), "exclude"),
        _patterns_of(descriptor, (), ".gitignore"),
    )
    return tuple(gitignore.starting(patterns) for patterns in found if patterns)


def _patterns_of(descriptor: int, folders: Sequence[str], name: str) -> gitignore.Patterns | None:
    opened: list[int] = []
    try:
        for folder in folders:
            opened.append(os.open(folder, DIRECTORY, dir_fd=(opened or [descriptor])[-1]))
        opened.append(os.open(name, READ, dir_fd=(opened or [descriptor])[-1]))
        return _parsed(opened[-1])
    except OSError:
        return None
    finally:
        for each in opened:
            os.close(each)


def _parsed(descriptor: int) -> gitignore.Patterns | None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return None
    content = os.read(descriptor, _IGNORE_FILE_BYTES)
    return gitignore.parse(os.fsdecode(content.removeprefix(b"\xef\xbb\xbf")).split("\n"))
