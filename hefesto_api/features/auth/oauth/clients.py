"""Managing OAuth clients: nobody sees another's, and nobody makes one that may more than he."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.domain import audit, clock, credentials, rights
from hefesto_api.domain.errors import Conflict, Invalid, NotFound
from hefesto_api.storage import oauth_clients, oauth_grants
from hefesto_api.web.errors import InsufficientPermissions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from hefesto_api.domain.access import Principal
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.oauth_clients import ClientRecord
    from hefesto_api.web.paging import Page

SECRET = "hefs_"  # noqa: S105 - what secrets of clients begin with
CLIENT_CREDENTIALS = "client_credentials"
AUTHORIZATION_CODE = "authorization_code"
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a grant
GRANT_TYPES = (AUTHORIZATION_CODE, CLIENT_CREDENTIALS, REFRESH_TOKEN)
FIELDS = (
    "id", "name", "confidential", "grant_types", "redirect_uris", "scopes", "projects", "tier", "user_id",
    "created_by", "is_active", "last_used_at", "rotated_at", "created_at", "updated_at",
)  # fmt: skip
_RESOURCE = "oauth_client"
_TIER = "pro"
_MOMENTS = ("last_used_at", "rotated_at", "created_at", "updated_at")


class Listed(NamedTuple):
    """A page of clients, the key after which the next one starts, and how many there are in all."""

    items: list[dict[str, Any]]
    next_key: tuple[str] | None
    total: int


class Desk(NamedTuple):
    """Who manages clients, and where."""

    db: Database
    caller: Principal


def listed(desk: Desk, page: Page) -> Listed:
    """Return a page of the clients that the caller may manage, the oldest first."""
    after = None if page.cursor is None else _id_of(page.cursor)
    with desk.db.read() as session:
        found, total = oauth_clients.page(
            session,
            user_id=None if rights.governs(desk.caller) else desk.caller.id,
            limit=page.limit + 1,
            offset=0 if after is not None else page.offset,
            after=after,
        )
    shown = found[: page.limit]
    key = (shown[-1].id,) if len(found) > page.limit else None
    return Listed([as_told(one) for one in shown], key, total)


def read(session: Session, caller: Principal, client_id: str) -> ClientRecord:
    """Return a client that the caller may manage; raises NotFound."""
    found = oauth_clients.get(session, client_id)
    if not rights.governs(caller) and (found.user_id is None or found.user_id != caller.id):
        raise NotFound(_RESOURCE, client_id)
    return found


def create(desk: Desk, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Make a client; a confidential one is told its secret, now and never again.

    An admin's are the installation's; everybody else's are his own and may no more than he may at any time.
    Raises InsufficientPermissions for more than the caller has.
    """
    caller = desk.caller
    if caller.kind not in {"user", "anonymous"} and not rights.governs(caller):
        raise InsufficientPermissions("OAuth clients are made by users, and by keys of admins.", "admin")
    _check_kind(wanted["grant_types"], wanted["redirect_uris"], confidential=wanted["confidential"])
    projects = caller.projects if wanted["projects"] is None else wanted["projects"]
    tier = wanted.get("tier") or (_TIER if rights.governs(caller) else caller.tier)
    _refuse_excess(caller, wanted["scopes"], projects, tier)
    secret = credentials.new(SECRET) if wanted["confidential"] else None
    with desk.db.write() as session:
        made = oauth_clients.create(
            session,
            wanted["name"],
            created_by=caller.name,
            secret_hash=None if secret is None else credentials.hashed(secret),
            grant_types=wanted["grant_types"],
            redirect_uris=wanted["redirect_uris"],
            scopes=wanted["scopes"],
            projects=projects,
            tier=tier,
            user_id=caller.id if caller.kind == "user" and not rights.governs(caller) else None,
        )
        audit.note("oauth_client.created", _RESOURCE, made.id, _changes({}, as_told(made)))
    return as_told(made) | {"client_secret": secret}


def change(
    desk: Desk,
    client_id: str,
    wanted: Mapping[str, Any],
    require: Callable[[Callable[[], Any]], None] = lambda load: None,
) -> dict[str, Any]:
    """Change a client; what it was given is narrowed with it at once, and taken when it is switched off."""
    with desk.db.write() as session:
        client = _own(session, desk.caller, client_id)
        told = as_told(client)
        require(lambda: told)
        values = {name: value for name, value in wanted.items() if told[name] != value}
        then = {**told, **values}
        _check_kind(then["grant_types"], then["redirect_uris"], confidential=not client.is_public)
        if "projects" in values and values["projects"] is None:
            then["projects"] = values["projects"] = _listed(desk.caller.projects)
        _refuse_excess(desk.caller, then["scopes"], then["projects"], then["tier"])
        if not then["is_active"]:
            oauth_grants.revoke_all(session, client_id, clock.now())
        if not values:
            return told
        changed = as_told(oauth_clients.change(session, client_id, **values))
        audit.note("oauth_client.updated", _RESOURCE, client_id, _changes(told, changed))
        return changed


def rotate(desk: Desk, client_id: str) -> dict[str, Any]:
    """Give a client a new secret; the former one counts no longer, tokens that it was given go on."""
    secret = credentials.new(SECRET)
    with desk.db.write() as session:
        if _own(session, desk.caller, client_id).is_public:
            raise Conflict("A public client has no secret.", resource_type=_RESOURCE)
        changed = oauth_clients.change(
            session, client_id, secret_hash=credentials.hashed(secret), rotated_at=clock.now()
        )
        audit.note("oauth_client.rotated", _RESOURCE, client_id)
        return as_told(changed) | {"client_secret": secret}


def delete(
    desk: Desk, client_id: str, require: Callable[[Callable[[], Any]], None] = lambda load: None
) -> None:
    """Delete a client; nothing that it was given counts any more."""
    with desk.db.write() as session:
        told = as_told(_own(session, desk.caller, client_id))
        require(lambda: told)
        oauth_clients.delete(session, client_id)
        audit.note("oauth_client.deleted", _RESOURCE, client_id, _changes(told, {}))


def as_told(client: ClientRecord) -> dict[str, Any]:
    """Return a client as it goes over the wire: all but its secret, of which only a hash is kept."""
    told = {name: getattr(client, name) for name in FIELDS if name != "confidential"}
    for name in _MOMENTS:
        told[name] = None if told[name] is None else clock.rfc3339(told[name])
    return told | {"confidential": not client.is_public}


def _own(session: Session, caller: Principal, client_id: str) -> ClientRecord:
    """Return a client that the caller may change: one that may no more than he may now."""
    found = read(session, caller, client_id)
    _refuse_excess(caller, found.scopes, found.projects, found.tier)
    return found


def _check_kind(grant_types: Collection[str], redirect_uris: Collection[str], *, confidential: bool) -> None:
    """Hold a client to what makes sense together."""
    if CLIENT_CREDENTIALS in grant_types and not confidential:
        raise Invalid("grant_types", "client_credentials needs a confidential client.")
    if REFRESH_TOKEN in grant_types and AUTHORIZATION_CODE not in grant_types:
        raise Invalid("grant_types", "refresh_token needs authorization_code: it renews what that gave.")
    if AUTHORIZATION_CODE in grant_types and not redirect_uris:
        raise Invalid("redirect_uris", "authorization_code needs somewhere to send its answers.", "missing")


def _refuse_excess(
    caller: Principal, scopes: Collection[str], projects: Collection[str] | None, tier: str
) -> None:
    more = rights.excess(caller, scopes, projects, tier)
    if more is not None:
        raise InsufficientPermissions(f"Nobody gives what he does not have: {more}.")


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    kept = [name for name in FIELDS if name not in {"id", *_MOMENTS}]
    return audit.changed({name: before.get(name) for name in kept}, {name: after.get(name) for name in kept})


def _listed(projects: Collection[str] | None) -> list[str] | None:
    return None if projects is None else sorted(projects)


def _id_of(cursor: tuple[Any, ...]) -> str:
    if len(cursor) != 1 or not isinstance(cursor[0], str):
        raise Invalid("cursor", "This is no cursor of this list.")
    return cursor[0]
