"""The routes by which people see what they let applications do, and take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.features.auth.callers import logged_in
from hefesto_api.features.auth.oauth import client_schemas as schemas
from hefesto_api.features.auth.oauth import giving
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import Answer, success, to_json
from hefesto_api.web.scopes import authenticated

if TYPE_CHECKING:
    from uuid import UUID

blp = Blueprint(
    "oauth-grants",
    url_prefix="/api/v1/auth/oauth-grants",
    description="What applications may do in your name.",
)


@blp.route("", methods=["GET"])
@authenticated
@blp.response(200, schemas.OAuthGrantsSchema)
def list_oauth_grants() -> Any:
    """List what you let applications do in your name, the latest first."""
    return success(to_json({"oauth_grants": giving.given_by(runtime().db, logged_in().user.id)}))


@blp.route("/<uuid:grant_id>", methods=["DELETE"])
@authenticated
@blp.response(204)
def end_oauth_grant(grant_id: UUID) -> Any:
    """Take back what you let an application do; its tokens are refused within a second."""
    giving.withdrawn(runtime().db, str(grant_id), logged_in().user.id)
    return Answer(status=204)
