"""The settings in the words of the wire, and what of the budget is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.storage import advice
from hefesto_api.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.settings import Settings
    from hefesto_api.storage.database import Database

FEATURES = ("analysis", "findings")


def config(db: Database, settings: Settings, security_checks: Sequence[str]) -> dict[str, Any]:
    """Return the configuration; `security_checks` are the rules that security is made of."""
    return {
        "version": __version__,
        "analyzers": _analyzers(settings, security_checks),
        "integrations": _integrations(db, settings),
        "license": {"tier": "free", "features": list(FEATURES)},
    }


def _analyzers(settings: Settings, security_checks: Sequence[str]) -> dict[str, Any]:
    levels = ("low", "medium", "high", "critical")
    return {
        "complexity": {
            "enabled": True,
            "thresholds": dict(zip(levels, settings.complexity_thresholds, strict=True)),
        },
        "security": {"enabled": True, "checks": list(security_checks)},
        "code_smells": {
            "enabled": True,
            "max_function_lines": settings.max_function_lines,
            "max_parameters": settings.max_parameters,
        },
        "best_practices": {"enabled": True, "enforce_docstrings": settings.enforce_docstrings},
    }


def _integrations(db: Database, settings: Settings) -> dict[str, Any]:
    month = advice.Month("")
    if settings.llm:
        with db.read() as session:
            month = advice.this_month(session)
    return {
        "iris": {"enabled": True, "correlation_confidence_threshold": settings.correlation_threshold},
        "bigquery": {
            "enabled": settings.bigquery,
            "project_id": settings.bigquery_project or None,
            "dataset": settings.bigquery_dataset or None,
        },
        "llm": {
            "enabled": settings.llm,
            "model": settings.llm_model or None,
            "budget": month.budget(settings.llm_monthly_budget_usd),
        },
        "redis": {"enabled": bool(settings.redis_url)},
        "webhooks": {"enabled": True},
    }
