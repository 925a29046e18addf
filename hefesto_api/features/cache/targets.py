"""What can be made ready: the addresses that people begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TARGETS: Mapping[str, tuple[str, ...]] = {
    "dashboard": (
        "/api/v1/dashboard/overview",
        "/api/v1/dashboard/webhooks",
        "/api/v1/dashboard/anomalies",
    ),
    "metrics": ("/api/v1/metrics/summary", "/api/v1/metrics/trends"),
    "findings": ("/api/v1/findings",),
    "alerts": ("/api/v1/alerts", "/api/v1/alerts/stats/summary"),
    "analyses": ("/api/v1/analyses",),
    "deployments": ("/api/v1/deployments",),
    "projects": ("/api/v1/projects",),
}
