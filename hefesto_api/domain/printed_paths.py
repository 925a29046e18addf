"""Paths as machines print them, in logs and traces: made alike, and compared by how they end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

LONGEST: Final = 1_000
SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*://+")
DRIVE = re.compile(r"^(?:[a-zA-Z]:|/[a-zA-Z]:)(?=/)")
VERSION = re.compile(r"@v?\d[^/]*")
# Folders of a machine or of a bundle beneath which a project's (or a library's) own paths begin.
LIBRARIES: Final = ("site-packages", "dist-packages", "node_modules", "pkg/mod", "gems", "vendor")
SOURCE_ROOTS: Final = (
    "src/main/java", "src/main/kotlin", "src/main/scala", "src/test/java", "src/test/kotlin",
    "src", "lib", "app",
)  # fmt: skip


def normalized(file: str) -> str:
    """Return a printed path with `/`, without scheme, drive, query, bundler's prefix and `.` parts."""
    path = file[-LONGEST:].strip().replace("\\", "/")
    if found := SCHEME.match(path):
        rest = path[found.end() :]
        web = found[0].lower().startswith(("http", "webpack", "ng", "app", "capacitor", "vite"))
        path = rest.partition("/")[2] if web and not rest.startswith(("/", ".")) and "/" in rest else rest
        path = re.split(r"[?#]", path, maxsplit=1)[0]
        if found[0].lower().startswith("file") and not DRIVE.match(path):
            path = f"/{path}" if not path.startswith("/") else path
    path = DRIVE.sub("", path)
    while path.startswith("./"):
        path = path[2:]
    return path


def shared_end(candidate: Sequence[str], parts: Sequence[str]) -> int:
    """Count the last parts that two paths share."""
    count = 0
    for one, other in zip(reversed(candidate), reversed(parts), strict=False):
        if one != other:
            break
        count += 1
    return count


def plausible(best: list[str], shared: int, parts: Sequence[str], path: str) -> list[str]:
    """Drop candidates that a longer path speaks against: another library's file of the same name."""
    inside = _beneath_library(path)
    kept = []
    for candidate in best:
        own = candidate.split("/")
        rest = own[: len(own) - shared]
        if inside is not None:
            # a library's path begins where the folder of libraries ends: all of it has to be the project's
            if shared >= len(inside) or (not rest and shared > 1):
                kept.append(candidate)
        elif shared > 1 or len(parts) == 1 or not rest or "/".join(rest) in SOURCE_ROOTS or len(own) == 1:
            kept.append(candidate)
    return kept


def _beneath_library(path: str) -> list[str] | None:
    """Return the parts of a path beneath the last folder of libraries in it; None outside of one."""
    padded = f"/{path}"
    at = max(
        (padded.rfind(f"/{name}/") + len(name) + 2 for name in LIBRARIES if f"/{name}/" in padded), default=0
    )
    return VERSION.sub("", padded[at:]).split("/") if at else None
