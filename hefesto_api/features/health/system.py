"""The routes for operators: what the service is made of, and its queue."""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID

import marshmallow as ma

from hefesto_api.features.health import schemas, system_service
from hefesto_api.web import fields
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.schemas import Schema
from hefesto_api.web.scopes import require

blp = Blueprint("system", url_prefix="/api/v1/system", description="What the service is made of.")


class JobsQuery(Schema):
    """How many jobs of each state."""

    limit = fields.QueryInteger(load_default=50, validate=ma.validate.Range(1, 1000))


@blp.route("/info", methods=["GET"])
@require("admin")
@blp.response(200, schemas.SystemInfoSchema)
def system_info() -> Any:
    """Tell versions, the process, the database and the queue in numbers."""
    return system_service.info(runtime(), os.getpid())


@blp.route("/jobs", methods=["GET"])
@require("admin")
@blp.arguments(JobsQuery, location="query")
@blp.response(200, schemas.JobsSchema)
def system_jobs(query: dict[str, Any]) -> Any:
    """List the jobs that wait, run or are dead, and what comes round."""
    return system_service.job_overview(runtime().db, query["limit"])


@blp.route("/jobs/<uuid:job_id>/retry", methods=["POST"])
@require("admin")
@blp.response(200, schemas.JobSchema)
@blp.alt_response(409, "Conflict")
def retry_job(job_id: UUID) -> Any:
    """Queue a dead or cancelled job anew, with all its attempts."""
    return system_service.retry(runtime().db, str(job_id))
