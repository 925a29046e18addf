"""The routes of the audit log; nothing of it is ever changed by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response

from hefesto_api.features.audit import schemas, service
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import success, to_json
from hefesto_api.web.rows import page_answer
from hefesto_api.web.scopes import require

if TYPE_CHECKING:
    from uuid import UUID

blp = Blueprint("audit", url_prefix="/api/v1/audit-logs", description="Who did what.")
_TEXT = {"type": "string"}


@blp.route("", methods=["GET"])
@require("admin")
@blp.arguments(schemas.AuditLogsQuery, location="query")
@blp.response(200, schemas.AuditLogListSchema)
def list_audit_logs(query: dict[str, Any]) -> Any:
    """List who changed what, and what was refused to whom, the newest first."""
    found = service.listed(runtime().db, query)
    return page_answer(
        "audit_logs",
        found.items,
        query["page"],
        total_count=found.total,
        total_exact=found.exact,
        next_key=found.next_key,
    )


@blp.route("/verify", methods=["GET"])
@require("admin")
@blp.arguments(schemas.VerifyQuery, location="query")
@blp.response(200, schemas.ChainVerdictSchema)
def verify_audit_logs(query: dict[str, Any]) -> Any:
    """Look at every entry: whether it is as it was written, in its place, and none is missing."""
    held = runtime()
    return success(to_json(service.verify(held.db, held.ledger, query.get("seal"))))


@blp.route("/export", methods=["GET"])
@require("admin")
@blp.arguments(schemas.AuditExportQuery, location="query")
@blp.alt_response(200, schema=_TEXT, content_type="application/x-ndjson", description="An entry a line.")
@blp.alt_response(200, schema=_TEXT, content_type="text/csv", description="A table.")
def export_audit_logs(query: dict[str, Any]) -> Any:
    """Write out all entries that the list's filters hold for, the oldest first, in one stream."""
    found = service.export(runtime().db, service.wanted(query), query["format"])
    disposition = f'attachment; filename="{found.name}"'
    return Response(
        found.pieces, headers={"Content-Type": found.media_type, "Content-Disposition": disposition}
    )


@blp.route("/<uuid:entry_id>", methods=["GET"])
@require("admin")
@blp.response(200, schemas.AuditLogSchema)
def read_audit_log(entry_id: UUID) -> Any:
    """Show an entry."""
    return success(to_json(service.read(runtime().db, str(entry_id))))
