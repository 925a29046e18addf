"""How the outside parts are that a service may be without: what nobody configured is disabled."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hefesto_api.domain.errors import HefestoError
from hefesto_api.storage import advice, exports

if TYPE_CHECKING:
    from hefesto_api.runtime import Runtime

DISABLED, ENABLED, CONNECTED, DISCONNECTED = "disabled", "enabled", "connected", "disconnected"


def states(runtime: Runtime) -> dict[str, str]:
    """Return each of them in a word."""
    shared = runtime.answers.shared
    return {
        "iris": ENABLED,
        "webhooks": ENABLED,
        "bigquery": _bigquery(runtime),
        "llm": ENABLED if runtime.settings.llm else DISABLED,
        "redis": DISABLED if shared is None else DISCONNECTED if shared.is_resting else CONNECTED,
    }


def warnings(runtime: Runtime) -> list[str]:
    """Return why BigQuery takes nothing, if that is so; raises HefestoError."""
    failing = [one for one in _cursors(runtime) if one.failures]
    if not failing:
        return []
    worst = max(failing, key=lambda one: one.failures)
    return [f"BigQuery has taken nothing in {worst.failures} tries: {worst.last_error}"]


def llm(runtime: Runtime) -> tuple[str, dict[str, Any]]:
    """Look at the latest call of the language model in this month, and at what the month has cost."""
    if not runtime.settings.llm:
        return "disabled", {}
    with runtime.db.read() as session:
        month = advice.this_month(session)
    budget = month.budget(runtime.settings.llm_monthly_budget_usd)
    details = {"model": runtime.settings.llm_model, "calls": month.calls, "budget": budget}
    if month.last_error is not None:
        return "degraded", {**details, "reason": month.last_error}
    return "healthy", details


def _bigquery(runtime: Runtime) -> str:
    """Return how the stream is by its latest tries; nobody is asked now."""
    if not runtime.settings.bigquery:
        return DISABLED
    with suppress(HefestoError):  # the database's own check tells of that
        cursors = _cursors(runtime)
        if any(one.failures for one in cursors):
            return DISCONNECTED
        return CONNECTED if any(one.last_success_at for one in cursors) else ENABLED
    return DISCONNECTED


def _cursors(runtime: Runtime) -> list[exports.CursorRecord]:
    if not runtime.settings.bigquery:
        return []
    with runtime.db.read() as session:
        return list(exports.every(session).values())
