"""What a user is known by at OpenID providers: shown to him, and taken from him when he wants that."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from hefesto_api.domain import audit, clock
from hefesto_api.domain.errors import Conflict, NotFound
from hefesto_api.storage import identities, users

if TYPE_CHECKING:
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.identities import IdentityRecord

_RESOURCE = "identity"


def listed(db: Database, user_id: str) -> list[dict[str, Any]]:
    """Return what a user is linked to, the oldest first, as it goes over the wire."""
    with db.read() as session:
        return [_as_told(one) for one in identities.of_user(session, user_id)]


def unlink(db: Database, user_id: str, identity_id: str, issuer: str) -> None:
    """End that a provider stands for a user; `issuer` is the provider that lets people in now.

    Raises NotFound, and Conflict when nothing would be left by which the user gets in.
    """
    with db.write() as session:
        user = users.held(session, user_id)
        linked = identities.of_user(session, user_id)
        found = next((one for one in linked if id_of(one) == identity_id), None)
        if found is None:
            raise NotFound(_RESOURCE, identity_id)
        left = [one for one in linked if one is not found and one.issuer == issuer]
        if user.password_hash is None and not left:
            raise Conflict(
                "You have no password: without this account of the provider you could not come in any more. "
                "Ask an admin for a password first.",
                resource_type=_RESOURCE,
                reason="last_way_in",
            )
        identities.remove(session, found)
        changes = {"issuer": found.issuer, "subject": found.subject, "user": user.email}
        audit.note("identity.unlinked", "user", user_id, changes)


def _as_told(one: IdentityRecord) -> dict[str, Any]:
    return {
        "id": id_of(one),
        "issuer": one.issuer,
        "subject": one.subject,
        "email": one.email,
        "created_at": clock.rfc3339(one.created_at),
    }


def id_of(one: IdentityRecord) -> str:
    """Return what names an identity in addresses, in which its subject could not stand as it is."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{one.issuer}\n{one.subject}"))
