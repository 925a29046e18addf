"""Reading findings: lists, one with its history and its relatives, those of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.analyzers import catalogue
from hefesto_api.domain import clock
from hefesto_api.domain.errors import NotFound
from hefesto_api.domain.finding import Severity
from hefesto_api.features.findings import owners, relatives, selection
from hefesto_api.storage import correlations, finding_details, finding_list, findings, projects
from hefesto_api.storage.finding_list import Filter

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.finding_details import DetailedFinding
    from hefesto_api.storage.finding_list import ListedFinding, WrittenPage
    from hefesto_api.storage.findings import FindingRecord

MOST_OF_A_FILE = 1000


class Listed(NamedTuple):
    """A page of the list, and how many findings there are in all."""

    page: WrittenPage
    total: int
    exact: bool


def listed(db: Database, query: Mapping[str, Any], allowed: Collection[str] | None) -> Listed:
    """Return a page of findings; by default what was seen last comes first."""
    page = query["page"]
    with db.read() as session:
        wanted = selection.chosen(session, query, allowed)
        items = finding_list.written(
            session,
            wanted,
            limit=page.limit,
            offset=0 if page.cursor is not None else page.offset,
            after=page.cursor,
            sort=page.sort or "last_seen",
            descending=page.descending or page.sort is None,
        )
        total, exact = items.counted or finding_list.count(session, wanted)
    return Listed(items, total, exact)


def of_file(
    db: Database, path: str, query: Mapping[str, Any], allowed: Collection[str] | None
) -> dict[str, Any]:
    """Return the findings of a file, of every status, what was seen last first; none for an unknown file."""
    least = query.get("severity")
    with db.read() as session:
        wanted = Filter(
            project_ids=projects.chosen(session, query.get("project"), allowed),
            file_path=path,
            min_rank=Severity(least).rank if least else None,
            start=query.get("since"),
        )
        items, _ = finding_list.page(session, wanted, limit=MOST_OF_A_FILE)
        total, _ = finding_list.count(session, wanted)
    return {"file_path": path, "findings": [_of_file(one) for one in items], "total_count": total}


def read(session: Session, finding_id: str, allowed: Collection[str] | None) -> FindingRecord:
    """Return a finding that the caller may see; raises NotFound."""
    record = findings.get(session, finding_id)
    if not projects.is_seen(session, record.project_id, allowed):
        raise NotFound("finding", finding_id)
    return record


def detail(
    session: Session, finding_id: str, allowed: Collection[str] | None, roots: Sequence[Path] = ()
) -> dict[str, Any]:
    """Return all that is known of a finding; `roots` are where its tree may be read. Raises NotFound."""
    return told(session, look(session, finding_id, allowed), roots)


def look(session: Session, finding_id: str, allowed: Collection[str] | None) -> DetailedFinding:
    """Return a finding that the caller may see, with what stands beside it; raises NotFound."""
    found = finding_details.get(session, finding_id)
    if allowed is not None and found.project not in allowed:
        raise NotFound("finding", finding_id)
    return found


def told(session: Session, found: DetailedFinding, roots: Sequence[Path]) -> dict[str, Any]:
    """Return all that is known of a finding, as it goes over the wire."""
    return {
        **{name: getattr(found, name) for name in selection.ITEM},
        **details(found),
        "branch": found.branch or None,
        "analysis_id": found.analysis_id,
        "reason": found.reason,
        "ignored_until": "incident" if found.until_incident else found.ignored_until,
        "suppression": found.suppression and {"justification": "", **found.suppression},
        "resolved_at": found.resolved_at,
        "updated_at": found.updated_at,
        "updated_by": found.updated_by,
        "incidents": correlations.incidents_of(session, found.id) if found.has_incidents else [],
        "ownership": owners.of_finding(session, found, roots),
        "history": finding_details.history(session, found.id),
        "related_findings": relatives.of(session, found),
    }


def item(record: FindingRecord, slug: str) -> dict[str, Any]:
    """Return a finding as the list shows it."""
    computed = {
        "project": slug,
        "timestamp": clock.rfc3339(record.last_seen),
        "first_seen": clock.rfc3339(record.first_seen),
        "last_seen": clock.rfc3339(record.last_seen),
    }
    return {name: computed.get(name) or getattr(record, name) for name in selection.ITEM}


def details(record: FindingRecord | DetailedFinding) -> dict[str, Any]:
    """Return what a finding says beyond its item of the list."""
    rule = catalogue.RULES.get(record.rule_id)
    return {
        "type": rule.slug if rule else record.rule_id,
        "recommendation": record.recommendation or (rule.recommendation if rule else ""),
        "code_snippet": record.code_snippet,
        "fingerprint": record.fingerprint,
        "cwe": record.cwe,
        "class_name": record.class_name,
        "end_line": max(record.end_line, record.line),
        "metadata": record.metadata,
    }


def named(record: FindingRecord) -> dict[str, Any]:
    """Return what an event tells of a finding."""
    return {name: getattr(record, name) for name in ("id", "file_path", "line", "rule_id", "severity")}


def _of_file(one: ListedFinding) -> dict[str, Any]:
    rule = catalogue.RULES.get(one.rule_id)
    return {
        "id": one.id,
        "timestamp": one.timestamp,
        "file_path": one.file_path,
        "severity": one.severity,
        "issue_type": one.analyzer,
        "type": rule.slug if rule else one.rule_id,
        "line_number": one.line,
        "message": one.description,
        "status": one.status,
    }
