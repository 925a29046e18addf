"""The routes of health: for people, for orchestrators and for Prometheus."""

from __future__ import annotations

from typing import Any

from flask import Response, redirect, request

from hefesto_api.adapters.metrics import CONTENT_TYPE
from hefesto_api.domain import clock
from hefesto_api.features.health import gauges, schemas, service
from hefesto_api.version import __version__
from hefesto_api.web import client, metering
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.limits import unlimited
from hefesto_api.web.scopes import demand, public

blp = Blueprint("health", description="Whether the service is well.")
FRESH = {"Cache-Control": "no-store"}  # an answer about now is about now


@blp.route("/", methods=["GET"])
@public
@blp.response(200, schemas.WelcomeSchema)
@blp.alt_response(302, description="A browser is led to the dashboard.", success=True)
def welcome() -> Any:
    """Say what this is."""
    if request.accept_mimetypes.best_match(("application/json", "text/html")) == "text/html":
        return redirect("/dashboard", 302)
    return {"message": "Hefesto API", "version": __version__, "docs": "/docs"}


@blp.route("/health", methods=["GET"])
@public
@unlimited
@blp.response(200, schemas.HealthSchema)
@blp.alt_response(503, schema=schemas.HealthSchema, description="Draining, or the last check failed.")
def health() -> Any:
    """Say whether this process takes requests, without looking at the storage."""
    up = service.is_up(runtime())
    return {"status": "healthy" if up else "unhealthy", **_stamp()}, (200 if up else 503), FRESH


@blp.route("/livez", methods=["GET"])
@public
@unlimited
@blp.response(200, schemas.LivenessSchema)
def liveness() -> Any:
    """Answer, which is all that is asked."""
    return {"status": "alive"}, 200, FRESH


@blp.route("/readyz", methods=["GET"])
@public
@unlimited
@blp.response(200, schemas.ReadinessSchema)
@blp.alt_response(503, schema=schemas.ReadinessSchema, description="Something does not hold.")
def readiness() -> Any:
    """Say whether requests may be sent here: migrated, storage and queue answering, not draining."""
    held = service.readiness(runtime())
    ready = all(held.values())
    return {"status": "ready" if ready else "not_ready", "checks": held}, (200 if ready else 503), FRESH


@blp.route("/health/deep", methods=["GET"])
@public
@unlimited
@blp.response(200, schemas.DeepHealthSchema)
@blp.alt_response(503, schema=schemas.DeepHealthSchema, description="A required part is down.")
def deep_health() -> Any:
    """Look at every part now."""
    checks = service.checks(runtime())
    state = service.overall(checks)
    told = {"status": state, "checks": checks, "warnings": service.warnings(runtime()), **_stamp()}
    return told, (503 if state == service.UNHEALTHY else 200), FRESH


@blp.route("/metrics", methods=["GET"])
@unlimited
@blp.response(200, {"type": "string"}, content_type="text/plain")
def metrics() -> Response:
    """Tell Prometheus everything that is counted; from another machine this needs `read:metrics`."""
    if not client.is_local():
        demand("read:metrics")
    told = metering.metrics().exposition(lambda: gauges.now(runtime()))
    return Response(told, headers={"Content-Type": CONTENT_TYPE, **FRESH})


@blp.route("/api/v1/health", methods=["GET"])
@public
@unlimited
@blp.response(200, schemas.ServiceHealthSchema)
def service_health() -> Any:
    """Say how the parts are."""
    checks = service.checks(runtime())
    told = {"status": service.overall(checks), "services": service.services(checks), **_stamp()}
    return told, 200, FRESH


@blp.route("/api/v1/status", methods=["GET"])
@public
@unlimited
@blp.response(200, schemas.StatusSchema)
def status() -> Any:
    """Say in one word how the whole is."""
    return service.status(runtime()), 200, FRESH


def _stamp() -> dict[str, str]:
    return {"version": __version__, "timestamp": clock.rfc3339(clock.now())}
