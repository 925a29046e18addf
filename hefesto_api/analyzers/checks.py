"""The explicit table of our checks; what only hands out files (`engine`) does without their patterns."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from hefesto_api.analyzers import python_checks, secrets, smells, text_checks

if TYPE_CHECKING:
    from hefesto_api.analyzers.base import Check
    from hefesto_api.analyzers.registry import Thresholds


@lru_cache(maxsize=64)
def checks_for(language: str, thresholds: Thresholds) -> tuple[Check, ...]:
    """Return our checks that apply to a language, cheapest first."""
    table: tuple[Check, ...] = (
        text_checks.TEXT,
        secrets.SECRETS,
        smells.ComplexityCheck(thresholds.complexity),
        smells.SmellCheck(thresholds.max_function_lines, thresholds.max_parameters),
        *python_checks.CHECKS,
    )
    return tuple(check for check in table if not check.languages or language in check.languages)
