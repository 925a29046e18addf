"""The overview: what fires and why, what was deployed, how good the code is, and what happened lately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import structs

from hefesto_api.domain import clock
from hefesto_api.domain.finding import Severity
from hefesto_api.storage import (
    activity,
    alert_lists,
    deployments,
    measures,
    projects,
    quality,
)
from hefesto_api.storage.alert_lists import Filter
from hefesto_api.storage.alerts import ACKNOWLEDGED, PENDING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hefesto_api.storage.alert_lists import ListedAlert
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.deployments import DeploymentRecord, VerdictRecord
    from hefesto_api.storage.outbox import Event

FIRING = 10
DEPLOYED = 5
PROJECTS = 50
LATELY = 20
_ALERT = (
    "id", "project", "service_name", "environment", "error_type", "title", "severity", "status",
    "occurrence_count", "first_seen", "last_seen", "correlation_id",
)  # fmt: skip
_EVENTS = (
    "alert.created", "alert.acknowledged", "alert.resolved", "analysis.completed", "analysis.failed",
    "deployment.created", "anomaly.detected", "webhook.status_changed",
)  # fmt: skip
_NAMING = ("title", "release", "commit_hash", "name", "metric", "path", "error")


def overview(session: Session, slug: str | None, allowed: Collection[str] | None) -> dict[str, Any]:
    """Return how things are now; `allowed` are the slugs of the projects that may be seen."""
    ids = projects.chosen(session, slug, allowed)
    standing = _standing(session, ids)
    return {
        "alerts": _alerts(session, ids),
        "deployments": _deployments(session, ids),
        "quality": _quality(session, slug, allowed),
        "findings": {"total": sum(standing.values()), "by_severity": standing},
        "lately": _lately(session, ids),
    }


def _alerts(session: Session, ids: tuple[str, ...] | None) -> dict[str, Any]:
    counts = {}
    for status in (PENDING, ACKNOWLEDGED):
        counts[status], _ = alert_lists.count(session, Filter(project_ids=ids, status=(status,)))
    found: list[ListedAlert] = []
    for status in (PENDING, ACKNOWLEDGED):  # what nobody has looked at first
        if len(found) < FIRING and counts[status]:
            wanted = Filter(project_ids=ids, status=(status,))
            found += alert_lists.page(session, wanted, limit=FIRING - len(found), sort="severity")[0]
    answers = activity.answers(session, (one.correlation_id for one in found if one.correlation_id))
    return {
        "firing": sum(counts.values()),
        **counts,
        "top": [
            {**_picked(one), **_blamed(answers.get(one.correlation_id) if one.correlation_id else None)}
            for one in found
        ],
    }


def _picked(alert: ListedAlert) -> dict[str, Any]:
    return {name: getattr(alert, name) for name in _ALERT}


def _blamed(answer: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return whom an alert's correlation suspects first, and why, in one line."""
    suspects: Sequence[Mapping[str, Any]] = (answer or {}).get("suspect_functions") or ()
    commits: Sequence[Mapping[str, Any]] = (answer or {}).get("suspect_commits") or ()
    first = next(iter(suspects), None)
    names = ("file_path", "function_name", "line_number", "probability")
    commit = next(iter(commits), None)
    return {
        "top_suspect": first and {name: first[name] for name in names},
        "suspect_commit": commit and {name: commit[name] for name in ("commit_hash", "message", "score")},
        "why": (answer or {}).get("suggested_root_cause"),
    }


def _deployments(session: Session, ids: tuple[str, ...] | None) -> list[dict[str, Any]]:
    found = deployments.page(session, limit=DEPLOYED, project_ids=ids)
    slugs = projects.slugs(session, (one.project_id for one in found))
    verdicts = deployments.verdicts(session, (one.id for one in found))
    return [_deployment(one, slugs[one.project_id], verdicts[one.id]) for one in found]


def _deployment(one: DeploymentRecord, slug: str, verdicts: Sequence[VerdictRecord]) -> dict[str, Any]:
    told = [{**structs.asdict(each), "decided_at": clock.rfc3339(each.decided_at)} for each in verdicts]
    return {
        "id": one.id,
        "project": slug,
        "environment": one.environment,
        "commit_hash": one.commit_hash,
        "release": one.release,
        "deployed_at": clock.rfc3339(one.deployed_at),
        "verdict": told[-1]["verdict"] if told else None,
        "verdicts": told,
    }


def _quality(session: Session, slug: str | None, allowed: Collection[str] | None) -> list[dict[str, Any]]:
    """Return the quality of each project, the worst first; a project of which nothing was read has none."""
    wanted = allowed if slug is None else {slug} & set(allowed if allowed is not None else {slug})
    found, _ = projects.page(session, limit=PROJECTS, allowed=wanted)
    names = {one.id: one.slug for one in found}
    if not names:
        return []
    reckoned = quality.by_project(session, list(names))
    told = [
        {
            "project": names[project_id],
            "quality_score": quality.rounded(one.score) if one.lines_of_code else None,
            "quality_grade": one.grade if one.lines_of_code else None,
            "lines_of_code": one.lines_of_code,
        }
        for project_id, one in reckoned.items()
    ]
    return sorted(told, key=lambda one: (one["quality_score"] is None, one["quality_score"], one["project"]))


def _standing(session: Session, ids: tuple[str, ...] | None) -> dict[str, int]:
    counts = {one.value: 0 for one in reversed(Severity)}
    for one in measures.standing(session, ids):
        counts[one.severity] += one.findings
    return counts


def _lately(session: Session, ids: tuple[str, ...] | None) -> list[dict[str, Any]]:
    events = activity.latest(session, _EVENTS, ids, LATELY)
    slugs = projects.slugs(session, (one.project_id for one in events))
    return [_event(one, slugs.get(one.project_id or "")) for one in events]


def _event(one: Event, slug: str | None) -> dict[str, Any]:
    named = next((one.data[name] for name in _NAMING if one.data.get(name)), None)
    return {
        "id": one.id,
        "type": one.type,
        "timestamp": clock.rfc3339(one.created_at),
        "project": slug,
        "subject_id": one.data.get("id") or one.data.get("analysis_id"),
        "title": None if named is None else str(named),
        "severity": one.data.get("severity"),
    }
