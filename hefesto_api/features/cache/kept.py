"""Which answers are kept, and what they are made of.

A test reads each of these routes under the eyes of SQLite's authorizer and holds what was read to the kinds
that stand here. What tells of now (health, jobs, what is measured), of credentials or of the audit log is not
kept; nor is what streams.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hefesto_api.web.cache import Keeping

if TYPE_CHECKING:
    from collections.abc import Mapping

_FINDINGS = Keeping(("findings",))
_FINDING = Keeping(("findings", "correlations", "alerts", "analyses", "history"), "")
_ALERTS = Keeping(("alerts",))
_ALERT = Keeping(("alerts", "correlations", "findings", "deployments"), "")
_CORRELATIONS = Keeping(("correlations", "alerts", "findings"))
_DEPLOYMENTS = Keeping(("deployments", "findings", "alerts", "history", "correlations", "analyses"))
_METRICS = Keeping(("findings", "analyses", "correlations", "alerts"))
_DASHBOARD = (
    "alerts", "analyses", "anomalies", "correlations", "deployments", "events", "findings", "history",
    "webhooks",
)  # fmt: skip

KEPT: Mapping[str, Keeping] = {
    "projects.list_projects": Keeping(("projects",), ""),
    "projects.read_project": Keeping(("projects",), ""),
    "findings.list_findings": _FINDINGS,
    "findings.read_finding": _FINDING,
    "findings.read_file_findings": _FINDINGS,
    "alerts.list_alerts": _ALERTS,
    "alerts.read_alert": _ALERT,
    "alerts.summarize_alerts": Keeping(("alerts",), ready=True),
    "alerts.list_occurrences": _ALERT,
    "alerts.read_timeline": _ALERT,
    "analysis.list_analyses": Keeping(("analyses",)),
    "correlations.list_correlations": _CORRELATIONS,
    "correlations.read_correlation": Keeping(("correlations", "alerts", "findings"), ""),
    "correlations.read_findings_history": _FINDINGS,
    "deployments.list_deployments": _DEPLOYMENTS,
    "deployments.read_deployment": Keeping(_DEPLOYMENTS.kinds, ""),
    "metrics.read_summary": Keeping(_METRICS.kinds, ready=True),
    "metrics.read_trends": Keeping(_METRICS.kinds, ready=True),
    "metrics.read_hotspots": Keeping(("findings", "alerts", "correlations", "history")),
    "quality.read_gate": Keeping(_METRICS.kinds, "slug"),
    "dashboard.read_overview": Keeping(_DASHBOARD, ready=True),
    "dashboard.read_webhooks": Keeping(("webhooks",), ready=True),
    "dashboard.read_anomalies": Keeping(("anomalies",), ready=True),
}
"""By endpoint."""
