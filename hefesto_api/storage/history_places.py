"""Where the files of a project were found: the roots and the folders beneath them that were analysed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from hefesto_api.storage.analyses import analyses
from hefesto_api.storage.history import histories

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session

LATEST = 10

Place = tuple[str, str]
"""A root, which the project's paths are relative to, and a folder or file beneath it ("" is the root)."""


def of_project(session: Session, project_id: str) -> list[Place]:
    """Return the places of a project's files: those of its latest analyses, then those with a history."""
    found: dict[Place, None] = {}
    for options in session.execute(_OPTIONS, {"project_id": project_id}).scalars():
        for place, _is_dir in options.get("places", ()) if options.get("root") else ():
            found[options["root"], place] = None
    for root, place in session.execute(_HISTORIES, {"project_id": project_id}):
        found[root, place] = None
    return list(found)


_OPTIONS = (
    sa.select(analyses.c.options)
    .where(analyses.c.project_id == sa.bindparam("project_id"), analyses.c.kind.in_(["path", "cli"]))
    .order_by(analyses.c.created_at.desc(), analyses.c.id.desc())
    .limit(LATEST)
)
_HISTORIES = sa.select(histories.c.root, histories.c.place).where(
    histories.c.project_id == sa.bindparam("project_id")
)
