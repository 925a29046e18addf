"""The values of the workspace: what to look at, what was found there, and what was left out and why."""

import re
from pathlib import Path

from msgspec import Struct

MEBIBYTE = 1024 * 1024
_BINARY_WITHIN = 8192

# Controls (C0, DEL, C1), lone surrogates, line separators and the characters that turn the writing direction.
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Limits(Struct, frozen=True):
    """How much of a tree is looked at: counts, bytes, levels of directories, seconds."""

    files: int = 200_000
    total_bytes: int = 2048 * MEBIBYTE
    file_bytes: int = 2 * MEBIBYTE
    depth: int = 100
    seconds: float = 120.0


class Location(Struct, frozen=True):
    """A checked place: `relative` is beneath `root`, with `/`, free of links; empty for the root itself."""

    root: Path
    relative: str
    is_dir: bool


class Entry(Struct, frozen=True):
    """A regular file as the walk saw it. `path` is relative to the location's root, with `/`, unescaped."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


class Skipped(Struct, frozen=True):
    """What was left out, and why; `path` is escaped for display (see `shown`), `detail` says which limit.

    Reasons: symlink, fifo, device, socket, too_large, unreadable, undecodable_name, depth, too_many_files,
    too_many_bytes, timeout, minified, virtual_environment, unsupported, binary, vanished; of archives also
    unsafe_name, link, duplicate, encrypted, damaged.
    """

    path: str
    reason: str
    detail: str = ""


class Discovery(Struct, frozen=True):
    """What a walk found, both lists sorted by path."""

    entries: list[Entry]
    skipped: list[Skipped]


def is_binary(content: bytes) -> bool:
    """Tell whether a content is no text: a NUL in its first 8 KiB, as git decides it."""
    return b"\0" in content[:_BINARY_WITHIN]


def shown(name: str) -> str:
    """Write a name so that it cannot drive a terminal: controls, surrogates and bidi marks as escapes.

    >>> shown("a\\x1b[2J.py")
    'a\\\\x1b[2J.py'
    """
    if name.isascii() and name.isprintable():
        return name
    return _UNSHOWABLE.sub(_escaped, name)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as os.fsdecode keeps it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
