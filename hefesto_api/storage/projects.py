"""Projects: what analyses, findings, alerts and deployments belong to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain import audit, clock, ids
from hefesto_api.domain.errors import Conflict, NotFound, PreconditionFailed
from hefesto_api.storage import history_writing, hot
from hefesto_api.storage.base import Json, Session, Text, UtcDateTime, metadata

projects = sa.Table(
    "projects",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("slug", Text, nullable=False, unique=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("root_path", Text),
    sa.Column("repository_url", Text),
    sa.Column("default_branch", Text),
    sa.Column("service_names", Json, nullable=False),
    sa.Column("path_mappings", Json, nullable=False),
    sa.Column("revenue_per_user_usd", sa.Float),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
)


class ProjectRecord(Struct, frozen=True):
    """A row of `projects`; `revision` rises with each change."""

    id: str
    slug: str
    name: str
    root_path: str | None
    repository_url: str | None
    default_branch: str | None
    service_names: list[str]
    path_mappings: list[dict[str, str]]
    revenue_per_user_usd: float | None
    created_at: datetime
    updated_at: datetime
    revision: int


_ALL = sa.select(projects)
_BY_SLUG = _ALL.where(projects.c.slug == sa.bindparam("slug"))
_BY_ID = _ALL.where(projects.c.id == sa.bindparam("id"))
_ID = sa.select(projects.c.id).where(projects.c.slug == sa.bindparam("slug", type_=Text))
_IDS = sa.select(projects.c.id).where(projects.c.slug.in_(sa.bindparam("slugs", expanding=True)))
_COUNT = sa.select(sa.func.count()).select_from(projects)


def create(session: Session, slug: str, *, name: str | None = None, **fields: Any) -> ProjectRecord:
    """Insert a project and return it; raises Conflict when the slug is taken.

    `fields` are columns: root_path, repository_url, default_branch, service_names, path_mappings,
    revenue_per_user_usd.
    """
    if find(session, slug) is not None:
        raise Conflict(f"There is a project {slug!r} already.", resource_type="project", slug=slug)
    record = _new(slug, name, fields)
    session.execute(sa.insert(projects), structs.asdict(record))
    told = {name: getattr(record, name) for name in ("slug", "name", *fields)}
    audit.note("project.created", "project", slug, audit.changed({}, told), project=slug)
    return record


def ensure(session: Session, slug: str) -> ProjectRecord:
    """Return the project of a slug, which a write that names it creates."""
    return find(session, slug) or create(session, slug)


def find(session: Session, slug: str) -> ProjectRecord | None:
    """Return the project of a slug, if there is one."""
    rows = hot.records(session, _BY_SLUG, {"slug": slug})
    return ProjectRecord(*rows[0]) if rows else None


def get(session: Session, slug: str) -> ProjectRecord:
    """Return the project of a slug; raises NotFound."""
    found = find(session, slug)
    if found is None:
        raise NotFound("project", slug)
    return found


def by_id(session: Session, project_id: str) -> ProjectRecord:
    """Return the project of an id; raises NotFound."""
    row = session.execute(_BY_ID, {"id": project_id}).first()
    if row is None:
        raise NotFound("project", project_id)
    return ProjectRecord(*row)


def page(
    session: Session,
    *,
    limit: int,
    offset: int = 0,
    after: str | None = None,
    descending: bool = False,
    allowed: Collection[str] | None = None,
) -> tuple[list[ProjectRecord], int]:
    """Return a page of the projects by slug, and how many there are; `allowed` are the slugs to be seen."""
    visible = [] if allowed is None else [projects.c.slug.in_(list(allowed))]
    slug = projects.c.slug
    behind = [] if after is None else [slug < after if descending else slug > after]
    statement = _ALL.where(*visible, *behind).order_by(slug.desc() if descending else slug)
    rows = session.execute(statement.limit(limit).offset(offset)).fetchall()
    return [ProjectRecord(*row) for row in rows], session.execute(_COUNT.where(*visible)).scalar_one()


def chosen(session: Session, slug: str | None, allowed: Collection[str] | None) -> tuple[str, ...] | None:
    """Return the ids of the projects that a caller asks for and may see; None: of all.

    `slug` None asks for all that may be seen, `allowed` None lets all be seen.
    """
    if slug is None and allowed is None:
        return None
    wanted = list(allowed or ()) if slug is None else [slug] if allowed is None or slug in allowed else []
    if len(wanted) == 1:  # as lists are usually asked for
        return tuple(row[0] for row in hot.fetch(session, _ID, {"slug": wanted[0]}))
    return tuple(session.execute(_IDS, {"slugs": wanted}).scalars())


def slugs(session: Session, project_ids: Iterable[str | None]) -> dict[str, str]:
    """Return the slugs of projects by their id."""
    wanted = {one for one in project_ids if one is not None}
    statement = sa.select(projects.c.id, projects.c.slug).where(projects.c.id.in_(wanted))
    return {row.id: row.slug for row in session.execute(statement)} if wanted else {}


def every_id(session: Session) -> list[str]:
    """Return the ids of all projects."""
    return list(session.execute(sa.select(projects.c.id)).scalars())


def is_seen(session: Session, project_id: str | None, allowed: Collection[str] | None) -> bool:
    """Tell whether a caller may see what belongs to a project; what belongs to none is for who sees all."""
    if allowed is None or project_id is None:
        return allowed is None
    return by_id(session, project_id).slug in allowed


def change(session: Session, project: ProjectRecord, **fields: Any) -> ProjectRecord:
    """Change columns of a project as it was read; raises PreconditionFailed when it changed since."""
    values = {**fields, "updated_at": clock.now(), "revision": project.revision + 1}
    same = sa.and_(projects.c.id == project.id, projects.c.revision == project.revision)
    if session.execute(sa.update(projects).where(same).values(**values)).rowcount != 1:
        raise PreconditionFailed(f"The project {project.slug!r} was changed by somebody else.")
    return structs.replace(project, **values)


def delete(session: Session, project_id: str) -> None:
    """Delete a project with its analyses, findings and their history; raises NotFound."""
    if session.execute(sa.delete(projects).where(projects.c.id == project_id)).rowcount != 1:
        raise NotFound("project", project_id)


def delete_some(session: Session, project_id: str, *, limit: int) -> int:
    """Delete some of what belongs to a project; return how much it was (0: little is left)."""
    for name in ("findings", "analyses", "alerts"):
        table = metadata.tables[name]
        some = sa.select(table.c.id).where(table.c.project_id == project_id).limit(limit)
        if gone := session.execute(sa.delete(table).where(table.c.id.in_(some))).rowcount:
            return gone
    return history_writing.drop_of_project(session, project_id, limit)


def _new(slug: str, name: str | None, fields: dict[str, Any]) -> ProjectRecord:
    now = clock.now()
    columns: dict[str, Any] = {
        "root_path": None,
        "repository_url": None,
        "default_branch": None,
        "service_names": [],
        "path_mappings": [],
        "revenue_per_user_usd": None,
        **fields,
    }
    return ProjectRecord(
        id=ids.new_id(), slug=slug, name=name or slug, created_at=now, updated_at=now, revision=1, **columns
    )
