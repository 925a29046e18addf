"""The routes of alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.features.alerts import changes, course, maintenance, parting, schemas, service
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.conditional import require_match
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import success, to_json
from hefesto_api.web.idempotency import idempotent
from hefesto_api.web.rows import page_answer
from hefesto_api.web.scopes import admit, principal, require

if TYPE_CHECKING:
    from uuid import UUID

blp = Blueprint("alerts", url_prefix="/api/v1/alerts", description="What is wrong in production.")


@blp.route("", methods=["GET"])
@require("read:alerts")
@blp.arguments(schemas.AlertsQuery, location="query")
@blp.response(200, schemas.AlertListSchema)
def list_alerts(query: dict[str, Any]) -> Any:
    """List alerts of every status, what was seen last first."""
    found = service.listed(runtime().db, query, principal().projects)
    return page_answer(
        "alerts",
        found.items,
        query["page"],
        total_count=found.total,
        total_exact=found.exact,
        next_key=found.next_key,
    )


@blp.route("", methods=["POST"])
@require("write:alerts")
@idempotent
@blp.arguments(schemas.NewAlertSchema)
@blp.response(201, schemas.AlertSchema)
@blp.alt_response(200, schema=schemas.AlertSchema, description="One that is known.", success=True)
@blp.alt_response(409, "Conflict")
def create_alert(wanted: dict[str, Any]) -> Any:
    """Record an alert at once; its cause is looked for in the background.

    The same crash while it is unresolved is one alert: then it is counted, and answered with 200. The
    same message again changes nothing.
    """
    taken = changes.take(runtime().db, wanted, admit)
    place = {"Location": f"/api/v1/alerts/{taken.alert['id']}"}
    return success(to_json(taken.alert), 201 if taken.is_new else 200, place)


@blp.route("/stats/summary", methods=["GET"])
@require("read:alerts")
@blp.arguments(schemas.SummaryQuery, location="query")
@blp.response(200, schemas.AlertSummarySchema)
def summarize_alerts(query: dict[str, Any]) -> Any:
    """Add alerts up: how many of which kind, how soon people acted, which come back, which stay."""
    return success(to_json(service.summary(runtime().db, query, principal().projects)))


@blp.route("/acknowledge-batch", methods=["POST"])
@require("write:alerts")
@blp.arguments(schemas.AcknowledgeBatchSchema)
@blp.response(200, schemas.AcknowledgedBatchSchema)
def acknowledge_alerts(wanted: dict[str, Any]) -> Any:
    """Acknowledge up to a thousand alerts."""
    ids = [str(one) for one in wanted["ids"]]
    done = changes.acknowledge_many(runtime().db, _who(), ids, wanted["comment"] or "")
    return success(to_json(done))


@blp.route("/maintenance-windows", methods=["GET"])
@require("read:alerts")
@blp.arguments(schemas.MaintenanceWindowsQuery, location="query")
@blp.response(200, schemas.MaintenanceWindowListSchema)
def list_maintenance_windows(query: dict[str, Any]) -> Any:
    """List maintenance windows, what begins last first."""
    found = maintenance.listed(runtime().db, query, principal().projects)
    return page_answer("maintenance_windows", found.items, query["page"], total_count=found.total)


@blp.route("/maintenance-windows", methods=["POST"])
@require("write:alerts")
@idempotent
@blp.arguments(schemas.NewMaintenanceWindowSchema)
@blp.response(201, schemas.MaintenanceWindowSchema)
def create_maintenance_window(wanted: dict[str, Any]) -> Any:
    """Have alerts recorded and marked, and not announced, for a while."""
    if wanted.get("project") is not None:
        admit(wanted["project"])
    made = maintenance.create(runtime().db, _who(), wanted)
    return success(to_json(made), 201, {"Location": f"/api/v1/alerts/maintenance-windows/{made['id']}"})


@blp.route("/maintenance-windows/<uuid:window_id>", methods=["GET"])
@require("read:alerts")
@blp.response(200, schemas.MaintenanceWindowSchema)
def read_maintenance_window(window_id: UUID) -> Any:
    """Show a maintenance window."""
    return success(to_json(maintenance.read(runtime().db, str(window_id), principal().projects)))


@blp.route("/maintenance-windows/<uuid:window_id>", methods=["PATCH"])
@require("write:alerts")
@blp.arguments(schemas.MaintenanceWindowChangesSchema)
@blp.response(200, schemas.MaintenanceWindowSchema)
def change_maintenance_window(wanted: dict[str, Any], window_id: UUID) -> Any:
    """Change a maintenance window: make it longer, or end it now."""
    return success(to_json(maintenance.change(runtime().db, _who(), str(window_id), wanted)))


@blp.route("/maintenance-windows/<uuid:window_id>", methods=["DELETE"])
@require("write:alerts")
@blp.response(204)
def delete_maintenance_window(window_id: UUID) -> Any:
    """Delete a maintenance window: what goes on is announced."""
    maintenance.remove(runtime().db, _who(), str(window_id))
    return "", 204


@blp.route("/<uuid:alert_id>", methods=["GET"])
@require("read:alerts")
@blp.response(200, schemas.AlertSchema)
def read_alert(alert_id: UUID) -> Any:
    """Show an alert with its trace and its history."""
    with runtime().db.read() as session:
        item = service.read(session, str(alert_id), principal().projects)
        return success(to_json(service.detail(session, item)))


@blp.route("/<uuid:alert_id>/occurrences", methods=["GET"])
@require("read:alerts")
@blp.arguments(schemas.OccurrencesQuery, location="query")
@blp.response(200, schemas.OccurrenceListSchema)
def list_occurrences(query: dict[str, Any], alert_id: UUID) -> Any:
    """List the single occurrences of an alert, the latest first; each is kept for 30 days."""
    found = course.occurrences(runtime().db, str(alert_id), query, principal().projects)
    return page_answer(
        "occurrences",
        found.items,
        query["page"],
        total_count=found.total,
        total_exact=found.exact,
        next_key=found.next_key,
    )


@blp.route("/<uuid:alert_id>/timeline", methods=["GET"])
@require("read:alerts")
@blp.arguments(schemas.TimelineQuery, location="query")
@blp.response(200, schemas.TimelineSchema)
def read_timeline(query: dict[str, Any], alert_id: UUID) -> Any:
    """Show how often an alert occurred over time, beside deployments and what was done about it."""
    return success(to_json(course.timeline(runtime().db, str(alert_id), query, principal().projects)))


@blp.route("/<uuid:alert_id>/acknowledge", methods=["POST"])
@require("write:alerts")
@blp.arguments(schemas.CommentSchema, required=False)
@blp.response(200, schemas.AlertSchema)
@blp.alt_response(409, "Conflict")
def acknowledge_alert(wanted: dict[str, Any], alert_id: UUID) -> Any:
    """Say that somebody looks after it; of one that is acknowledged only the comment changes."""
    return _acknowledged(wanted, alert_id)


@blp.route("/<uuid:alert_id>/ack", methods=["POST"])
@require("write:alerts")
@blp.arguments(schemas.CommentSchema, required=False)
@blp.response(200, schemas.AlertSchema)
@blp.alt_response(409, "Conflict")
def ack_alert(wanted: dict[str, Any], alert_id: UUID) -> Any:
    """The same as acknowledge."""
    return _acknowledged(wanted, alert_id)


@blp.route("/<uuid:alert_id>/resolve", methods=["POST"])
@require("write:alerts")
@blp.arguments(schemas.CommentSchema, required=False)
@blp.response(200, schemas.AlertSchema)
def resolve_alert(wanted: dict[str, Any], alert_id: UUID) -> Any:
    """Say that it is over; when it happens again, a new alert begins."""
    comment = wanted["comment"] or ""
    done = changes.resolve(runtime().db, _who(), str(alert_id), comment, require=require_match)
    return success(to_json(done))


@blp.route("/<uuid:alert_id>/split", methods=["POST"])
@require("write:alerts")
@blp.arguments(schemas.SplitAlertSchema)
@blp.response(201, schemas.AlertSchema)
@blp.alt_response(409, "Conflict")
def split_alert(wanted: dict[str, Any], alert_id: UUID) -> Any:
    """Part what was grouped wrongly into an alert of its own, to which the next like it goes, too."""
    made = parting.split(runtime().db, _who(), str(alert_id), wanted)
    return success(to_json(made), 201, {"Location": f"/api/v1/alerts/{made['id']}"})


@blp.route("/<uuid:alert_id>/merge", methods=["POST"])
@require("write:alerts")
@blp.arguments(schemas.MergeAlertSchema)
@blp.response(200, schemas.AlertSchema)
@blp.alt_response(409, "Conflict")
def merge_alert(wanted: dict[str, Any], alert_id: UUID) -> Any:
    """Make an open alert part of another of its project; what is like it is counted there from now on."""
    into, comment = str(wanted["into"]), wanted["comment"] or ""
    return success(to_json(parting.merge(runtime().db, _who(), str(alert_id), into, comment)))


def _acknowledged(wanted: dict[str, Any], alert_id: UUID) -> Any:
    comment = wanted["comment"] or ""
    done = changes.acknowledge(runtime().db, _who(), str(alert_id), comment, require=require_match)
    return success(to_json(done))


def _who() -> changes.Who:
    caller = principal()
    return changes.Who(caller.name, caller.projects)
