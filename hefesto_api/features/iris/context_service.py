"""Whose code is asked for: the project that was named, else the first that has the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.features.iris import context
from hefesto_api.storage import projects

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from hefesto_api.adapters.memory import Memory
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.projects import ProjectRecord

MOST_PROJECTS = 50


def context_of(
    db: Database,
    memory: Memory,
    roots: tuple[Path, ...],
    query: Mapping[str, Any],
    allowed: Collection[str] | None,
) -> dict[str, Any]:
    """Return the code context that is asked for; `allowed` are the slugs of what the caller may see."""
    path = query["file_path"]
    with db.read() as session:
        project = _project(session, memory, query.get("project"), path, allowed)
    return context.code_context(
        db, project, roots, path, query.get("line_number"), query.get("commit_hash"), memory
    )


def _project(
    session: Session, memory: Memory, slug: str | None, path: str, allowed: Collection[str] | None
) -> ProjectRecord | None:
    if slug is not None:
        return projects.find(session, slug) if allowed is None or slug in allowed else None
    visible, _ = projects.page(session, limit=MOST_PROJECTS, allowed=allowed)
    fallback = None
    for project in visible:
        named = context.path_of(session, memory, project, path)
        if named is not None and context.is_analysed(session, memory, project, named):
            return project
        fallback = fallback or (project if named is not None else None)
    return fallback
