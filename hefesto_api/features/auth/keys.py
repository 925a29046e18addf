"""Keeping API keys: nobody sees another's, and nobody makes one that may more than he."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs

from hefesto_api.domain import api_keys as texts
from hefesto_api.domain import audit, clock, rights
from hefesto_api.domain.errors import Invalid, NotFound
from hefesto_api.features.auth import key_signing
from hefesto_api.storage import admins, api_key_usage, api_keys, users
from hefesto_api.web.errors import InsufficientPermissions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from hefesto_api.adapters.secrets import Vault
    from hefesto_api.domain.access import Principal
    from hefesto_api.storage.api_keys import KeyRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.web.paging import Page

FIELDS = (
    "id", "name", "hint", "role", "scopes", "projects", "tier", "user_id", "created_by", "is_active",
    "require_signature", "expires_at", "last_used_at", "rotated_at", "created_at", "updated_at",
)  # fmt: skip
LONGEST_GRACE = timedelta(days=30)
_RESOURCE = "api_key"
_TIER = "pro"
_MOMENTS = ("expires_at", "last_used_at", "rotated_at", "created_at", "updated_at")
_RIGHTS = ("role", "scopes", "projects", "tier")


class Listed(NamedTuple):
    """A page of keys, the key after which the next one starts, and how many there are in all."""

    items: list[dict[str, Any]]
    next_key: tuple[str] | None
    total: int


class Desk(NamedTuple):
    """Who keeps keys, where: `keeps_admins` when the last admin must not go.

    `vault` opens what signing secrets are sealed with.
    """

    db: Database
    caller: Principal
    vault: Callable[[], Vault]
    keeps_admins: bool = True


def listed(desk: Desk, query: Mapping[str, Any]) -> Listed:
    """Return a page of the keys that the caller may see, the oldest first."""
    page: Page = query["page"]
    with desk.db.read() as session:
        seen = [key for key in api_keys.matching(session, **_reach(desk.caller)) if _sees(desk.caller, key)]
    found = list(_filtered(seen, query))
    after = None if page.cursor is None else _id_of(page.cursor)
    ahead = found[page.offset :] if after is None else [key for key in found if key.id > after]
    shown = ahead[: page.limit]
    next_key = (shown[-1].id,) if len(ahead) > page.limit else None
    return Listed([as_told(key) for key in shown], next_key, len(found))


def read(session: Session, caller: Principal, key_id: str) -> KeyRecord:
    """Return a key that the caller may see; raises NotFound."""
    found = api_keys.get(session, key_id)
    if not _sees(caller, found):
        raise NotFound(_RESOURCE, key_id)
    return found


def create(desk: Desk, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Make a key and return it with its secret, which nobody will see again; who must sign gets another.

    An admin's are the installation's, unless he says whose; everybody else's are his own. Raises
    InsufficientPermissions for more than the caller has.
    """
    caller = desk.caller
    _refuse_keys(caller)
    given = _granted(caller, wanted)
    owner_id = _owner(caller, wanted)
    secret = texts.new_key()
    vault = desk.vault() if wanted.get("require_signature") else None
    with desk.db.write() as session:
        if owner_id is not None and users.find(session, owner_id) is None:
            raise Invalid("user_id", "There is no such user.")
        made = api_keys.create(
            session,
            wanted["name"],
            texts.digest(secret),
            texts.hint(secret),
            created_by=caller.name,
            user_id=owner_id,
            require_signature=wanted.get("require_signature", False),
            expires_at=_future(wanted.get("expires_at")),
            **given,
        )
        shown = _shown(session, vault, secret)
        audit.note("api_key.created", _RESOURCE, made.id, _changes({}, as_told(made)))
    return {**as_told(made), **shown}


def change(
    desk: Desk,
    key_id: str,
    wanted: Mapping[str, Any],
    require: Callable[[Callable[[], Any]], None] = lambda load: None,
) -> dict[str, Any]:
    """Change a key; `require` may raise, given how to load what a GET answers now."""
    _refuse_keys(desk.caller)
    if "expires_at" in wanted:
        _future(wanted["expires_at"])
    with desk.db.write() as session:
        found = read(session, desk.caller, key_id)
        require(lambda: as_told(found))
        values = dict(wanted)
        if any(name in wanted for name in _RIGHTS):
            present = {name: getattr(found, name) for name in _RIGHTS}
            if "role" in wanted or "scopes" in wanted:
                present |= {"role": None, "scopes": []}
            values |= _granted(desk.caller, {**present, **wanted})
        with admins.kept(session, wanted=desk.keeps_admins):
            changed = api_keys.change(session, key_id, **values)
        told = as_told(changed)
        audit.note("api_key.updated", _RESOURCE, key_id, _changes(as_told(found), told))
        return told


def rotate(desk: Desk, key_id: str, grace_seconds: int) -> dict[str, Any]:
    """Give a key a new secret and return it; the former ones count for so many seconds more.

    Raises InsufficientPermissions when the caller would hold more by it than he does.
    """
    secret = texts.new_key()
    grace = timedelta(seconds=grace_seconds)
    until = clock.now() + grace if grace else None
    with desk.db.read() as session:
        vault = desk.vault() if read(session, desk.caller, key_id).require_signature else None
    with desk.db.write() as session:
        found = read(session, desk.caller, key_id)
        owner = None if found.user_id is None else users.get(session, found.user_id)
        held = api_keys.principal_of(found, owner)
        _refuse_excess(desk.caller, held.scopes, held.projects, held.tier)
        changed = api_keys.rotate(session, key_id, texts.digest(secret), texts.hint(secret), until=until)
        shown = _shown(session, vault, secret)
        audit.note("api_key.rotated", _RESOURCE, key_id, {"grace_seconds": grace_seconds})
    return {**as_told(changed), **shown, "former_valid_until": _written(until)}


def revoke(desk: Desk, key_id: str, require: Callable[[Callable[[], Any]], None] = lambda load: None) -> None:
    """Delete a key with its usage."""
    with desk.db.write() as session:
        found = read(session, desk.caller, key_id)
        require(lambda: as_told(found))
        with admins.kept(session, wanted=desk.keeps_admins):
            api_keys.delete(session, key_id)
        audit.note("api_key.revoked", _RESOURCE, key_id, _changes(as_told(found), {}))


def usage(desk: Desk, key_id: str, days: int) -> dict[str, Any]:
    """Return what a key asked for in the latest days, by day and by route."""
    today = clock.now().date()
    since = today - timedelta(days=days - 1)
    with desk.db.read() as session:
        key = read(session, desk.caller, key_id)
        rows = api_key_usage.of_key(session, key_id, since)
    by_day = _summed((str(row.day), row.requests, row.errors) for row in rows)
    by_route = _summed((row.route, row.requests, row.errors) for row in rows)
    return {
        "id": key.id,
        "from": str(since),
        "to": str(today),
        "requests": sum(row.requests for row in rows),
        "errors": sum(row.errors for row in rows),
        "last_used_at": _written(key.last_used_at),
        "by_day": [{"day": name, **tally} for name, tally in sorted(by_day.items())],
        "by_route": [
            {"route": name, **tally}
            for name, tally in sorted(by_route.items(), key=lambda item: (-item[1]["requests"], item[0]))
        ],
    }


def as_told(key: KeyRecord) -> dict[str, Any]:
    """Return a key as it goes over the wire: all but its secret, of which only a hash is kept."""
    told = structs.asdict(key) | {"scopes": sorted(key.all_scopes)}
    return told | {name: _written(told[name]) for name in _MOMENTS}


def _shown(session: Session, vault: Vault | None, secret: str) -> dict[str, str]:
    """Return what is shown this once: a key's secret, and what it signs with when it must."""
    if vault is None:
        return {"key": secret}
    return {"key": secret, "signing_secret": key_signing.add(session, vault, texts.digest(secret))}


def _reach(caller: Principal) -> dict[str, str]:
    """Return what narrows the keys that have to be looked through."""
    return {"user_id": caller.id} if caller.kind == "user" and not caller.has("admin") else {}


def _sees(caller: Principal, key: KeyRecord) -> bool:
    """Tell whether a key is there for somebody: his own, and for an admin those of his projects.

    A program that calls in a user's name was not given his keys by that.
    """
    own = {"key": key.id, "user": key.user_id}.get(caller.kind) == caller.id
    return own or (caller.has("admin") and rights.within(key.projects, caller.projects))


def _refuse_keys(caller: Principal) -> None:
    """Refuse keys that would prolong themselves or leave others behind, unless they are an admin's."""
    if caller.kind not in {"user", "anonymous"} and not caller.has("admin"):
        raise InsufficientPermissions("Keys are kept by users, and by keys of admins.", "admin")


def _granted(caller: Principal, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rights that a key is to have; raises InsufficientPermissions for more than the caller has.

    Who is bound to projects binds his keys as well, whether he says so or not.
    """
    role, single = wanted.get("role"), sorted(wanted.get("scopes") or ())
    if role is None and not single:
        raise Invalid("scopes", "A key needs a role, or at least one scope.", "missing")
    bound = caller.projects if wanted.get("projects") is None else wanted["projects"]
    projects = None if bound is None else sorted(set(bound))
    tier = wanted.get("tier") or (_TIER if rights.governs(caller) else caller.tier)
    allowed = rights.all_of(role, single)
    _refuse_excess(caller, allowed, projects, tier)
    role = "admin" if "admin" in allowed else role
    return {"role": role, "scopes": single, "projects": projects, "tier": tier}


def _refuse_excess(
    caller: Principal, scopes: Collection[str], projects: Collection[str] | None, tier: str
) -> None:
    more = rights.excess(caller, scopes, projects, tier)
    if more is not None:
        raise InsufficientPermissions(f"Nobody gives what he does not have: {more}.")


def _owner(caller: Principal, wanted: Mapping[str, Any]) -> str | None:
    """Return whose a new key is."""
    if rights.governs(caller):
        user_id = wanted.get("user_id")
        return None if user_id is None else str(user_id)
    return caller.id if caller.kind == "user" else None


def _filtered(keys: list[KeyRecord], query: Mapping[str, Any]) -> Iterator[KeyRecord]:
    user_id, is_active = query.get("user_id"), query.get("is_active")
    for key in keys:
        if (user_id is None or key.user_id == str(user_id)) and is_active in {None, key.is_active}:
            yield key


def _future(moment: datetime | None) -> datetime | None:
    if moment is not None and moment <= clock.now():
        raise Invalid("expires_at", "This moment has passed.")
    return moment


def _summed(rows: Any) -> dict[str, dict[str, int]]:
    sums: dict[str, dict[str, int]] = {}
    for name, requests, errors in rows:
        tally = sums.setdefault(name, {"requests": 0, "errors": 0})
        tally["requests"] += requests
        tally["errors"] += errors
    return sums


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the audit log tells of a change; when it was made, that has a time of its own."""
    kept = [name for name in FIELDS if name not in {"id", "last_used_at", "created_at", "updated_at"}]
    return audit.changed({name: before.get(name) for name in kept}, {name: after.get(name) for name in kept})


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else clock.rfc3339(moment)


def _id_of(cursor: tuple[Any, ...]) -> str:
    if len(cursor) != 1 or not isinstance(cursor[0], str):
        raise Invalid("cursor", "This is no cursor of this list.")
    return cursor[0]
