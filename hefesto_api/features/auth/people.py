"""Keeping users: for admins, and for the commands on the service's machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs

from hefesto_api.domain import audit, clock, emails
from hefesto_api.domain.errors import Conflict, Invalid
from hefesto_api.features.auth import withdrawing
from hefesto_api.storage import admins, users

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hefesto_api.storage.database import Database
    from hefesto_api.storage.users import UserRecord
    from hefesto_api.web.paging import Page

FIELDS = (
    "id", "email", "name", "role", "projects", "tier", "is_active", "has_password", "created_at",
    "updated_at", "last_login_at",
)  # fmt: skip
_RESOURCE = "user"
_MOMENTS = ("created_at", "updated_at", "last_login_at")
_UNTOLD = ("password_hash", "token_epoch")


class Listed(NamedTuple):
    """A page of users, the key after which the next one starts, and how many there are in all."""

    items: list[dict[str, Any]]
    next_key: tuple[str] | None
    total: int


def listed(db: Database, query: Mapping[str, Any]) -> Listed:
    """Return a page of the users, the oldest first."""
    page: Page = query["page"]
    after = None if page.cursor is None else _id_of(page.cursor)
    with db.read() as session:
        found, total = users.page(
            session,
            role=query.get("role"),
            is_active=query.get("is_active"),
            limit=page.limit + 1,
            offset=0 if after is not None else page.offset,
            after=after,
        )
    shown = found[: page.limit]
    key = (shown[-1].id,) if len(found) > page.limit else None
    return Listed([as_told(one) for one in shown], key, total)


def read(db: Database, user_id: str) -> dict[str, Any]:
    """Return a user; raises NotFound."""
    with db.read() as session:
        return as_told(users.get(session, user_id))


def create(db: Database, email: str, *, password_hash: str | None = None, **columns: Any) -> dict[str, Any]:
    """Make a user, without a hash one who cannot log in by password; raises Conflict."""
    with db.write() as session:
        made = users.create(session, email, password_hash=password_hash, **columns)
        told = as_told(made)
        audit.note("user.created", _RESOURCE, made.id, _changes({}, told))
    return told


def change(
    db: Database,
    user_id: str,
    wanted: Mapping[str, Any],
    *,
    keeps_admins: bool = True,
    require: Callable[[Callable[[], Any]], None] = lambda load: None,
) -> dict[str, Any]:
    """Change a user: what he may counts at once; another password ends what he was given, as disabling does.

    These and another role or other projects end what he let OAuth clients do: he allowed it as who he was.
    `wanted` are columns. Raises NotFound, and Conflict for the last admin and for an address that is taken.
    """
    values = dict(wanted)
    with db.write() as session:
        found = users.get(session, user_id)
        require(lambda: as_told(found))
        if "email" in values:
            values["email"] = emails.normal(values["email"])
            other = users.by_email(session, values["email"])
            if other is not None and other.id != user_id:
                raise Conflict(f"There is a user {values['email']} already.", resource_type=_RESOURCE)
        with admins.kept(session, wanted=keeps_admins):
            changed = users.change(session, user_id, **values)
        if "password_hash" in values or (found.is_active and not changed.is_active):
            users.revoke_tokens(session, user_id)
        reason = _ending(found, changed)
        told = as_told(changed)
        secret = {"password": "changed"} if "password_hash" in values else {}
        audit.note("user.updated", _RESOURCE, user_id, _changes(as_told(found), told) | secret)
        if reason:
            withdrawing.withdraw(session, user_id, reason)
    return told


def delete(
    db: Database,
    user_id: str,
    *,
    keeps_admins: bool = True,
    require: Callable[[Callable[[], Any]], None] = lambda load: None,
) -> None:
    """Delete a user with his keys and sessions; what he did keeps his name."""
    with db.write() as session:
        found = users.get(session, user_id)
        require(lambda: as_told(found))
        with admins.kept(session, wanted=keeps_admins):
            users.delete(session, user_id)
        audit.note("user.deleted", _RESOURCE, user_id, _changes(as_told(found), {}))


def as_told(user: UserRecord) -> dict[str, Any]:
    """Return a user as it goes over the wire: all but the hash of his password."""
    told = {name: value for name, value in structs.asdict(user).items() if name not in _UNTOLD}
    moments = {name: None if told[name] is None else clock.rfc3339(told[name]) for name in _MOMENTS}
    return told | moments | {"has_password": user.password_hash is not None}


def _ending(before: UserRecord, after: UserRecord) -> str:
    """Return what about a user's change ends what was given in his name; "" when nothing does."""
    if before.password_hash != after.password_hash:
        return "the password was changed"
    if before.is_active and not after.is_active:
        return "the user was disabled"
    if before.role != after.role:
        return "the role was changed"
    return "the projects were changed" if before.projects != after.projects else ""


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the audit log tells of a change."""
    kept = [name for name in FIELDS if name not in {"id", *_MOMENTS}]
    return audit.changed({name: before.get(name) for name in kept}, {name: after.get(name) for name in kept})


def _id_of(cursor: tuple[Any, ...]) -> str:
    if len(cursor) != 1 or not isinstance(cursor[0], str):
        raise Invalid("cursor", "This is no cursor of this list.")
    return cursor[0]
