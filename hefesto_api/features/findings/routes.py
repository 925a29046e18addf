"""The routes of findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response

from hefesto_api.features.findings import export, schemas, service, triage
from hefesto_api.web import cache
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.conditional import require_match
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import success, to_json
from hefesto_api.web.headers import PAGE_POLICY
from hefesto_api.web.rows import Written, page_answer
from hefesto_api.web.schemas import wrapped
from hefesto_api.web.scopes import principal, require

if TYPE_CHECKING:
    from uuid import UUID

_TEXT = {"type": "string"}
_OBJECT = {"type": "object"}
# Findings in the envelope, or what Code Climate calls issues.
_EXPORTED = {"oneOf": [wrapped(schemas.ExportedSchema()), {"type": "array", "items": _OBJECT}]}
blp = Blueprint("findings", url_prefix="/api/v1/findings", description="What stands in the code.")


@blp.route("", methods=["GET"])
@require("read:findings")
@blp.arguments(schemas.FindingsQuery, location="query")
@blp.response(200, schemas.FindingListSchema)
def list_findings(query: dict[str, Any]) -> Any:
    """List findings, by default the open ones, what was seen last first."""
    found = service.listed(runtime().db, query, principal().projects)
    return page_answer(
        "findings",
        Written(found.page.json, found.page.many),
        query["page"],
        total_count=found.total,
        total_exact=found.exact,
        next_key=found.page.next_key,
    )


@blp.route("", methods=["PATCH"])
@require("write:findings")
@blp.arguments(schemas.BulkTriageSchema)
@blp.response(200, schemas.BulkTriagedSchema)
def triage_findings(wanted: dict[str, Any]) -> Any:
    """Decide about several findings at once: at most a thousand, each with a result of its own."""
    decided = triage.decision(wanted)
    if "ids" in wanted:
        ids, more = [str(one) for one in wanted["ids"]], False
    else:
        ids, more = triage.matching(runtime().db, _who(), wanted["filter"])
    return success(to_json({**triage.many(runtime().db, _who(), ids, decided), "has_more": more}))


@blp.route("/export", methods=["GET"])
@require("read:findings")
@blp.arguments(schemas.ExportQuery, location="query")
@blp.alt_response(200, schema=_EXPORTED, content_type="application/json", description="The report.")
@blp.alt_response(200, schema=_OBJECT, content_type="application/sarif+json", description="The report.")
@blp.alt_response(200, schema=_TEXT, content_type="application/x-ndjson", description="A finding a line.")
@blp.alt_response(200, schema=_TEXT, content_type="text/csv", description="The report.")
@blp.alt_response(200, schema=_TEXT, content_type="text/html", description="The report.")
@blp.alt_response(200, schema=_TEXT, content_type="application/xml", description="The report.")
def export_findings(query: dict[str, Any]) -> Any:
    """Write out all findings that the list's filters hold for, in one stream.

    JSON comes in the envelope, the others (Code Climate's JSON too) as their own standards say.
    """
    held = runtime()
    found = export.export(held.db, held.settings.roots, query, principal().projects)
    headers = {"Content-Type": found.media_type}
    headers["Content-Disposition"] = f'attachment; filename="{found.name}"'
    if query["format"] == "html":
        headers["Content-Security-Policy"] = PAGE_POLICY
    return Response(found.pieces, headers=headers)


@blp.route("/<uuid:finding_id>", methods=["GET"])
@require("read:findings")
@blp.response(200, schemas.FindingSchema)
def read_finding(finding_id: UUID) -> Any:
    """Show a finding with its history and its relatives."""
    with runtime().db.read() as session:
        found = service.look(session, str(finding_id), principal().projects)
        cache.of_project("findings", found.project_id)
        return success(to_json(service.told(session, found, runtime().settings.roots)))


@blp.route("/<uuid:finding_id>", methods=["PATCH"])
@require("write:findings")
@blp.arguments(schemas.TriageSchema)
@blp.response(200, schemas.TriagedSchema)
def triage_finding(wanted: dict[str, Any], finding_id: UUID) -> Any:
    """Change a finding's status, with a reason and a comment; the same again changes nothing."""
    decided = triage.decision(wanted)
    return success(to_json(triage.one(runtime().db, _who(), str(finding_id), decided, require=require_match)))


@blp.route("/<path:file_path>", methods=["GET"])
@require("read:findings")
@blp.arguments(schemas.FileQuery, location="query")
@blp.response(200, schemas.FileFindingsSchema)
def read_file_findings(query: dict[str, Any], file_path: str) -> Any:
    """Show the findings of a file, of every status; a file that nobody knows has none.

    A path that ends in `/` is a folder. What is written like a UUID is the id of a finding.
    """
    return success(to_json(service.of_file(runtime().db, file_path, query, principal().projects)))


def _who() -> triage.Who:
    caller = principal()
    return triage.Who(caller.name, caller.projects, runtime().settings.roots)
