"""The routes by which admins keep users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain import passwords
from hefesto_api.features.auth import login, people
from hefesto_api.features.auth import user_schemas as schemas
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.conditional import require_match
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import Answer, success, to_json
from hefesto_api.web.rows import page_answer
from hefesto_api.web.scopes import require

if TYPE_CHECKING:
    from uuid import UUID

blp = Blueprint("users", url_prefix="/api/v1/auth/users", description="Who logs in.")


@blp.route("", methods=["GET"])
@require("admin")
@blp.arguments(schemas.UsersQuery, location="query")
@blp.response(200, schemas.UserListSchema)
def list_users(query: dict[str, Any]) -> Any:
    """List the users, the oldest first."""
    found = people.listed(runtime().db, query)
    return page_answer("users", found.items, query["page"], total_count=found.total, next_key=found.next_key)


@blp.route("", methods=["POST"])
@require("admin")
@blp.arguments(schemas.NewUserSchema)
@blp.response(201, schemas.UserSchema)
@blp.alt_response(409, "Conflict")
def create_user(wanted: dict[str, Any]) -> Any:
    """Make a user; without a password, one who cannot log in by one yet."""
    password = wanted.pop("password", None)
    password_hash = None if password is None else _hashed(password, wanted["email"])
    made = people.create(runtime().db, wanted.pop("email"), password_hash=password_hash, **wanted)
    return success(to_json(made), 201, {"Location": f"{blp.url_prefix}/{made['id']}"})


@blp.route("/<uuid:user_id>", methods=["GET"])
@require("admin")
@blp.response(200, schemas.UserSchema)
def read_user(user_id: UUID) -> Any:
    """Show a user."""
    return success(to_json(people.read(runtime().db, str(user_id))))


@blp.route("/<uuid:user_id>", methods=["PATCH"])
@require("admin")
@blp.arguments(schemas.UserChangeSchema)
@blp.response(200, schemas.UserSchema)
@blp.alt_response(409, "Conflict")
def change_user(wanted: dict[str, Any], user_id: UUID) -> Any:
    """Change a user; what he may counts within a second, and a new password ends all that he was given."""
    held = runtime()
    if "password" in wanted:
        email = people.read(held.db, str(user_id))["email"]
        wanted["password_hash"] = _hashed(wanted.pop("password"), email, wanted.get("email", email))
    changed = people.change(
        held.db, str(user_id), wanted, keeps_admins=held.settings.auth == "required", require=require_match
    )
    return success(to_json(changed))


@blp.route("/<uuid:user_id>", methods=["DELETE"])
@require("admin")
@blp.response(204)
@blp.alt_response(409, "Conflict")
def delete_user(user_id: UUID) -> Any:
    """Delete a user with his keys and his sessions; what he did keeps his name."""
    held = runtime()
    keeps_admins = held.settings.auth == "required"
    people.delete(held.db, str(user_id), keeps_admins=keeps_admins, require=require_match)
    return Answer(status=204)


@blp.route("/<uuid:user_id>/unlock", methods=["POST"])
@require("admin")
@blp.response(204)
def unlock_user(user_id: UUID) -> Any:
    """Hear a user again who typed too many wrong passwords, from every network at once."""
    login.unlock(runtime().db, str(user_id))
    return Answer(status=204)


def _hashed(password: str, *emails: str) -> str:
    return runtime().passwords.hash(passwords.check(password, *emails))
