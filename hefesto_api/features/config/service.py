"""The settings in the words of the wire; what a later part will do shows as not enabled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.settings import Settings

FEATURES = ("analysis", "findings")


def config(settings: Settings, security_checks: Sequence[str]) -> dict[str, Any]:
    """Return the configuration; `security_checks` are the rules that security is made of."""
    return {
        "version": __version__,
        "analyzers": _analyzers(settings, security_checks),
        "integrations": _integrations(settings),
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


def _integrations(settings: Settings) -> dict[str, Any]:
    budget = {"status": "OK", "spent_usd": 0.0, "limit_usd": settings.llm_monthly_budget_usd}
    return {
        "iris": {"enabled": True, "correlation_confidence_threshold": settings.correlation_threshold},
        "bigquery": {
            "enabled": False,
            "project_id": settings.bigquery_project or None,
            "dataset": settings.bigquery_dataset or None,
        },
        "llm": {"enabled": False, "model": settings.llm_model or None, "budget": budget},
        "redis": {"enabled": False},
        "webhooks": {"enabled": True},
    }
