"""What an incident does to findings that somebody had put aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from hefesto_api.domain import clock
from hefesto_api.domain.lifecycle import INCIDENT, SUPPRESSED
from hefesto_api.storage import findings, outbox
from hefesto_api.storage.findings import FindingRecord, HistoryEntry

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session

PUT_ASIDE = ("ignored", "wontfix")
_READ = (
    sa.select(findings.findings)
    .where(findings.findings.c.id == sa.bindparam("id"), findings.findings.c.status.in_(PUT_ASIDE))
    .with_for_update()
)


def reopen(session: Session, finding_id: str, alert_id: str, told: str) -> bool:
    """Open a finding that was ignored or wontfix because it took part in an incident.

    In the caller's transaction. `told` is a sentence for the history: the incident and what it cost; who
    had put the finding aside, when and why is added to it. Whatever it was ignored until is over. False,
    and nothing is written, when it is neither ignored nor wontfix (any more), or is unknown.
    """
    row = session.execute(_READ, {"id": finding_id}).first()
    if row is None:
        return False
    record = FindingRecord(*row)
    now = clock.now()
    findings.change(
        session,
        record.id,
        record.revision,
        status="open",
        reason=INCIDENT,
        ignored_until=None,
        until_incident=False,
        resolved_at=None,
        updated_at=now,
        updated_by=None,
    )
    details = f"{told} {put_aside(session, record)}".strip()
    data = {"alert_id": alert_id, "from": record.status, "to": "open", "reason": record.reason}
    findings.add_history(session, [HistoryEntry(record.id, now, "reopened", None, details, data)])
    _announce(session, record, alert_id, details)
    return True


def put_aside(session: Session, record: FindingRecord) -> str:
    """Tell in a sentence who had put a finding aside, when and why; "" when it is not put aside."""
    if record.status not in PUT_ASIDE:
        return ""
    if record.reason == SUPPRESSED:
        why = (record.suppression or {}).get("justification", "")
        return f"A comment in the source asked not to report it{f': {why}' if why else '.'}"
    who = f" by {record.updated_by}" if record.updated_by else ""
    reason = f" ({record.reason.replace('_', ' ')})" if record.reason else ""
    comment = findings.last_comment(session, record.id)
    when = clock.rfc3339(record.updated_at)
    return f"It was {record.status}{reason}{who} since {when}{f': {comment}' if comment else '.'}"


def _announce(session: Session, record: FindingRecord, alert_id: str, details: str) -> None:
    named = {
        "id": record.id,
        "file_path": record.file_path,
        "line": record.line,
        "rule_id": record.rule_id,
        "severity": record.severity,
    }
    data = {"count": 1, "findings": [named], "user": None, "alert_id": alert_id, "details": details}
    outbox.append(session, "finding.reopened", data, project_id=record.project_id)
