"""Configuring sources: which tool may send alerts of which project, and the secret that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.domain import audit, clock, ids, sealed
from hefesto_api.domain.errors import Conflict, Invalid, NotFound
from hefesto_api.formats.alerts import SOURCES
from hefesto_api.storage import alert_sources, projects

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from hefesto_api.adapters.secrets import Vault
    from hefesto_api.storage.alert_sources import SourceRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.web.paging import Page

LEAST_SECRET = 16  # characters; fewer can be guessed
FIELDS = ("id", "source", "project", "credential", "url", "setup", "created_at", "updated_at")
ADDRESS = "/api/v1/iris/webhook"


class Listed(NamedTuple):
    """A page of sources, the key after which the next one starts, and how many there are in all."""

    items: list[dict[str, Any]]
    next_key: tuple[str] | None
    total: int


def listed(db: Database, query: Mapping[str, Any], allowed: Collection[str] | None) -> Listed:
    """Return a page of the sources of projects that the caller may see, the oldest first."""
    page: Page = query["page"]
    after = None if page.cursor is None else _id_of(page.cursor)
    with db.read() as session:
        found, total = alert_sources.page(
            session,
            project_ids=projects.chosen(session, query.get("project"), allowed),
            source=query.get("source"),
            limit=page.limit + 1,
            offset=0 if after is not None else page.offset,
            after=after,
        )
        slugs = projects.slugs(session, (one.project_id for one in found))
    shown = found[: page.limit]
    key = (shown[-1].id,) if len(found) > page.limit else None
    return Listed([as_told(one, slugs[one.project_id]) for one in shown], key, total)


def create(db: Database, vault: Vault, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Configure a source; raises Conflict when the project has one of that kind."""
    source_id = ids.new_id()
    kind, secret = _credential(vault, source_id, wanted)
    with db.write() as session:
        project = projects.ensure(session, wanted["project"])
        if any(one.project_id == project.id for one in alert_sources.of_kind(session, wanted["source"])):
            message = f"The project {project.slug!r} has a source {wanted['source']!r}; change that one."
            raise Conflict(message, resource_type="alert_source")
        made = alert_sources.create(session, wanted["source"], project.id, secret, kind, source_id=source_id)
        told = as_told(made, project.slug)
        _note("alert_source.created", source_id, {}, told)
        return told


def read(session: Session, source_id: str, allowed: Collection[str] | None) -> dict[str, Any]:
    """Return a source that the caller may see; raises NotFound."""
    found = alert_sources.get(session, source_id)
    slug = projects.by_id(session, found.project_id).slug
    if allowed is not None and slug not in allowed:
        raise NotFound("alert_source", source_id)
    return as_told(found, slug)


def change(
    db: Database,
    vault: Vault,
    source_id: str,
    wanted: Mapping[str, Any],
    allowed: Collection[str] | None,
    require: Callable[[Callable[[], Any]], None] = lambda load: None,
) -> dict[str, Any]:
    """Change a source; `require` may raise, given how to load what a GET answers now."""
    with db.write() as session:
        told = read(session, source_id, allowed)
        require(lambda: told)
        values: dict[str, Any] = {}
        if "secret" in wanted or "token" in wanted:
            values["kind"], values["secret"] = _credential(vault, source_id, wanted)
        if wanted.get("project", told["project"]) != told["project"]:
            values["project_id"] = projects.ensure(session, wanted["project"]).id
        if values:
            alert_sources.change(session, source_id, **values)
        changed = read(session, source_id, None)
        if values:
            _note("alert_source.updated", source_id, told, changed, new_secret="secret" in values)
        return changed


def delete(
    db: Database,
    source_id: str,
    allowed: Collection[str] | None,
    require: Callable[[Callable[[], Any]], None] = lambda load: None,
) -> None:
    """Delete a source; what it sent stays."""
    with db.write() as session:
        told = read(session, source_id, allowed)
        require(lambda: told)
        alert_sources.delete(session, source_id)
        _note("alert_source.deleted", source_id, told, {})


def secret_of(vault: Callable[[], Vault], source: SourceRecord) -> bytes:
    """Return a source's secret; raises SecretUnreadable when its key is gone.

    The vault is asked for when it is needed: what an earlier version stored as it was needs none.
    """
    if not sealed.is_sealed(source.secret):
        return source.secret.encode("utf-8", "surrogatepass")
    return vault().decrypt(source.secret, purpose=alert_sources.PURPOSE, row=source.id)


def _note(
    action: str,
    source_id: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    new_secret: bool = False,
) -> None:
    """Note for the audit log what of a source is changed; of its secret, that it is."""
    names = ("source", "project", "credential")
    changes: dict[str, Any] = {
        name: {"from": before.get(name), "to": after.get(name)}
        for name in names
        if before.get(name) != after.get(name)
    }
    if new_secret:
        changes["secret"] = {"from": "former", "to": "new"}
    slug = after.get("project") or before.get("project")
    audit.note(action, "alert_source", source_id, changes, project=slug)


def project_id(db: Database, slug: str) -> str:
    """Return the id of a project, which is made when it is not there yet."""
    with db.read() as session:
        found = projects.find(session, slug)
    if found is not None:
        return found.id
    with db.write() as session:
        return projects.ensure(session, slug).id


def as_told(source: SourceRecord, slug: str) -> dict[str, Any]:
    """Return a source as it goes over the wire: all but its secret."""
    return {
        "id": source.id,
        "source": source.source,
        "project": slug,
        "credential": source.kind,
        "url": f"{ADDRESS}/{source.source}",
        "setup": SOURCES[source.source].setup,
        "created_at": clock.rfc3339(source.created_at),
        "updated_at": clock.rfc3339(source.updated_at),
    }


def _credential(vault: Vault, source_id: str, wanted: Mapping[str, Any]) -> tuple[str, str]:
    kind = "secret" if "secret" in wanted else "token"
    secret = wanted[kind].encode("utf-8", "surrogatepass")
    return kind, vault.encrypt(secret, purpose=alert_sources.PURPOSE, row=source_id)


def _id_of(cursor: tuple[Any, ...]) -> str:
    if len(cursor) != 1 or not isinstance(cursor[0], str):
        raise Invalid("cursor", "This is no cursor of this list.")
    return cursor[0]
