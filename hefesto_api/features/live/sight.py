"""How things stand: what newcomers to the live feed are told first, and the numbers that events move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from msgspec import structs

from hefesto_api.domain import clock
from hefesto_api.storage import alert_lists, alert_stats, analyses, deployments, projects
from hefesto_api.storage.alerts import RESOLVED, alerts
from hefesto_api.storage.rollups import STANDING, finding_counts

if TYPE_CHECKING:
    from hefesto_api.storage.analyses import AnalysisRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.web.live.messages import Audience

FIRING = 20
DEPLOYED = 5
MOST_RUNNING = 100
_UNRESOLVED = ("pending", "acknowledged")
_f, _a = finding_counts.c, alerts.c
_FINDINGS = (
    sa.select(_f.severity, sa.cast(sa.func.sum(_f.findings), sa.BigInteger))
    .where(_f.status.in_(STANDING))
    .group_by(_f.severity)
)
_FINDINGS_OF_PROJECT = _FINDINGS.where(_f.project_id == sa.bindparam("project"))
_ALERTS_OF_PROJECT = (
    sa.select(_a.status, sa.func.count())
    .where(_a.project_id == sa.bindparam("project"), _a.status != RESOLVED)
    .group_by(_a.status)
)


def snapshot(session: Session, audience: Audience) -> dict[str, Any]:
    """Return the parts that the audience may know: alerts, findings, analyses that run, deployments."""
    asked = None if audience.allowed is None else tuple(audience.allowed)
    ids = None if asked is None else projects.chosen(session, None, asked)
    told: dict[str, Any] = {}
    if audience.principal.has("read:alerts"):
        told["alerts"] = _alerts(session, ids)
        told["deployments"] = _deployments(session, ids)
    if audience.principal.has("read:findings"):
        told["findings"] = {"by_severity": _findings(session, ids)}
    if audience.principal.has("read:analysis"):
        told["analyses"] = {"running": _running_of(session, ids)}
    return told


def metrics(session: Session, project_id: str) -> dict[str, Any]:
    """Return what stands in a project: alerts that are not resolved, findings by severity."""
    of = {"project": project_id}
    found = {row[0]: row[1] for row in session.execute(_ALERTS_OF_PROJECT, of)}
    findings = {row[0]: row[1] for row in session.execute(_FINDINGS_OF_PROJECT, of) if row[1]}
    return {"alerts": {status: found.get(status, 0) for status in _UNRESOLVED}, "findings": findings}


def running(session: Session) -> list[tuple[str | None, dict[str, Any]]]:
    """Return how far the analyses are that run, each with the id of its project."""
    found = analyses.page(session, limit=MOST_RUNNING, status="running")
    return [(one.project_id, _progress(one)) for one in found]


def _alerts(session: Session, ids: tuple[str, ...] | None) -> dict[str, Any]:
    unresolved = alert_lists.Filter(project_ids=ids, status=_UNRESOLVED)
    firing, _ = alert_lists.page(session, unresolved, limit=FIRING)
    counts = alert_stats.counts(session, unresolved)
    return {
        "by_status": counts["by_status"],
        "by_severity": counts["by_severity"],
        "firing": [structs.asdict(one) for one in firing],
    }


def _findings(session: Session, ids: tuple[str, ...] | None) -> dict[str, int]:
    statement = _FINDINGS if ids is None else _FINDINGS.where(_f.project_id.in_(ids))
    return {row[0]: row[1] for row in session.execute(statement) if row[1]}


def _running_of(session: Session, ids: tuple[str, ...] | None) -> list[dict[str, Any]]:
    found = analyses.page(session, limit=FIRING, status="running", project_ids=ids)
    slugs = projects.slugs(session, (one.project_id for one in found))
    return [{**_progress(one), "project": slugs.get(one.project_id or "")} for one in found]


def _deployments(session: Session, ids: tuple[str, ...] | None) -> list[dict[str, Any]]:
    found = deployments.page(session, limit=DEPLOYED, project_ids=ids)
    slugs = projects.slugs(session, (one.project_id for one in found))
    return [
        {
            "id": one.id,
            "project": slugs.get(one.project_id),
            "environment": one.environment,
            "commit_hash": one.commit_hash,
            "release": one.release,
            "deployed_at": clock.rfc3339(one.deployed_at),
        }
        for one in found
    ]


def _progress(one: AnalysisRecord) -> dict[str, Any]:
    return {
        "analysis_id": one.id,
        "status": one.status,
        "path": one.path,
        "files_total": one.files_total,
        "files_done": one.files_done,
    }
