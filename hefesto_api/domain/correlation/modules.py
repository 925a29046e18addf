"""From the name of an imported module to files of the project."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.domain.mapping import PathIndex

SCRIPTS: Final = (".js", ".ts", ".tsx", ".jsx", ".mjs", "/index.js", "/index.ts", "/index.tsx")
MOST_IN_PACKAGE: Final = 8
LEADING = re.compile(r"^\.*")


def files_of(module: str, importer: str, language: str, index: PathIndex) -> Sequence[str]:
    """Return the files that a module's name stands for, as seen from the file that imports it."""
    if language == "python":
        return _python(module, importer, index)
    if language in ("javascript", "typescript", "tsx"):
        return _script(module, importer, index)
    if language == "java":
        return _by_end(f"{module.replace('.', '/')}.java", index)
    return _go(module, index)


def _python(module: str, importer: str, index: PathIndex) -> Sequence[str]:
    dots = len(LEADING.match(module)[0]) if module.startswith(".") else 0  # type: ignore[index]
    tail = module[dots:].replace(".", "/")
    if dots:
        parts = importer.split("/")[:-dots]
        base = "/".join([*parts, tail] if tail else parts)
        return [one for one in (f"{base}.py", f"{base}/__init__.py") if one in index]
    if not tail:
        return ()
    inside = [one for one in index.inside(tail) if one.endswith("/__init__.py")]
    return _by_end(f"{tail}.py", index) or inside


def _script(module: str, importer: str, index: PathIndex) -> Sequence[str]:
    if not module.startswith("."):
        return ()
    parts = importer.split("/")[:-1]
    for step in module.split("/"):
        if step == "..":
            parts = parts[:-1]
        elif step != ".":
            parts = [*parts, step]
    base = "/".join(parts)
    return [one for one in (base, *(f"{base}{end}" for end in SCRIPTS)) if one in index][:1]


def _go(module: str, index: PathIndex) -> Sequence[str]:
    steps = module.split("/")
    for start in range(len(steps)):
        folder = "/".join(steps[start:])
        if found := [one for one in index.inside(folder) if one.endswith(".go")]:
            return found[:MOST_IN_PACKAGE]
    return ()


def _by_end(tail: str, index: PathIndex) -> Sequence[str]:
    """Return the one file that a path ends with, preferring the whole."""
    if tail in index:
        return (tail,)
    found = [one for one in index.named(tail.rpartition("/")[2]) if one.endswith(f"/{tail}")]
    return found if len(found) == 1 else ()
