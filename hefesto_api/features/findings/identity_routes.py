"""The route that explains a finding's identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.features.findings import identity, service
from hefesto_api.features.findings.identity_schemas import IdentitySchema
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import success, to_json
from hefesto_api.web.scopes import principal, require

if TYPE_CHECKING:
    from uuid import UUID

blp = Blueprint(
    "finding identity", url_prefix="/api/v1/findings", description="Why a finding is the same finding."
)


@blp.route("/<uuid:finding_id>/identity", methods=["GET"])
@require("read:findings")
@blp.response(200, IdentitySchema)
def read_identity(finding_id: UUID) -> Any:
    """Explain by what a finding is known, and by what it was known again where the code around it changed."""
    with runtime().db.read() as session:
        record = service.read(session, str(finding_id), principal().projects)
        return success(to_json(identity.explain(session, record)))
