"""The names that files bring along, from an archive or a request: what may stand for a path and what not."""

from __future__ import annotations

import re

_LONGEST, _LONGEST_PART = 4096, 255
_DRIVE = re.compile(r"[A-Za-z]:")


def objection(name: str, depth: int) -> str | None:
    """Return why a name cannot be a path beneath a tree: unsafe_name, undecodable_name or depth."""
    parts = name.replace("\\", "/").split("/")
    if not name.isascii() and not _is_encodable(name):
        return "undecodable_name"
    if "\0" in name or not parts[0] or ".." in parts or _DRIVE.match(name) or not normal(name):
        return "unsafe_name"
    if len(name.encode()) > _LONGEST or max(len(part.encode()) for part in parts) > _LONGEST_PART:
        return "unsafe_name"
    return "depth" if len(parts) > depth + 1 else None


def normal(name: str) -> str:
    """Write a name with `/` between its parts and nothing empty among them."""
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def _is_encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
