"""Which of the allowed roots holds a requested path, if any."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from hefesto_api.analyzers.workspace.beneath import DIRECTORY, HANDLE, READ, open_beneath
from hefesto_api.analyzers.workspace.values import Location, shown
from hefesto_api.domain.errors import InvalidFilePath

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_REASONS = {
    errno.EACCES: "not_readable",
    errno.EPERM: "not_readable",
    errno.ELOOP: "not_a_regular_file",
    errno.EXDEV: "outside_roots",
    errno.ENXIO: "not_a_regular_file",
}


def resolve(path: str | os.PathLike[str], roots: Sequence[Path], base: Path | None = None) -> Location:
    """Find the file or directory that a caller named, beneath one of the allowed roots.

    An absolute path must lie in a root; a relative one is looked for in `base` (when that lies in a
    root) and then in each root. A link that stays inside its root is followed here, once; what comes
    back is free of links. Raises InvalidFilePath with the reason.
    """
    named = _plain_text(path)
    missing: InvalidFilePath | None = None
    for candidate in _candidates(named, roots, base):
        try:
            return _locate(named, candidate, roots)
        except InvalidFilePath as error:
            if error.reason != "file_not_found":
                raise
            missing = missing or error
    raise missing or InvalidFilePath(shown(named), "outside_roots")


def _plain_text(path: str | os.PathLike[str]) -> str:
    """Return the path as text that the system can be asked for."""
    named = os.fspath(path)
    try:
        encoded = named.encode()
    except UnicodeEncodeError:
        raise InvalidFilePath(shown(named), "file_not_found") from None
    longest = max(len(part) for part in encoded.split(b"/"))
    if not named.strip() or "\0" in named or longest > 255 or len(encoded) > 4000:
        raise InvalidFilePath(shown(named[:300]), "file_not_found")
    return named


def _candidates(named: str, roots: Sequence[Path], base: Path | None) -> Iterator[str]:
    if os.path.isabs(named):  # noqa: PTH117 - text in, text out: no Path is needed here
        yield _normal(named)
        return
    for folder in (*((base,) if base else ()), *roots):
        yield _normal(f"{folder.absolute()}/{named}")


def _normal(path: str) -> str:
    return "/" + os.path.normpath(path).lstrip("/")


def _locate(named: str, candidate: str, roots: Sequence[Path]) -> Location:
    for root in roots:
        real_root = os.path.realpath(root)
        if (
            _beneath(candidate, _normal(str(root.absolute()))) is None
            and _beneath(candidate, real_root) is None
        ):
            continue
        real = os.path.realpath(candidate)
        relative = _beneath(real, real_root)
        if relative is not None:
            return _inspect(named, real_root, relative)
    raise InvalidFilePath(shown(named), "outside_roots")


def _beneath(path: str, root: str) -> str | None:
    if path == root:
        return ""
    prefix = root.rstrip("/") + "/"
    return path[len(prefix) :] if path.startswith(prefix) else None


def _inspect(named: str, root: str, relative: str) -> Location:
    """See what is there, beneath the root and without links, and whether it can be read."""
    if not relative and os.path.isfile(root):  # noqa: PTH113 - a root may be a single file
        root, relative = os.path.split(root)
    try:
        is_dir = _is_readable_directory(root, relative)
    except OSError as error:
        raise InvalidFilePath(shown(named), _REASONS.get(error.errno or 0, "file_not_found")) from None
    if is_dir is None:
        raise InvalidFilePath(shown(named), "not_a_regular_file")
    return Location(Path(root), relative, is_dir)


def _is_readable_directory(root: str, relative: str) -> bool | None:
    """Tell a directory (True) from a regular file (False) and from anything else (None)."""
    folder = os.open(root, HANDLE | os.O_DIRECTORY)
    try:
        handle = open_beneath(folder, relative or ".", HANDLE)
        mode = os.fstat(handle).st_mode
        os.close(handle)
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            return None
        os.close(open_beneath(folder, relative or ".", DIRECTORY if stat.S_ISDIR(mode) else READ))
        return stat.S_ISDIR(mode)
    finally:
        os.close(folder)
