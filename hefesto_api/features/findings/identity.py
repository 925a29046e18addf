"""Why a finding is the same finding: what it is known by, and what it was known again by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain import clock
from hefesto_api.storage import finding_links, findings
from hefesto_api.storage.finding_links import MERGED, PARTED

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.finding_links import FindingLink
    from hefesto_api.storage.findings import FindingRecord, HistoryEntry

_TOLD = frozenset({"created", "recognized", "moved", "rule_renamed", "regressed", "merged", "split"})


def explain(session: Session, record: FindingRecord) -> dict[str, Any]:
    """Return the fingerprints on record and the sightings that took more than the exact one.

    What seems missing would prove nothing for this finding: it is null.
    """
    prints = findings.unpack_prints(record.prints)
    marks = {name: getattr(prints, name) or None for name in prints.__struct_fields__ if name != "version"}
    return {
        "id": record.id,
        "algorithm_version": prints.version,
        "fingerprint": record.fingerprint,
        "rule_id": record.rule_id,
        "file_path": record.file_path,
        "line": record.line,
        "function_name": record.function_name,
        "line_text": record.line_text,
        "fingerprints": marks,
        "occurrence_count": record.occurrence_count,
        **_linked(session, record.id),
        "story": [
            _told(number, entry)
            for number, entry in findings.events(session, record.id)
            if entry.action in _TOLD
        ],
    }


def _linked(session: Session, finding_id: str) -> dict[str, Any]:
    """Return what people said about which findings are one."""
    links = finding_links.of_finding(session, finding_id)
    here = [one for one in links if one.finding_id == finding_id]
    into = (one.finding_id for one in links if one.kind == MERGED and one.other_id == finding_id)
    return {
        "merged_into": next(into, None),
        "merged": [{**_said(one), "place": one.place} for one in here if one.kind == MERGED],
        "parted_from": [_said(one) for one in here if one.kind == PARTED],
    }


def _said(link: FindingLink) -> dict[str, Any]:
    return {"id": link.other_id, "timestamp": clock.rfc3339(link.created_at), "user": link.created_by}


def _told(number: int, entry: HistoryEntry) -> dict[str, Any]:
    data = entry.data or {}
    return {
        "event": number,
        "timestamp": clock.rfc3339(entry.timestamp),
        "action": entry.action,
        "evidence": data.get("how"),
        "from_line": data.get("from_line"),
        "to_line": data.get("to_line"),
        "details": entry.details,
    }
