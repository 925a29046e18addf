"""The routes of metrics."""

from __future__ import annotations

from typing import Any

from hefesto_api.features.metrics import hotspots, schemas, summary, trends
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import success, to_json
from hefesto_api.web.scopes import principal, require

blp = Blueprint("metrics", url_prefix="/api/v1/metrics", description="How good the code is.")


@blp.route("/summary", methods=["GET"])
@require("read:metrics")
@blp.arguments(schemas.SummaryQuery, location="query")
@blp.response(200, schemas.MetricsSummarySchema)
def read_summary(query: dict[str, Any]) -> Any:
    """Sum up what stood at the end of a period, and compare with the period before.

    A finding stands while it is open or acknowledged.
    """
    return success(to_json(summary.summary(runtime().db, query, principal().projects)))


@blp.route("/trends", methods=["GET"])
@require("read:metrics")
@blp.arguments(schemas.TrendsQuery, location="query")
@blp.response(200, schemas.MetricsTrendsSchema)
def read_trends(query: dict[str, Any]) -> Any:
    """Tell what stood at the end of each day, week or month until today."""
    return success(to_json(trends.trends(runtime().db, query, principal().projects)))


@blp.route("/hotspots", methods=["GET"])
@require("read:metrics")
@blp.arguments(schemas.HotspotsQuery, location="query")
@blp.response(200, schemas.HotspotsSchema)
def read_hotspots(query: dict[str, Any]) -> Any:
    """List the files that are changed often, complex, and were to blame for alerts, the hottest first.

    The score (0 to 100) compares the files that are asked for with each other. `parts` tells what is known.
    """
    return success(to_json(hotspots.tell(runtime().db, query, principal().projects)))
