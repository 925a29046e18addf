"""Telling callers who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain import clock
from hefesto_api.features.auth import mfa
from hefesto_api.storage import users

if TYPE_CHECKING:
    from hefesto_api.domain.access import Principal
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.users import UserRecord

_OF_USERS = (
    "email", "role", "mfa_enabled", "backup_codes_left", "session_id", "created_at", "last_login_at",
)  # fmt: skip


def told(db: Database, caller: Principal) -> dict[str, Any]:
    """Return who calls as it goes over the wire; what only users have is None for the others."""
    general = {
        "id": caller.id,
        "kind": caller.kind,
        "name": caller.name,
        "scopes": sorted(caller.scopes),
        "projects": None if caller.projects is None else sorted(caller.projects),
        "tier": caller.tier,
    }
    if caller.kind != "user":
        return general | dict.fromkeys(_OF_USERS)
    with db.read() as session:
        user = users.get(session, caller.id)
        factor = mfa.state(session, caller.id)
    return general | _personal(user) | {"session_id": caller.credential} | factor


def _personal(user: UserRecord) -> dict[str, Any]:
    last = user.last_login_at
    return {
        "name": user.name,
        "email": user.email,
        "role": user.role,
        "created_at": clock.rfc3339(user.created_at),
        "last_login_at": None if last is None else clock.rfc3339(last),
    }
