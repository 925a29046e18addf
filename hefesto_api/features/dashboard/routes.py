"""The routes of the dashboard's data."""

from __future__ import annotations

from typing import Any

from hefesto_api.features.dashboard import outgoing, overview, performance, schemas, unusual
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import success, to_json
from hefesto_api.web.scopes import principal, require

blp = Blueprint("dashboard", url_prefix="/api/v1/dashboard", description="What is on fire, and why.")
_HOUR = 60
_FORTNIGHT = 14


@blp.route("", methods=["GET"])
@require("read:metrics")
@blp.arguments(schemas.DashboardQuery, location="query")
@blp.response(200, schemas.DashboardSchema)
def read_dashboard(query: dict[str, Any]) -> Any:
    """Tell all of the dashboard at once."""
    slug, allowed = query.get("project"), principal().projects
    with runtime().db.read() as session:
        told = {
            "overview": overview.overview(session, slug, allowed),
            "webhooks": outgoing.outgoing(session, slug, allowed),
            "performance": performance.performance(session, _HOUR),
            "anomalies": unusual.unusual(session, {**query, "days": _FORTNIGHT}, allowed),
        }
    return success(to_json(told))


@blp.route("/overview", methods=["GET"])
@require("read:metrics")
@blp.arguments(schemas.DashboardQuery, location="query")
@blp.response(200, schemas.DashboardOverviewSchema)
def read_overview(query: dict[str, Any]) -> Any:
    """Tell what fires and why, the newest deployments, the quality of projects, and what happened lately."""
    with runtime().db.read() as session:
        told = overview.overview(session, query.get("project"), principal().projects)
    return success(to_json(told))


@blp.route("/webhooks", methods=["GET"])
@require("read:metrics")
@blp.arguments(schemas.DashboardQuery, location="query")
@blp.response(200, schemas.DashboardWebhooksSchema)
def read_webhooks(query: dict[str, Any]) -> Any:
    """Tell how the outgoing webhooks do; not where they lead."""
    with runtime().db.read() as session:
        told = outgoing.outgoing(session, query.get("project"), principal().projects)
    return success(to_json(told))


@blp.route("/performance", methods=["GET"])
@require("read:metrics")
@blp.arguments(schemas.PerformanceQuery, location="query")
@blp.response(200, schemas.DashboardPerformanceSchema)
def read_performance(query: dict[str, Any]) -> Any:
    """Tell how the service itself does, all its processes together: by route and over time.

    What was answered is in it after some seconds.
    """
    with runtime().db.read() as session:
        told = performance.performance(session, query["minutes"])
    return success(to_json(told))


@blp.route("/anomalies", methods=["GET"])
@require("read:metrics")
@blp.arguments(schemas.AnomaliesQuery, location="query")
@blp.response(200, schemas.DashboardAnomaliesSchema)
def read_anomalies(query: dict[str, Any]) -> Any:
    """List what is not as it usually is, and what is usual now.

    With a metric its points of the last day come along, each with what was expected then.
    """
    with runtime().db.read() as session:
        told = unusual.unusual(session, query, principal().projects)
    return success(to_json(told))
