"""The application: settings, runtime, what every route shares, then the features in order.

`python -m hefesto_api.app > docs/openapi.json` renews the published OpenAPI document.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flask import Flask

from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.adapters import logs
from hefesto_api.features.alerts import routes as alerts
from hefesto_api.features.analysis import routes as analysis
from hefesto_api.features.audit import routes as audit_logs
from hefesto_api.features.auth import key_routes as api_keys
from hefesto_api.features.auth import mfa_routes as mfa
from hefesto_api.features.auth import oidc, oidc_routes
from hefesto_api.features.auth import session_routes as sessions
from hefesto_api.features.auth import user_routes as users
from hefesto_api.features.auth.oauth import client_routes as oauth_clients
from hefesto_api.features.auth.oauth import consent_routes as consent
from hefesto_api.features.auth.oauth import grant_routes as oauth_grants
from hefesto_api.features.auth.oauth import routes as oauth
from hefesto_api.features.cache import kept
from hefesto_api.features.cache import routes as cache_routes
from hefesto_api.features.config import routes as config
from hefesto_api.features.dashboard import routes as dashboard_data
from hefesto_api.features.deployments import routes as deployments
from hefesto_api.features.findings import identity_routes as identity
from hefesto_api.features.findings import owners_routes as owners
from hefesto_api.features.findings import routes as findings
from hefesto_api.features.health import routes as health
from hefesto_api.features.health import system
from hefesto_api.features.intake import routes as intake
from hefesto_api.features.iris import advice_routes as advice
from hefesto_api.features.iris import context_routes as code_context
from hefesto_api.features.iris import correlation_routes as correlations
from hefesto_api.features.iris import enrich_routes as enrichment
from hefesto_api.features.live import routes as live
from hefesto_api.features.live import sight
from hefesto_api.features.metrics import project_routes as project_quality
from hefesto_api.features.metrics import routes as metrics
from hefesto_api.features.projects import routes as projects
from hefesto_api.features.webhooks import routes as webhooks
from hefesto_api.web import (
    arguments,
    auditing,
    authentication,
    cache,
    client,
    client_tokens,
    compression,
    conditional,
    context,
    cors,
    docs,
    envelope,
    frontend,
    gate,
    headers,
    https,
    limits,
    metering,
    negotiation,
    openapi,
    shortcuts,
    signatures,
    tracing,
)
from hefesto_api.web.live import process as live_process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flask_smorest import Blueprint

    from hefesto_api.runtime import Runtime
    from hefesto_api.settings import Settings


class Application(Flask):
    """Flask, knowing that no view of ours is asynchronous: it would ask at every step of every request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is."""
        return func


class Feature(Protocol):
    """A module of routes."""

    blp: Blueprint


# Each module's `blp` is registered in this order, which is the order of the documentation.
FEATURES: tuple[Feature, ...] = (
    health,
    system,
    config,
    projects,
    analysis,
    findings,
    owners,
    identity,
    code_context,
    alerts,
    intake,
    correlations,
    advice,
    enrichment,
    deployments,
    webhooks,
    metrics,
    project_quality,
    dashboard_data,
    api_keys,
    sessions,
    mfa,
    users,
    oidc_routes,
    oauth_clients,
    oauth_grants,
    audit_logs,
    cache_routes,
    live,
)

# Who shows an access token of each kind, as long as it stands.
BEARERS: Mapping[str, authentication.Bearer] = {
    "user": authentication.of_user,
    "client": client_tokens.of_client,
}


def create_app(
    settings: Settings | None = None,
    runtime: Runtime | None = None,
    features: Sequence[Feature] = FEATURES,
) -> Flask:
    """Make the WSGI application; without arguments, from the environment of the process.

    Raises UsageError for settings that cannot be honoured.
    """
    runtime = runtime or (runtimes.build(settings) if settings else _of_this_process())
    app = Application("hefesto_api", static_folder=None)
    app.extensions[context.KEY] = runtime
    oidc.refuse_incomplete(runtime.settings)
    _install_web(app, runtime.settings)
    live_process.install(app, sight)
    api = openapi.install(app)
    for feature in features:
        api.register_blueprint(feature.blp)
    app.register_blueprint(docs.blp)
    app.register_blueprint(frontend.blp)
    app.register_blueprint(oauth.blp)
    app.register_blueprint(consent.blp)
    app.register_blueprint(oidc_routes.browsers)
    app.register_blueprint(live.sockets)
    arguments.declare_queries(app)
    negotiation.declare_produced(app)
    limits.declare(app)
    if features is FEATURES:
        cache.declare(app, kept.KEPT)
    return app


def openapi_document(app: Flask) -> bytes:
    """Write the OpenAPI document of an application."""
    return openapi.document_text(app)


def _of_this_process() -> Runtime:
    """Build what a process holds that is a server of ours alone, and log as its settings say."""
    settings = all_settings.from_process()
    logs.configure(settings)
    for warning in settings.warnings:
        logs.of("settings").warning("setting_ignored", reason=warning)
    made = runtimes.build(settings)
    runtimes.examine_secrets(settings, made.db)
    runtimes.start_telemetry(made)
    return made


def _install_web(app: Flask, settings: Settings) -> None:
    """Install what every request passes: hooks before it in this order, hooks after it in the reverse."""
    shortcuts.install(app, settings)  # innermost of what is around Flask
    tracing.install(app)
    auditing.install(app)
    metering.install(app)
    cors.install(app, settings)
    headers.install(app, settings)
    compression.install(app)
    conditional.install(app)
    https.install(app, settings)
    gate.install(app, settings)
    authentication.install(app, settings, BEARERS)
    limits.install(app, settings)
    signatures.install(app)
    arguments.install(app)
    negotiation.install(app)
    envelope.install(app)
    client.install(app, settings)  # outermost: all others see the client as trusted proxies tell of it


if __name__ == "__main__":
    published = create_app(all_settings.load({}, Path.cwd()))
    sys.stdout.buffer.write(openapi_document(published))
