"""The route of owners: who answers for a path of a project."""

from __future__ import annotations

from typing import Any

from hefesto_api.features.findings import owners, schemas
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import success, to_json
from hefesto_api.web.scopes import principal, require

blp = Blueprint("owners", url_prefix="/api/v1/projects", description="Who answers for what.")


@blp.route("/<string:slug>/owners", methods=["GET"])
@require("read:findings")
@blp.arguments(schemas.OwnersQuery, location="query")
@blp.response(200, schemas.PathOwnersSchema)
def read_owners(query: dict[str, Any], slug: str) -> Any:
    """Show who owns a path, by the CODEOWNERS file of the analysed tree; says why when nobody does."""
    held = runtime()
    with held.db.read() as session:
        told = owners.of_path(session, slug, query["path"], held.settings.roots, principal().projects)
    return success(to_json(told))
