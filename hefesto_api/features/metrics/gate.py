"""The quality gate: whether new code is good enough to be taken in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain.errors import Conflict, NotFound
from hefesto_api.domain.finding import Severity
from hefesto_api.storage import analyses, new_findings, quality

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hefesto_api.storage.analyses import AnalysisRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.projects import ProjectRecord

GRADES = "ABCDF"  # best first


def gate(session: Session, project: ProjectRecord, query: Mapping[str, Any]) -> dict[str, Any]:
    """Judge what an analysis brought in; raises NotFound and Conflict for what cannot be judged."""
    analysis = _analysis(session, project, query)
    new = _new(session, project, analysis)
    found = quality.current(session, project.id)
    conditions = list(_conditions(query, new, found.grade))
    return {
        "passed": all(condition["passed"] for condition in conditions),
        "project": project.slug,
        "analysis_id": analysis.id,
        "branch": analysis.branch or None,
        "compared_with": _compared(project, analysis),
        "conditions": conditions,
        "new_findings": {"total": sum(new.values()), **new},
        "quality_score": quality.rounded(found.score),
        "quality_grade": found.grade,
    }


def _analysis(session: Session, project: ProjectRecord, query: Mapping[str, Any]) -> AnalysisRecord:
    """Return the analysis that is asked for, else the latest that is complete (of the branch)."""
    if "analysis_id" not in query:
        latest = new_findings.latest_analysis(session, project.id, query.get("branch"))
        if latest is None:
            raise NotFound("analysis", query.get("branch") or project.slug)
        return analyses.get(session, latest)
    wanted = str(query["analysis_id"])
    found = analyses.get(session, wanted)
    if found.project_id != project.id or query.get("branch") not in {None, found.branch}:
        raise NotFound("analysis", wanted)
    if found.status != "completed":
        raise Conflict(f"The analysis is {found.status}; only a completed one can be judged.", id=wanted)
    return found


def _compared(project: ProjectRecord, analysis: AnalysisRecord) -> str | None:
    """Return the branch to compare with; None for the default branch: compared with its own past."""
    default = project.default_branch or ""
    return None if analysis.branch in {"", default} else default


def _new(session: Session, project: ProjectRecord, analysis: AnalysisRecord) -> dict[str, int]:
    base = _compared(project, analysis)
    if base is None:
        counts = new_findings.first_seen_by(session, analysis.id)
    else:
        counts = new_findings.of_branch(session, project.id, analysis.branch, base)
    return {one.value: counts.get(one.value, 0) for one in reversed(Severity)}


def _conditions(query: Mapping[str, Any], new: Mapping[str, int], grade: str) -> Iterator[dict[str, Any]]:
    for severity in reversed(Severity):
        limit = query.get(f"max_{severity.value.lower()}")
        if limit is not None:
            value = new[severity.value]
            yield _condition(f"new_{severity.value.lower()}", limit, value, holds=value <= limit)
    least = query.get("min_grade")
    if least is not None:
        yield _condition("quality_grade", least, grade, holds=GRADES.index(grade) <= GRADES.index(least))


def _condition(metric: str, limit: Any, value: Any, *, holds: bool) -> dict[str, Any]:
    return {"metric": metric, "limit": limit, "value": value, "passed": holds}
