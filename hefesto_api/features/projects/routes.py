"""The routes of projects."""

from __future__ import annotations

from typing import Any

from hefesto_api.features.projects import schemas, service
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.conditional import require_match
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import Answer, success, to_json
from hefesto_api.web.errors import InsufficientPermissions
from hefesto_api.web.idempotency import idempotent
from hefesto_api.web.rows import page_answer
from hefesto_api.web.scopes import admit, principal, require

blp = Blueprint("projects", url_prefix="/api/v1/projects", description="What all the rest belongs to.")


@blp.route("", methods=["GET"])
@require("read:findings")
@blp.arguments(schemas.ProjectsQuery, location="query")
@blp.response(200, schemas.ProjectListSchema)
def list_projects(query: dict[str, Any]) -> Any:
    """List the projects by their slugs."""
    found = service.listed(runtime().db, query["page"], principal().projects)
    return page_answer(
        "projects", found.items, query["page"], total_count=found.total, next_key=found.next_key
    )


@blp.route("", methods=["POST"])
@require("manage:projects")
@idempotent
@blp.arguments(schemas.NewProjectSchema)
@blp.response(201, schemas.ProjectSchema)
@blp.alt_response(409, "Conflict")
def create_project(wanted: dict[str, Any]) -> Any:
    """Make a project; an analysis or an import that names an unknown slug makes a bare one too."""
    admit(wanted["slug"])
    _refuse_reaching_out(wanted)
    made = service.create(runtime().db, runtime().settings.roots, wanted)
    return success(to_json(made), 201, {"Location": f"/api/v1/projects/{made['slug']}"})


@blp.route("/<string:slug>", methods=["GET"])
@require("read:findings")
@blp.response(200, schemas.ProjectSchema)
def read_project(slug: str) -> Any:
    """Show a project."""
    with runtime().db.read() as session:
        return success(to_json(service.as_told(service.read(session, slug, principal().projects))))


@blp.route("/<string:slug>", methods=["PATCH"])
@require("manage:projects")
@blp.arguments(schemas.ProjectChangeSchema)
@blp.response(200, schemas.ProjectSchema)
def change_project(wanted: dict[str, Any], slug: str) -> Any:
    """Change a project; its slug stays. A root must lie within what may be analysed."""
    admit(slug)
    _refuse_reaching_out(wanted)
    held = runtime()
    changed = service.change(held.db, held.settings.roots, slug, wanted, require=require_match)
    return success(to_json(changed))


@blp.route("/<string:slug>", methods=["DELETE"])
@require("manage:projects")
@blp.response(204)
def delete_project(slug: str) -> Any:
    """Delete a project with its analyses, its findings and their histories."""
    admit(slug)
    service.delete(runtime().db, slug, require=require_match)
    return Answer(status=204)


def _refuse_reaching_out(wanted: dict[str, Any]) -> None:
    """Leave it to those who are bound to no project what a project takes in from outside.

    By a root somebody could read another project's code, by the name of a service take its alerts.
    """
    if principal().projects is not None and not wanted.keys().isdisjoint({"root_path", "service_names"}):
        raise InsufficientPermissions("root_path and service_names are set by who is bound to no project.")
