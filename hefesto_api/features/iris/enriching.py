"""An alert with the code that it came from, for those who show alerts: nothing of it is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.analyzers import catalogue
from hefesto_api.features.iris import answering, context
from hefesto_api.features.iris.correlating import correlate
from hefesto_api.storage import correlation_inputs, projects

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hefesto_api.domain.correlation import Crash
    from hefesto_api.features.iris.correlating import Correlated, Desk
    from hefesto_api.storage.correlation_inputs import NearFinding
    from hefesto_api.storage.projects import ProjectRecord

MOST_FINDINGS = 25


def enrich(desk: Desk, wanted: Mapping[str, Any], allowed: Collection[str] | None) -> dict[str, Any]:
    """Return an alert's code, the findings there, and how likely one of its functions is to blame."""
    told = _as_alert(wanted)
    incoming = answering.alert_of(told)
    project = _project(desk, told, allowed)
    if project is None:
        return _missed(incoming.alert_id)
    found = correlate(desk, project, incoming)
    place = _place(wanted, found.inputs.crash)
    if place is None:
        return _missed(incoming.alert_id)
    shown = context.code_context(desk.db, project, desk.roots, *place, found.revision, desk.memory)
    if not shown["found"]:
        return _missed(incoming.alert_id)
    with desk.db.read() as session:
        standing = correlation_inputs.findings_in(session, project.id, [shown["file_path"]])
    return {
        "alert_id": incoming.alert_id,
        "enriched": True,
        "code_context": {
            **{name: shown[name] for name in _SHOWN},
            "recent_changes": shown["change_history"],
        },
        "hefesto_findings": [_finding(one) for one in _near(found, shown, standing)],
        "correlation_confidence": found.told["confidence_score"],
    }


_SHOWN = ("file_path", "function_name", "line_number", "code_snippet", "complexity")


def _as_alert(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Read a place as a stack of one frame, where no trace says more."""
    told = {**wanted, "stacktrace": wanted.get("stack_trace")}
    if not told["stacktrace"] and wanted.get("file_path"):
        told["frames"] = [{"file": wanted["file_path"], "line": wanted.get("line_number")}]
    return told


def _project(desk: Desk, wanted: Mapping[str, Any], allowed: Collection[str] | None) -> ProjectRecord | None:
    slug = answering.slug_of(desk.db, wanted)
    if allowed is not None and slug not in allowed:
        return None
    with desk.db.read() as session:
        return projects.find(session, slug)


def _place(wanted: Mapping[str, Any], crash: Crash) -> tuple[str, int | None] | None:
    """Return the file and the line to show: those that were named, else the crash's own in the project."""
    if wanted.get("file_path"):
        return wanted["file_path"], wanted.get("line_number")
    for one in (crash, *crash.causes):
        for frame in reversed(one.frames):
            if frame.project_path is not None:
                return frame.project_path, frame.line
    return None


def _missed(alert_id: str) -> dict[str, Any]:
    return {
        "alert_id": alert_id,
        "enriched": False,
        "code_context": None,
        "hefesto_findings": [],
        "correlation_confidence": 0.0,
    }


def _near(
    found: Correlated, shown: Mapping[str, Any], standing: Sequence[NearFinding]
) -> Sequence[NearFinding]:
    """Return the findings that match the error, then those of the place, the worst first."""
    matching = [found.near[one.finding_id] for one in found.ranking.findings if one.finding_id in found.near]
    here = [one for one in standing if _stands_in(one, shown)]
    return list({one.id: one for one in (*matching, *here)}.values())[:MOST_FINDINGS]


def _stands_in(one: NearFinding, shown: Mapping[str, Any]) -> bool:
    if one.file_path != shown["file_path"]:
        return False
    if shown["function_name"] and one.function_name:
        return bool(one.function_name == shown["function_name"])
    last = max(one.end_line, one.line)
    return bool(one.line <= (shown["end_line"] or one.line) and last >= (shown["start_line"] or 0))


def _finding(one: NearFinding) -> dict[str, Any]:
    rule = catalogue.RULES.get(one.rule_id)
    return {
        "id": one.id,
        "issue_type": one.analyzer,
        "severity": one.severity,
        "message": one.description,
        "line_number": one.line,
        "suggestion": rule.recommendation if rule else "",
    }
