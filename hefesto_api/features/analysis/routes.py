"""The routes of analyses: asking for them, telling of them, stopping them, importing those of others."""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from typing import IO, TYPE_CHECKING, Any

import marshmallow as ma
from flask import request

from hefesto_api.domain.errors import Invalid, NotFound
from hefesto_api.domain.finding import Severity
from hefesto_api.features.analysis import answers, import_body, sarif_import, schemas, service
from hefesto_api.storage import analyses, projects
from hefesto_api.web import body, uploads
from hefesto_api.web.arguments import flattened
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.errors import ValidationFailed
from hefesto_api.web.idempotency import idempotent
from hefesto_api.web.rows import page_answer
from hefesto_api.web.scopes import admit, principal, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from uuid import UUID

    from hefesto_api.storage.analyses import AnalysisRecord, BatchRecord
    from hefesto_api.web.envelope import Answer

blp = Blueprint("analysis", url_prefix="/api/v1", description="Having code looked at, and what was found.")
_TEXT = {"type": "string"}
_OBJECT = {"type": "object"}
_BINARY = {"type": "string", "format": "binary"}
_REPORTS = ("application/json", "application/sarif+json", "application/gzip", "application/octet-stream")
_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {
            "type": "string",
            "format": "binary",
            "description": "A zip, tar, tar.gz, tar.bz2 or tar.xz.",
        },
        "project": _TEXT,
        "analyzers": {"type": "string", "description": "Separated by commas."},
        "severity_threshold": {"type": "string", "enum": list(Severity)},
        "format": {"type": "string", "enum": list(schemas.FORMATS)},
        "exclude_patterns": {"type": "string", "description": "Separated by commas or lines."},
        "commit_hash": _TEXT,
        "branch": _TEXT,
        "async": {"type": "string", "enum": ["true", "false"]},
    },
}


def in_all_formats(view: Callable[..., Any]) -> Callable[..., Any]:
    """Document that a route also answers bare reports, with `X-Analysis-ID`."""
    for kind, schema in (("text/plain", _TEXT), ("text/html", _TEXT), ("application/sarif+json", _OBJECT)):
        view = blp.alt_response(200, schema=schema, content_type=kind, description="The report.")(view)
    return view


def or_upload(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let a multipart form with an archive take the place of the JSON body."""

    @wraps(view)
    def either(*args: Any, **kwargs: Any) -> Any:
        return analyze_upload() if uploads.is_upload(request) else view(*args, **kwargs)

    about = getattr(either, "_apidoc", {}).setdefault("manual_doc", {})
    about["requestBody"] = {"content": {uploads.FORM: {"schema": _FORM}}}
    return either


@blp.route("/analyze", methods=["POST"])
@require("write:analysis")
@idempotent
@or_upload
@blp.arguments(schemas.AnalyzeSchema)
@in_all_formats
@blp.response(200, schemas.AnalysisSchema)
@blp.alt_response(202, schema=schemas.AcceptedSchema, description="It goes on; see Location.", success=True)
def analyze(wanted: dict[str, Any]) -> Any:
    """Analyse a path of the server, or files that come with the request.

    In-source suppressions are recorded and left out of the answer, where `summary.suppressed` counts them.
    Waits up to a minute; when it takes longer, or too many wait already, answers 202.
    """
    slug = wanted.get("project") or service.DEFAULT_PROJECT
    admit(slug)
    if "files" in wanted:
        return _waited(service.submit_files(runtime().db, wanted), wanted)
    return _waited(service.submit_path(runtime().db, _roots(slug), wanted), wanted)


def analyze_upload() -> Any:
    """Analyse an archive that comes as a form."""
    with uploads.read(request) as (form, files):
        wanted = _read_form(form)
        admit(wanted.get("project") or service.DEFAULT_PROJECT)
        if len(files) != 1:
            raise Invalid("file", "Upload exactly one archive.", "missing" if not files else "repeated")
        file = next(iter(files.values()))
        name = (file.filename or "archive").replace("\\", "/").rpartition("/")[2][:255] or "archive"
        record = service.submit_archive(runtime().db, file.stream, name, wanted)
    return _waited(record, wanted)


@blp.route("/analyze/<uuid:analysis_id>", methods=["GET"])
@require("read:analysis")
@blp.arguments(schemas.AnalysisQuery, location="query")
@in_all_formats
@blp.response(200, schemas.AnalysisSchema)
@blp.alt_response(409, "Conflict")
def read_analysis(query: dict[str, Any], analysis_id: UUID) -> Any:
    """Show an analysis with its findings, or how far it is."""
    threshold = query.get("severity_threshold") or query.get("severity")
    record = _seen(str(analysis_id))
    least = Severity(threshold) if threshold else None
    held = runtime()
    return answers.of_analysis(held.db, record, query["format"], least, roots=held.settings.roots)


@blp.route("/analyze/<uuid:analysis_id>/cancel", methods=["POST"])
@require("write:analysis")
@blp.response(200, schemas.AnalysisSchema)
@blp.alt_response(409, "Conflict")
def cancel_analysis(analysis_id: UUID) -> Any:
    """Stop an analysis: at once while it waits, before its next stage while it runs."""
    _seen(str(analysis_id))
    return answers.of_analysis(runtime().db, service.cancel(runtime().db, str(analysis_id)))


@blp.route("/analyses", methods=["GET"])
@require("read:analysis")
@blp.arguments(schemas.AnalysesQuery, location="query")
@blp.response(200, schemas.AnalysisListSchema)
def list_analyses(query: dict[str, Any]) -> Any:
    """List analyses, the newest first."""
    found = service.listed(runtime().db, query, principal().projects)
    with runtime().db.read() as session:
        items = answers.listed(session, found.records)
    return page_answer(
        "analyses",
        items,
        query["page"],
        total_count=found.total,
        total_exact=found.exact,
        next_key=found.next_key,
    )


@blp.route("/analyze/batch", methods=["POST"])
@require("write:analysis")
@idempotent
@blp.arguments(schemas.BatchOrderSchema)
@blp.response(202, schemas.BatchSchema)
def analyze_batch(wanted: dict[str, Any]) -> Any:
    """Analyse several paths; one that cannot be read fails alone."""
    slug = wanted.get("project") or service.DEFAULT_PROJECT
    admit(slug)
    batch, members = service.submit_batch(runtime().db, _roots(slug), wanted)
    return answers.of_batch(runtime().db, batch, members, 202)


@blp.route("/analyze/batch/<uuid:batch_id>", methods=["GET"])
@require("read:analysis")
@blp.response(200, schemas.BatchSchema)
def read_batch(batch_id: UUID) -> Any:
    """Show a batch."""
    batch, members = _seen_batch(str(batch_id))
    return answers.of_batch(runtime().db, batch, members, 200)


@blp.route("/findings/import", methods=["POST"])
@require("write:analysis")
@idempotent
@uploads.raw({kind: {"schema": _OBJECT if "json" in kind else _BINARY} for kind in _REPORTS})
@blp.arguments(schemas.ImportQuery, location="query")
@blp.response(200, schemas.ImportedSchema)
def import_findings(query: dict[str, Any]) -> Any:
    """Take in a SARIF 2.1.0 report of any tool: plain, gzip, or in the form of GitHub's API.

    A finding that is not in it is resolved only where a run that succeeded looked at its file and had its
    rule. `updated` ones came back, moved, or are told otherwise than before.
    """
    admit(query.get("project") or service.DEFAULT_PROJECT)
    held = runtime()
    limit = held.settings.max_upload_mb * body.MEGABYTE
    with _report_sent() as sent, import_body.received(sent, limit) as received:
        return answers.of_import(sarif_import.take_in(held.db, held.settings.roots, received, query))


@contextmanager
def _report_sent() -> Iterator[IO[bytes]]:
    """Yield the report: the body, or the one file of a form."""
    if not uploads.is_upload(request):
        yield uploads.whole(request, _REPORTS)
        return
    with uploads.read(request) as (_, files):
        if len(files) != 1:
            raise Invalid("file", "Upload exactly one report.", "missing" if not files else "repeated")
        yield next(iter(files.values())).stream


def _waited(record: AnalysisRecord, wanted: dict[str, Any]) -> Answer:
    """Wait for an analysis where that is wanted and there is a seat, and answer what it is then."""
    held = runtime()
    if wanted["run_async"] or not held.seats.acquire(blocking=False):
        return answers.accepted(record)
    try:
        record = service.wait(held.db, record.id, held.settings.wait_seconds)
    finally:
        held.seats.release()
    if record.status in analyses.ACTIVE:
        return answers.accepted(record)
    if record.status == "failed":
        return answers.failed(record)
    return answers.of_analysis(held.db, record, wanted["format"], roots=held.settings.roots)


def _roots(slug: str) -> Sequence[Path]:
    """Return beneath what the caller may have paths analysed: who is bound, beneath the project."""
    held = runtime()
    if principal().projects is None:
        return held.settings.roots
    with held.db.read() as session:
        return service.roots_of(projects.find(session, slug), held.settings.roots)


def _seen(analysis_id: str) -> AnalysisRecord:
    """Return an analysis that the caller may see; raises NotFound."""
    with runtime().db.read() as session:
        record = analyses.get(session, analysis_id)
        if not projects.is_seen(session, record.project_id, principal().projects):
            raise NotFound("analysis", analysis_id)
        return record


def _seen_batch(batch_id: str) -> tuple[BatchRecord, list[AnalysisRecord]]:
    with runtime().db.read() as session:
        batch, members = analyses.batch(session, batch_id)
        if not projects.is_seen(session, batch.project_id, principal().projects):
            raise NotFound("batch", batch_id)
        return batch, members


def _read_form(form: dict[str, str]) -> dict[str, Any]:
    """Read the fields that come with an archive; raises ValidationFailed."""
    given: dict[str, Any] = {name: value for name, value in form.items() if value}
    for name in ("analyzers", "exclude_patterns"):
        if name in given:
            given[name] = [one.strip() for one in given[name].replace("\n", ",").split(",") if one.strip()]
    if given.get("async") in {"true", "false"}:
        given["async"] = given["async"] == "true"
    try:
        loaded: dict[str, Any] = schemas.UploadOrderSchema().load(given)
    except ma.ValidationError as error:
        raise ValidationFailed(list(flattened(error.messages))) from None
    return loaded
