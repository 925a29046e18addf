"""The routes by which OAuth clients are managed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.features.auth.oauth import client_schemas as schemas
from hefesto_api.features.auth.oauth import clients
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.conditional import require_match
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import Answer, success, to_json
from hefesto_api.web.rows import page_answer
from hefesto_api.web.scopes import authenticated, principal

if TYPE_CHECKING:
    from uuid import UUID

_PLACE = "/api/v1/auth/oauth-clients"
_SECRET_WITHIN = {"Cache-Control": "no-store"}
blp = Blueprint("oauth-clients", url_prefix=_PLACE, description="Programs that get tokens by OAuth 2.0.")


@blp.route("", methods=["GET"])
@authenticated
@blp.arguments(schemas.OAuthClientsQuery, location="query")
@blp.response(200, schemas.OAuthClientListSchema)
def list_oauth_clients(query: dict[str, Any]) -> Any:
    """List the OAuth clients that are yours; an admin's are all."""
    found = clients.listed(_desk(), query["page"])
    return page_answer(
        "oauth_clients", found.items, query["page"], total_count=found.total, next_key=found.next_key
    )


@blp.route("", methods=["POST"])
@authenticated
@blp.arguments(schemas.NewOAuthClientSchema)
@blp.response(201, schemas.MadeOAuthClientSchema)
def create_oauth_client(wanted: dict[str, Any]) -> Any:
    """Make an OAuth client, which may no more than you; its secret is shown this once."""
    made = clients.create(_desk(), wanted)
    return success(to_json(made), 201, {"Location": f"{_PLACE}/{made['id']}", **_SECRET_WITHIN})


@blp.route("/<uuid:client_id>", methods=["GET"])
@authenticated
@blp.response(200, schemas.OAuthClientSchema)
def read_oauth_client(client_id: UUID) -> Any:
    """Show an OAuth client; its secret is kept nowhere."""
    desk = _desk()
    with desk.db.read() as session:
        return success(to_json(clients.as_told(clients.read(session, desk.caller, str(client_id)))))


@blp.route("/<uuid:client_id>", methods=["PATCH"])
@authenticated
@blp.arguments(schemas.OAuthClientChangeSchema)
@blp.response(200, schemas.OAuthClientSchema)
def change_oauth_client(wanted: dict[str, Any], client_id: UUID) -> Any:
    """Change an OAuth client; its tokens may at once no more than it, and count no longer when it is off."""
    return success(to_json(clients.change(_desk(), str(client_id), wanted, require=require_match)))


@blp.route("/<uuid:client_id>", methods=["DELETE"])
@authenticated
@blp.response(204)
def delete_oauth_client(client_id: UUID) -> Any:
    """Delete an OAuth client with all tokens that it was given."""
    clients.delete(_desk(), str(client_id), require=require_match)
    return Answer(status=204)


@blp.route("/<uuid:client_id>/rotate", methods=["POST"])
@authenticated
@blp.response(200, schemas.MadeOAuthClientSchema)
@blp.alt_response(409, "Conflict")
def rotate_oauth_client(client_id: UUID) -> Any:
    """Give an OAuth client a new secret, shown this once; the former one counts no longer."""
    return success(to_json(clients.rotate(_desk(), str(client_id))), headers=_SECRET_WITHIN)


def _desk() -> clients.Desk:
    return clients.Desk(runtime().db, principal())
