"""What people do about their own account: register, and change the password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain import audit, clock, passwords
from hefesto_api.domain.errors import Conflict, Invalid
from hefesto_api.features.auth import people, withdrawing
from hefesto_api.storage import sessions, users
from hefesto_api.web.errors import InsufficientPermissions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hefesto_api.features.auth.sessions import Desk
    from hefesto_api.settings import Settings
    from hefesto_api.storage.users import UserRecord

ROLE = "viewer"  # of who registers: sees, in the projects that an admin binds him to


def expect_open(settings: Settings) -> None:
    """Refuse to register where only admins make users."""
    closed = settings.registration == "closed" or (
        settings.auth == "required" and settings.registration != "open"
    )
    if closed:
        raise InsufficientPermissions("Registration is closed here: ask an admin for an account.")


def register(desk: Desk, wanted: Mapping[str, str]) -> dict[str, Any]:
    """Make a user who may see what lies in no project yet; raises Invalid, Conflict."""
    password = passwords.check(wanted["password"], wanted["email"])
    columns: dict[str, Any] = {"role": ROLE, "projects": ()}
    if "name" in wanted:
        columns["name"] = wanted["name"]
    return people.create(desk.db, wanted["email"], password_hash=desk.passwords.hash(password), **columns)


def change_password(desk: Desk, user: UserRecord, session_id: str, wanted: str) -> None:
    """Change the password of somebody who has shown the present one; his other sessions end, and so
    does what he let OAuth clients do.

    Raises Invalid for what is no good password, Conflict when it was changed meanwhile.
    """
    password = passwords.check(wanted, user.email, field="new_password")
    with desk.passwords.turn():
        if desk.passwords.matches(user.password_hash, password):
            raise Invalid("new_password", "This is the present password.", "same")
    hashed = desk.passwords.hash(password)
    with desk.db.write() as session:
        if users.get(session, user.id).password_hash != user.password_hash:
            raise Conflict("The password was changed meanwhile.", resource_type="user")
        users.change(session, user.id, password_hash=hashed)
        sessions.end_all(session, user.id, "password_changed", now=clock.now(), but=session_id)
        audit.note("user.password_changed", "user", user.id)
        withdrawing.withdraw(session, user.id, "the password was changed")
