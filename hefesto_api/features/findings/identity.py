"""Why a finding is the same finding: what it is known by, and what it was known again by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain import clock
from hefesto_api.storage import findings, sightings

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.findings import FindingRecord, HistoryEntry

_TOLD = frozenset({"created", "recognized", "moved", "rule_renamed", "regressed"})


def explain(session: Session, record: FindingRecord) -> dict[str, Any]:
    """Return the fingerprints on record and the sightings that took more than the exact one.

    What seems missing would prove nothing for this finding: it is null.
    """
    prints = sightings.unpack_prints(record.prints)
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
        "story": [_told(entry) for entry in findings.history(session, record.id) if entry.action in _TOLD],
    }


def _told(entry: HistoryEntry) -> dict[str, Any]:
    data = entry.data or {}
    return {
        "timestamp": clock.rfc3339(entry.timestamp),
        "action": entry.action,
        "evidence": data.get("how"),
        "from_line": data.get("from_line"),
        "to_line": data.get("to_line"),
        "details": entry.details,
    }
