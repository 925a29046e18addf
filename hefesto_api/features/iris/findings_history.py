"""How the findings of a file (or a project) came and went, and whether it gets better.

The trend compares the findings that were seen first in the two halves of a period: a tenth more in the
second half is degrading, a tenth less improving.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from msgspec import structs

from hefesto_api.domain import clock
from hefesto_api.domain.finding import Severity, Status
from hefesto_api.storage import finding_ages, finding_list, projects
from hefesto_api.storage.finding_list import Filter

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.finding_ages import Age
    from hefesto_api.storage.finding_list import ListedFinding

USUAL_PERIOD = timedelta(days=30)
NOTABLE_PERCENT = 10.0
HOUR = 3600
IMPROVING, DEGRADING, STABLE = DIRECTIONS = ("improving", "degrading", "stable")


def findings_history(
    db: Database, query: Mapping[str, Any], allowed: Collection[str] | None
) -> dict[str, Any]:
    """Return findings of every status, what was seen last first, with their trend and a summary."""
    end = query.get("end_date") or clock.now()
    start = query.get("start_date") or end - USUAL_PERIOD
    with db.read() as session:
        wanted = _filter(session, query, allowed)
        items, _ = finding_list.page(session, wanted, limit=query["limit"])
        total, _ = finding_list.count(session, wanted)
        ages = finding_ages.ages(session, wanted, total)
        resolved = finding_ages.resolved_at(session, [one.id for one in items])
        summary = _summary(session, wanted, total, ages)
    return {
        "findings": [_told(one, resolved.get(one.id)) for one in items],
        "total_count": total,
        "trend": trend([age.first_seen for age in ages], start, end),
        "summary": summary,
    }


def trend(moments: Sequence[datetime], start: datetime, end: datetime) -> dict[str, Any]:
    """Compare how many findings were seen first in the halves of a period."""
    middle = start + (end - start) / 2
    before = sum(start <= moment < middle for moment in moments)
    after = sum(middle <= moment <= end for moment in moments)
    change = (after - before) / before * 100 if before else 100.0 if after else 0.0
    direction = DEGRADING if change > NOTABLE_PERCENT else IMPROVING if change < -NOTABLE_PERCENT else STABLE
    days = max(round((end - start).total_seconds() / 86400), 1)
    return {
        "direction": direction,
        "change_percentage": round(change, 1),
        "period_days": days,
        "description": f"{after} new in the later half of {days} days, {before} in the earlier one.",
    }


def _filter(session: Session, query: Mapping[str, Any], allowed: Collection[str] | None) -> Filter:
    path, kind = query.get("file_path"), query.get("finding_type")
    ids = projects.chosen(session, query.get("project"), allowed)
    if ids is None and path is not None:
        ids = tuple(projects.every_id(session))  # the index of paths begins with the project
    return Filter(
        project_ids=ids,
        file_path=path,
        analyzer=(kind,) if kind else (),
        start=query.get("start_date"),
        end=query.get("end_date"),
    )


def _told(one: ListedFinding, resolved_at: datetime | None) -> dict[str, Any]:
    is_resolved = one.status == Status.RESOLVED
    return {
        "id": one.id,
        "timestamp": one.timestamp,
        "file_path": one.file_path,
        "finding_type": one.analyzer,
        "severity": one.severity,
        "description": one.description,
        "resolved": is_resolved,
        "resolution_date": clock.rfc3339(resolved_at) if is_resolved and resolved_at else None,
    }


def _summary(session: Session, wanted: Filter, total: int, ages: Sequence[Age]) -> dict[str, Any]:
    def count(**narrowed: Any) -> int:
        return finding_list.count(session, structs.replace(wanted, **narrowed))[0]

    took = [(age.resolved_at - age.first_seen).total_seconds() for age in ages if age.resolved_at]
    return {
        "total_findings": total,
        "resolved_findings": count(status=(Status.RESOLVED.value,)),
        "open_findings": count(status=(Status.OPEN.value, Status.ACKNOWLEDGED.value)),
        "average_resolution_time_hours": round(sum(took) / len(took) / HOUR, 2) if took else None,
        "findings_by_severity": {one.value: count(severity=(one.value,)) for one in reversed(Severity)},
    }
