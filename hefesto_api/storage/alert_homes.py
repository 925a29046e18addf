"""Where what came in belongs: to which project, and to which of its files."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from hefesto_api.domain.mapping import PathIndex, PathMapping
from hefesto_api.storage.analyses import analyses
from hefesto_api.storage.contents import project_files
from hefesto_api.storage.projects import projects

if TYPE_CHECKING:
    from collections.abc import Callable

    from hefesto_api.domain.alert import IncomingAlert, IncomingDeployment
    from hefesto_api.domain.traces import Frame
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database

DEFAULT = "default"


class Home(NamedTuple):
    """A project: its id, or None for one that is still to be made."""

    slug: str
    id: str | None


class Homes:
    """The projects as they are at one moment, and what is known of their files."""

    def __init__(self, db: Database, session: Session) -> None:
        self._db = db
        rows = session.execute(_PROJECTS).fetchall()
        self._ids = {row.slug: row.id for row in rows}
        self._slugs = {row.id: row.slug for row in rows}
        self._services = {name: row.id for row in reversed(rows) for name in row.service_names}
        self._mappings = {row.id: row.path_mappings for row in rows}
        self._known: dict[str, Callable[[Frame], bool] | None] = {}

    def of(
        self, item: IncomingAlert | IncomingDeployment, project_id: str | None, *, may_choose: bool
    ) -> Home:
        """Return the project that something belongs to.

        It is that of the source it came from (`project_id`); else, where nobody's secret binds it
        (`may_choose`), the one it names; else the one whose service it tells of; else `default`.
        """
        if project_id in self._slugs:
            return Home(self._slugs[project_id], project_id)
        if may_choose and item.project:
            return Home(item.project, self._ids.get(item.project))
        found = self._services.get(item.service_name or "")
        slug = self._slugs[found] if found else DEFAULT
        return Home(slug, self._ids.get(slug))

    def default(self) -> Home:
        """Return the project of what belongs to no other."""
        return Home(DEFAULT, self._ids.get(DEFAULT))

    def is_ours(self, home: Home) -> Callable[[Frame], bool] | None:
        """Return what tells whether a frame is the project's; None when none of its files are known."""
        if home.id is None:
            return None
        if home.id not in self._known:
            self._known[home.id] = self._membership(home.id)
        return self._known[home.id]

    def _membership(self, project_id: str) -> Callable[[Frame], bool] | None:
        with self._db.read() as session:
            latest = session.execute(_LATEST, {"project": project_id}).scalar()
        index = _index(self._db, project_id, latest) if latest else None
        if not index:
            return None
        mappings = [PathMapping(one["from"], one["to"]) for one in self._mappings[project_id]]
        return lambda frame: (
            (found := index.find(frame.file, mappings, frame.module)).how != "missing"
            or bool(found.candidates)
        )


@lru_cache(maxsize=8)
def _index(db: Database, project_id: str, _analysis_id: str) -> PathIndex:
    """Return the project's files, read anew after each analysis."""
    with db.read() as session:
        return PathIndex(session.execute(_PATHS, {"project": project_id}).scalars())


_PROJECTS = sa.select(
    projects.c.id, projects.c.slug, projects.c.service_names, projects.c.path_mappings
).order_by(projects.c.id)
_LATEST = (
    sa.select(analyses.c.id)
    .where(analyses.c.project_id == sa.bindparam("project"), analyses.c.status == "completed")
    .order_by(analyses.c.created_at.desc())
    .limit(1)
)
_PATHS = (
    sa.select(project_files.c.path).where(project_files.c.project_id == sa.bindparam("project")).distinct()
)
