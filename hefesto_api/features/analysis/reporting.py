"""An analysis as the values that reports are written from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hefesto_api.domain.finding import Group, Severity
from hefesto_api.formats.document import ReportFinding, Summary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hefesto_api.features.analysis.document import Found


def finding_of(one: Found) -> ReportFinding:
    """Return an entry of the findings document as reports take it."""
    return ReportFinding(
        id=one.id,
        analyzer=Group(one.analyzer),
        rule_id=one.rule_id,
        severity=one.severity,
        file=one.file,
        line=one.line,
        column=one.column,
        end_line=one.end_line,
        description=one.message,
        recommendation=one.recommendation,
        code_snippet=one.snippet,
        confidence=one.confidence,
        cwe=one.cwe,
        metadata=one.metadata,
        tool=one.tool,
        end_column=one.end_column,
        line_text=one.line_text,
        symbol=one.function_name,
        class_name=one.class_name,
        fingerprint=one.fingerprint,
        suppression=one.suppression,
        is_new=one.fresh,
    )


def summary_of(counts: Mapping[Severity, int], threshold: Severity = Severity.LOW) -> Summary:
    """Return the summary of findings counted by severity, of those that reach the threshold."""
    shown = {severity: counts.get(severity, 0) for severity in Severity.at_least(threshold)}
    worst_first = [shown.get(severity, 0) for severity in reversed(Severity)]
    return Summary(sum(worst_first), *worst_first)
