"""The route of code context."""

from __future__ import annotations

from typing import Any

from hefesto_api.features.iris import context_schemas, context_service
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import success, to_json
from hefesto_api.web.scopes import principal, require

blp = Blueprint("code-context", url_prefix="/api/v1/iris", description="What stands at a place of the code.")


@blp.route("/code-context", methods=["GET"])
@require("read:findings")
@blp.arguments(context_schemas.CodeContextQuery, location="query")
@blp.response(200, context_schemas.CodeContextSchema)
def read_code_context(query: dict[str, Any]) -> Any:
    """Show what stands at a line: its function, its complexity, what is open there, who changed it last.

    At any commit of the project's repository, without a checkout. A place that nobody knows is no error.
    """
    held = runtime()
    roots, allowed = tuple(held.settings.roots), principal().projects
    return success(to_json(context_service.context_of(held.db, held.memory, roots, query, allowed)))
