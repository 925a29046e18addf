"""What BigQuery is told: its tables, and how what is on record becomes their rows.

Each row is one thing that happened; nothing that was sent is ever changed. Of a finding the row with the
greatest `$.history_id` in its metadata is how it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from hefesto_api.adapters.bigquery import Row, Table
from hefesto_api.analyzers import catalogue, masking
from hefesto_api.domain import clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hefesto_api.storage.correlations import CorrelationRecord
    from hefesto_api.storage.findings import FindingRecord, HistoryEntry
    from hefesto_api.storage.outbox import Event

MOST_JSON = 500_000  # bytes of one value
_TEXT, _TIME, _NUMBER = "STRING", "TIMESTAMP", "INTEGER"
_NEEDED, _MAYBE = "REQUIRED", "NULLABLE"

FINDINGS = Table(
    "hefesto_findings",
    (
        ("id", _TEXT, _NEEDED),
        ("timestamp", _TIME, _NEEDED),
        ("analysis_id", _TEXT, _MAYBE),
        ("file_path", _TEXT, _MAYBE),
        ("line_number", _NUMBER, _MAYBE),
        ("column_number", _NUMBER, _MAYBE),
        ("analyzer", _TEXT, _MAYBE),
        ("severity", _TEXT, _MAYBE),
        ("description", _TEXT, _MAYBE),
        ("recommendation", _TEXT, _MAYBE),
        ("code_snippet", _TEXT, _MAYBE),
        ("confidence", "FLOAT", _MAYBE),
        ("status", _TEXT, _MAYBE),
        ("first_seen", _TIME, _MAYBE),
        ("last_seen", _TIME, _MAYBE),
        ("occurrence_count", _NUMBER, _MAYBE),
        ("metadata", _TEXT, _MAYBE),
    ),
    ("analyzer", "severity", "id"),
)
EVENTS = Table(
    "hefesto_events",
    (
        ("id", _TEXT, _NEEDED),
        ("timestamp", _TIME, _NEEDED),
        ("type", _TEXT, _NEEDED),
        ("project", _TEXT, _MAYBE),
        ("data", _TEXT, _MAYBE),
    ),
    ("type", "project"),
)
CORRELATIONS = Table(
    "hefesto_correlations",
    (
        ("id", _TEXT, _NEEDED),
        ("timestamp", _TIME, _NEEDED),
        ("project", _TEXT, _MAYBE),
        ("alert_id", _TEXT, _MAYBE),
        ("error_type", _TEXT, _MAYBE),
        ("commit_hash", _TEXT, _MAYBE),
        ("correlation_found", "BOOLEAN", _MAYBE),
        ("confidence_score", "FLOAT", _MAYBE),
        ("model_version", _TEXT, _MAYBE),
        ("answer", _TEXT, _MAYBE),
    ),
    ("project", "error_type"),
)
TABLES = (FINDINGS, EVENTS, CORRELATIONS)


def of_finding(number: int, entry: HistoryEntry, record: FindingRecord, project: str | None) -> Row:
    """Return the row of something that happened to a finding: when it did, and how the finding is now."""
    rule = catalogue.RULES.get(record.rule_id)
    more = {
        "history_id": number,
        "action": entry.action,
        "project": project,
        "branch": record.branch or None,
        "rule_id": record.rule_id,
        "tool": record.tool,
        "cwe": record.cwe,
        "function_name": record.function_name,
        "class_name": record.class_name,
        "fingerprint": record.fingerprint,
        "revision": record.revision,
        "metadata": record.metadata,
    }
    values = {
        "id": record.id,
        "timestamp": clock.rfc3339(entry.timestamp),
        "analysis_id": record.analysis_id,
        "file_path": record.file_path,
        "line_number": record.line,
        "column_number": record.column,
        "analyzer": record.analyzer,
        "severity": record.severity,
        "description": masking.masked(record.description),
        "recommendation": record.recommendation or (rule.recommendation if rule else ""),
        "code_snippet": masking.masked(record.code_snippet),
        "confidence": record.confidence,
        "status": record.status,
        "first_seen": clock.rfc3339(record.first_seen),
        "last_seen": clock.rfc3339(record.last_seen),
        "occurrence_count": record.occurrence_count,
        "metadata": _json(more),
    }
    return Row(f"{record.id}:{number}", values)


def of_event(event: Event, project: str | None) -> Row:
    """Return the row of an event of the outbox."""
    values = {
        "id": event.id,
        "timestamp": clock.rfc3339(event.created_at),
        "type": event.type,
        "project": project,
        "data": _json(event.data),
    }
    return Row(event.id, values)


def of_correlation(record: CorrelationRecord, project: str | None) -> Row:
    """Return the row of a correlation."""
    values = {
        "id": record.id,
        "timestamp": clock.rfc3339(record.created_at),
        "project": project,
        "alert_id": record.alert_id,
        "error_type": record.error_type,
        "commit_hash": record.commit_hash,
        "correlation_found": record.correlation_found,
        "confidence_score": record.confidence_score,
        "model_version": record.model_version,
        "answer": _json(record.told()),
    }
    return Row(record.id, values)


def size_of(row: Row) -> int:
    """Return about how many bytes a row takes."""
    return sum(len(value) if isinstance(value, str) else 8 for value in row.values.values())


def _json(value: Mapping[str, Any]) -> str:
    """Return JSON with its texts' secrets masked; what is huge is only counted, so that it stays JSON."""
    text = orjson.dumps(masking.masked_within(value), option=orjson.OPT_NON_STR_KEYS)
    return text.decode() if len(text) <= MOST_JSON else f'{{"left_out_bytes":{len(text)}}}'
