"""Stored findings as correlation weighs them, for the service and the command alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hefesto_api.analyzers import catalogue
from hefesto_api.domain.correlation import KnownFinding

if TYPE_CHECKING:
    from hefesto_api.storage.correlation_inputs import NearFinding


def known(one: NearFinding) -> KnownFinding:
    """Return a stored finding with what the catalogue says of its rule."""
    rule = catalogue.RULES.get(one.rule_id)
    return KnownFinding(
        id=one.id,
        path=one.file_path,
        line=one.line,
        rule_id=one.rule_id,
        type=rule.slug if rule else one.rule_id,
        analyzer=one.analyzer,
        severity=one.severity,
        end_line=one.end_line,
        function_name=one.function_name,
        status=one.status,
        confidence=one.confidence,
        description=one.description,
    )
