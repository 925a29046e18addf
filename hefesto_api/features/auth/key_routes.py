"""The routes of API keys."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hefesto_api.domain.errors import StorageError
from hefesto_api.features.auth import key_schemas as schemas
from hefesto_api.features.auth import keys
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.conditional import require_match
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import Answer, success, to_json
from hefesto_api.web.rows import page_answer
from hefesto_api.web.scopes import authenticated, principal

if TYPE_CHECKING:
    from uuid import UUID

blp = Blueprint("api_keys", url_prefix="/api/v1/auth/api-keys", description="What programs show.")
UNKEPT = {"Cache-Control": "no-store"}  # an answer with a secret


@blp.route("", methods=["GET"])
@authenticated
@blp.arguments(schemas.KeysQuery, location="query")
@blp.response(200, schemas.ApiKeyListSchema)
def list_api_keys(query: dict[str, Any]) -> Any:
    """List one's own keys, the oldest first; for an admin, all of his projects."""
    found = keys.listed(_desk(), query)
    return page_answer(
        "api_keys", found.items, query["page"], total_count=found.total, next_key=found.next_key
    )


@blp.route("", methods=["POST"])
@authenticated
@blp.arguments(schemas.NewKeySchema)
@blp.response(201, schemas.NewSecretSchema)
def create_api_key(wanted: dict[str, Any]) -> Any:
    """Make a key; its secret is in this answer and nowhere else. Nobody gives what he does not have."""
    made = keys.create(_desk(), wanted)
    return success(to_json(made), 201, {"Location": f"{blp.url_prefix}/{made['id']}", **UNKEPT})


@blp.route("/<uuid:key_id>", methods=["GET"])
@authenticated
@blp.response(200, schemas.ApiKeySchema)
def read_api_key(key_id: UUID) -> Any:
    """Show a key, without its secret."""
    with runtime().db.read() as session:
        return success(to_json(keys.as_told(keys.read(session, principal(), str(key_id)))))


@blp.route("/<uuid:key_id>", methods=["PATCH"])
@authenticated
@blp.arguments(schemas.KeyChangeSchema)
@blp.response(200, schemas.ApiKeySchema)
@blp.alt_response(409, "Conflict")
def change_api_key(wanted: dict[str, Any], key_id: UUID) -> Any:
    """Change a key: its name, what it may, until when, or whether it counts at all."""
    return success(to_json(keys.change(_desk(), str(key_id), wanted, require=require_match)))


@blp.route("/<uuid:key_id>", methods=["DELETE"])
@authenticated
@blp.response(204)
@blp.alt_response(409, "Conflict")
def revoke_api_key(key_id: UUID) -> Any:
    """Revoke a key for good: within a second nobody takes it any more."""
    keys.revoke(_desk(), str(key_id), require=require_match)
    return Answer(status=204)


@blp.route("/<uuid:key_id>/rotate", methods=["POST"])
@authenticated
@blp.arguments(schemas.RotationSchema, required=False)
@blp.response(200, schemas.RotatedKeySchema)
def rotate_api_key(wanted: dict[str, Any], key_id: UUID) -> Any:
    """Give a key a new secret; the former one may count for a while longer."""
    rotated = keys.rotate(_desk(), str(key_id), wanted["grace_seconds"])
    return success(to_json(rotated), headers=UNKEPT)


@blp.route("/<uuid:key_id>/usage", methods=["GET"])
@authenticated
@blp.arguments(schemas.UsageQuery, location="query")
@blp.response(200, schemas.KeyUsageSchema)
def read_api_key_usage(query: dict[str, Any], key_id: UUID) -> Any:
    """Tell what a key asked for, by day and by route."""
    with suppress(StorageError):  # what this process has counted may also be told later
        runtime().usage.flush()
    return success(to_json(keys.usage(_desk(), str(key_id), query["days"])))


def _desk() -> keys.Desk:
    held = runtime()
    return keys.Desk(held.db, principal(), lambda: held.vault, keeps_admins=held.settings.auth == "required")
