"""The routes of one project's quality: its badge and its gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.features.metrics import badge, gate, schemas
from hefesto_api.storage import projects
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import Answer, success, to_json
from hefesto_api.web.scopes import admit, require

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.projects import ProjectRecord

SVG = "image/svg+xml"
blp = Blueprint("quality", url_prefix="/api/v1/projects", description="Whether a project is good enough.")


@blp.route("/<string:slug>/badge.svg", methods=["GET"])
@require("read:metrics")
@blp.alt_response(200, schema={"type": "string"}, content_type=SVG, description="The badge.")
def read_badge(slug: str) -> Any:
    """Draw a project's grade as a badge."""
    with runtime().db.read() as session:
        drawn = badge.badge(session, _project(session, slug).id)
    # It is there to be shown elsewhere: in a readme, on a page of another origin.
    answer = Answer(drawn, mimetype=SVG, headers={"Cross-Origin-Resource-Policy": "cross-origin"})
    answer.data_json = drawn  # what the ETag is of
    return answer


@blp.route("/<string:slug>/gate", methods=["GET"])
@require("read:metrics")
@blp.arguments(schemas.GateQuery, location="query")
@blp.response(200, schemas.GateSchema)
@blp.alt_response(409, "Conflict")
def read_gate(query: dict[str, Any], slug: str) -> Any:
    """Judge the new code of a project: by default, that of its latest analysis.

    New is what stands in a branch and not in the default branch; in the default branch, what the
    analysis was the first to see.
    """
    with runtime().db.read() as session:
        return success(to_json(gate.gate(session, _project(session, slug), query)))


def _project(session: Session, slug: str) -> ProjectRecord:
    admit(slug)
    return projects.get(session, slug)
