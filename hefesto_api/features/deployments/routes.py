"""The routes of deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.features.deployments import impact, schemas, service, shipped
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import success, to_json
from hefesto_api.web.idempotency import idempotent
from hefesto_api.web.rows import page_answer
from hefesto_api.web.scopes import admit, principal, require

if TYPE_CHECKING:
    from uuid import UUID

blp = Blueprint("deployments", url_prefix="/api/v1/deployments", description="Which code runs where.")


@blp.route("", methods=["POST"])
@require("write:analysis")
@idempotent
@blp.arguments(schemas.NewDeploymentSchema)
@blp.response(201, schemas.DeploymentSchema)
def create_deployment(wanted: dict[str, Any]) -> Any:
    """Tell that a revision began to run; the same marker again is the same deployment."""
    admit(wanted.get("project", service.DEFAULT_PROJECT))
    caller = principal()
    made = service.create(runtime().db, wanted, None if caller.kind == "anonymous" else caller.name)
    return success(to_json(made), 201, {"Location": f"/api/v1/deployments/{made['id']}"})


@blp.route("", methods=["GET"])
@require("read:analysis")
@blp.arguments(schemas.DeploymentsQuery, location="query")
@blp.response(200, schemas.DeploymentListSchema)
def list_deployments(query: dict[str, Any]) -> Any:
    """List deployments, the newest first, with the beginning of what shipped with each."""
    found = service.listed(runtime().db, query, principal().projects)
    return page_answer(
        "deployments",
        found.items,
        query["page"],
        total_count=found.total,
        total_exact=found.exact,
        next_key=found.next_key,
    )


@blp.route("/<uuid:deployment_id>", methods=["GET"])
@require("read:analysis")
@blp.response(200, schemas.DeploymentSchema)
def read_deployment(deployment_id: UUID) -> Any:
    """Show a deployment: its commits, the findings that came with it, how it went."""
    return success(to_json(service.read(runtime().db, str(deployment_id), principal().projects)))


@blp.route("/<uuid:deployment_id>/impact", methods=["GET"])
@require("read:alerts")
@blp.arguments(schemas.ImpactQuery, location="query")
@blp.response(200, schemas.DeploymentImpactSchema)
def read_deployment_impact(query: dict[str, Any], deployment_id: UUID) -> Any:
    """Show what followed a deployment: the alerts with their suspects, and how often they occurred."""
    found = impact.read(runtime().db, str(deployment_id), principal().projects, query["hours"])
    return success(to_json(found))


@blp.route("/<uuid:deployment_id>/changes", methods=["GET"])
@require("read:analysis")
@blp.response(200, schemas.DeploymentChangesSchema)
def read_deployment_changes(deployment_id: UUID) -> Any:
    """Show the files that the commits of a deployment touched."""
    return success(to_json(shipped.changes(runtime().db, str(deployment_id), principal().projects)))
