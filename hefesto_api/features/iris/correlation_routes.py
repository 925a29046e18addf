"""The routes of correlations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.features.iris import (
    answering,
    correlation_schemas,
    feedback,
    findings_history,
    findings_history_schemas,
)
from hefesto_api.features.iris.correlating import Desk
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import success, to_json
from hefesto_api.web.idempotency import idempotent
from hefesto_api.web.rows import page_answer
from hefesto_api.web.scopes import admit, principal, require

if TYPE_CHECKING:
    from uuid import UUID

blp = Blueprint("correlations", url_prefix="/api/v1", description="From an alert to the line of code.")


@blp.route("/iris/correlate-alert", methods=["POST"])
@require("write:analysis")
@idempotent
@blp.arguments(correlation_schemas.AlertToCorrelateSchema)
@blp.response(200, correlation_schemas.CorrelationSchema)
def correlate_alert(wanted: dict[str, Any]) -> Any:
    """Find the function, the findings and the commits behind an alert, which is recorded too.

    A trace that cannot be read, or is of another program, is answered without suspects.
    """
    return success(to_json(answering.correlate(desk(), wanted, admit)))


@blp.route("/correlation", methods=["POST"])
@require("write:analysis")
@idempotent
@blp.arguments(correlation_schemas.AlertToCorrelateSchema)
@blp.response(200, correlation_schemas.CorrelationSchema)
def correlate_alert_by_its_older_name(wanted: dict[str, Any]) -> Any:
    """Do the same as `/iris/correlate-alert`, under its older name."""
    return success(to_json(answering.correlate(desk(), wanted, admit)))


@blp.route("/iris/correlations", methods=["GET"])
@require("read:analysis")
@blp.arguments(correlation_schemas.CorrelationsQuery, location="query")
@blp.response(200, correlation_schemas.CorrelationListSchema)
def list_correlations(query: dict[str, Any]) -> Any:
    """List correlations, the newest first, each with the first of what it suspects."""
    found = answering.listed(runtime().db, query, principal().projects)
    return page_answer(
        "correlations",
        found.items,
        query["page"],
        total_count=found.total,
        total_exact=found.exact,
        next_key=found.next_key,
    )


@blp.route("/iris/correlations/<uuid:correlation_id>", methods=["GET"])
@require("read:analysis")
@blp.response(200, correlation_schemas.StoredCorrelationSchema)
def read_correlation(correlation_id: UUID) -> Any:
    """Show a correlation as it was answered, and what was said of it since."""
    return success(to_json(answering.read(runtime().db, str(correlation_id), principal().projects)))


@blp.route("/iris/correlations/<uuid:correlation_id>/feedback", methods=["POST"])
@require("write:findings")
@blp.arguments(correlation_schemas.FeedbackSchema)
@blp.response(200, correlation_schemas.LearnedSchema)
def judge_correlation(wanted: dict[str, Any], correlation_id: UUID) -> Any:
    """Say whether a correlation was right: later answers learn from it.

    The same again counts once; another verdict on the same subject replaces the former one. It is learned
    from when the answers that were judged so far, given again, come out no worse.
    """
    caller = feedback.Caller(principal().name, principal().projects)
    return success(to_json(feedback.give(runtime().db, caller, str(correlation_id), wanted)))


@blp.route("/iris/findings-history", methods=["GET"])
@require("read:findings")
@blp.arguments(findings_history_schemas.FindingsHistoryQuery, location="query")
@blp.response(200, findings_history_schemas.FindingsHistorySchema)
def read_findings_history(query: dict[str, Any]) -> Any:
    """Tell how findings came and went, and whether it gets better."""
    return success(to_json(findings_history.findings_history(runtime().db, query, principal().projects)))


def desk() -> Desk:
    """Return what correlating works with in this process."""
    held = runtime()
    wanted = held.settings
    return Desk(held.db, held.memory, wanted.roots, wanted.correlation_threshold, held.metrics)
