"""Keeping projects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.analyzers.workspace import resolve
from hefesto_api.domain import audit, clock
from hefesto_api.domain.errors import Invalid, InvalidFilePath, NotFound
from hefesto_api.storage import jobs, projects

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.projects import ProjectRecord
    from hefesto_api.web.paging import Page

FIELDS = (
    "slug", "name", "root_path", "repository_url", "default_branch", "service_names", "path_mappings",
    "revenue_per_user_usd", "created_at", "updated_at",
)  # fmt: skip
AT_ONCE = 1000  # rows deleted in one transaction


class Listed(NamedTuple):
    """A page of projects, the key after which the next one starts, and how many there are in all."""

    items: list[dict[str, Any]]
    next_key: tuple[str] | None
    total: int


def listed(db: Database, page: Page, allowed: Collection[str] | None) -> Listed:
    """Return a page of the projects that the caller may see, by slug."""
    after = None if page.cursor is None else _slug_of(page.cursor)
    with db.read() as session:
        found, total = projects.page(
            session,
            limit=page.limit + 1,
            offset=0 if after is not None else page.offset,
            after=after,
            descending=page.descending,
            allowed=allowed,
        )
    shown = found[: page.limit]
    key = (shown[-1].slug,) if len(found) > page.limit else None
    return Listed([as_told(project) for project in shown], key, total)


def read(session: Session, slug: str, allowed: Collection[str] | None) -> ProjectRecord:
    """Return a project that the caller may see; raises NotFound."""
    if allowed is not None and slug not in allowed:
        raise NotFound("project", slug)
    return projects.get(session, slug)


def create(db: Database, roots: Sequence[Path], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Make a project; raises Conflict when the slug is taken, InvalidFilePath for its root."""
    given = _checked(roots, wanted)
    with db.write() as session:
        return as_told(projects.create(session, given.pop("slug"), **given))


def change(
    db: Database,
    roots: Sequence[Path],
    slug: str,
    wanted: Mapping[str, Any],
    require: Callable[[Callable[[], Any]], None] = lambda load: None,
) -> dict[str, Any]:
    """Change a project; `require` may raise, given how to load what a GET answers now."""
    given = _checked(roots, wanted)
    with db.write() as session:
        project = projects.get(session, slug)
        require(lambda: as_told(project))
        different = {name: value for name, value in given.items() if getattr(project, name) != value}
        if not different:
            return as_told(project)
        changed = projects.change(session, project, **different)
        changes = audit.changed({name: getattr(project, name) for name in different}, different)
        audit.note("project.updated", "project", slug, changes, project=slug)
        return as_told(changed)


def delete(db: Database, slug: str, require: Callable[[Callable[[], Any]], None] = lambda load: None) -> None:
    """Delete a project with all that belongs to it, a part at a time, so that nobody waits long."""
    with db.write() as session:
        project = projects.get(session, slug)
        require(lambda: as_told(project))
        jobs.cancel_lanes(session, f"analysis:{project.id}:")
        audit.note("project.deleted", "project", slug, {"name": project.name}, project=slug)
    while True:
        with db.write() as session:
            if not projects.delete_some(session, project.id, limit=AT_ONCE):
                projects.delete(session, project.id)
                return


def as_told(project: ProjectRecord) -> dict[str, Any]:
    """Return a project as it goes over the wire."""
    told = {name: getattr(project, name) for name in FIELDS}
    moments = {name: clock.rfc3339(getattr(project, name)) for name in ("created_at", "updated_at")}
    return told | moments


def _checked(roots: Sequence[Path], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with the root as it really lies; raises InvalidFilePath."""
    given = dict(wanted)
    if given.get("root_path") is not None:
        location = resolve(given["root_path"], roots)
        if not location.is_dir:
            raise InvalidFilePath(given["root_path"], "not_readable", "The root of a project is a folder.")
        given["root_path"] = str(Path(location.root, location.relative))
    return given


def _slug_of(cursor: tuple[Any, ...]) -> str:
    if len(cursor) != 1 or not isinstance(cursor[0], str):
        raise Invalid("cursor", "This is no cursor of this list.")
    return cursor[0]
