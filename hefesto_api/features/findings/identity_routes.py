"""The route that explains a finding's identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain import clock
from hefesto_api.features.findings import identity, linking, service
from hefesto_api.features.findings.identity_schemas import (
    IdentitySchema,
    MergeSchema,
    SplitOffSchema,
    SplitSchema,
)
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import success, to_json
from hefesto_api.web.idempotency import idempotent
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


@blp.route("/<uuid:finding_id>/merge", methods=["POST"])
@require("write:findings")
@blp.arguments(MergeSchema)
@blp.response(200, IdentitySchema)
@blp.alt_response(409, "Conflict")
def merge_finding(wanted: dict[str, Any], finding_id: UUID) -> Any:
    """Make a finding part of another of the same file, tool and rule; scans remember it.

    The other one (`into`) remains: it takes over the place and the later sightings. This one is resolved as a
    duplicate and keeps its history. Answers with the identity of the one that remains.
    """
    remains = linking.merge(runtime().db, _by(wanted), str(finding_id), str(wanted["into"]))
    with runtime().db.read() as session:
        return success(to_json(identity.explain(session, remains)))


@blp.route("/<uuid:finding_id>/split", methods=["POST"])
@require("write:findings")
@idempotent
@blp.arguments(SplitSchema)
@blp.response(201, SplitOffSchema)
@blp.alt_response(409, "Conflict")
def split_finding(wanted: dict[str, Any], finding_id: UUID) -> Any:
    """Part what a finding wrongly holds; scans never make the two one again.

    With `finding`, what was merged into it stands for itself again. With `event` (or neither) the place that
    it was taken for at that entry of its story (or the last one) becomes a finding of its own, open.
    """
    merged = wanted.get("finding")
    kept, parted = linking.split(
        runtime().db,
        _by(wanted),
        str(finding_id),
        event=wanted.get("event"),
        merged_id=None if merged is None else str(merged),
    )
    told = {
        "id": kept.id,
        "status": kept.status,
        "parted": {"id": parted.id, "status": parted.status, "line": parted.line},
        "updated_at": clock.rfc3339(kept.updated_at),
        "updated_by": kept.updated_by,
    }
    return success(to_json(told), 201, {"Location": f"/api/v1/findings/{parted.id}"})


def _by(wanted: dict[str, Any]) -> linking.By:
    caller = principal()
    return linking.By(caller.name, caller.projects, wanted.get("comment", ""))
