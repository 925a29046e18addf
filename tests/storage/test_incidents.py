"""What an incident does to findings that were put aside."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.storage import findings, incidents, outbox, projects
from hefesto_api.storage.findings import HistoryEntry
from tests.storage.factories import THEN, finding

if TYPE_CHECKING:
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.findings import FindingRecord

ALERT = "0190f3a2-0000-7000-8000-000000000001"
TOLD = "It took part in an incident of checkout that cost about 120 USD."


def kept(db: Database, **fields: Any) -> FindingRecord:
    with db.write() as session:
        made = finding(session, projects.ensure(session, "shop").id, **fields)
        comment = {"comment": "Never called with input."}
        entry = HistoryEntry(made.id, THEN, made.status, "ana", "Set aside.", comment)
        findings.add_history(session, [entry])
    return made


@pytest.mark.parametrize("status", ["ignored", "wontfix"])
@pytest.mark.parametrize(
    "until", [{}, {"ignored_until": THEN + timedelta(days=9_999)}, {"until_incident": True}]
)
def test_what_was_put_aside_opens_and_says_who_and_why(
    db: Database, status: str, until: dict[str, Any]
) -> None:
    made = kept(db, status=status, reason="accepted_risk", updated_by="ana", **until)
    with db.write() as session:
        assert incidents.reopen(session, made.id, ALERT, TOLD)
        assert not incidents.reopen(session, made.id, ALERT, TOLD)
    with db.read() as session:
        now = findings.get(session, made.id)
        _, entry = findings.history(session, made.id)
        (event,) = outbox.after(session, 0)
    assert (now.status, now.reason, now.ignored_until, now.until_incident) == (
        "open",
        "incident",
        None,
        False,
    )
    assert now.revision == made.revision + 1
    assert (entry.action, entry.user) == ("reopened", None)
    former = f"It was {status} (accepted risk) by ana since 2026-01-01T12:00:00.000000Z"
    assert entry.details == f"{TOLD} {former}: Never called with input."
    assert entry.data == {"alert_id": ALERT, "from": status, "to": "open", "reason": "accepted_risk"}
    assert (event.type, event.project_id) == ("finding.reopened", made.project_id)
    assert (event.data["alert_id"], event.data["findings"][0]["id"]) == (ALERT, made.id)


@pytest.mark.parametrize("status", ["open", "acknowledged", "resolved"])
def test_what_nobody_put_aside_stays_as_it_is(db: Database, status: str) -> None:
    made = kept(db, status=status)
    with db.write() as session:
        assert not incidents.reopen(session, made.id, ALERT, TOLD)
        assert not incidents.reopen(session, "nowhere", ALERT, TOLD)
    with db.read() as session:
        assert findings.get(session, made.id) == made
        assert len(findings.history(session, made.id)) == 1
        assert outbox.after(session, 0) == []


def test_a_comment_in_the_source_is_told_of(db: Database) -> None:
    said = {"kind": "hefesto", "line": 1, "justification": "only tests call it"}
    made = kept(db, status="ignored", reason="suppressed_in_source", suppression=said)
    with db.write() as session:
        assert incidents.reopen(session, made.id, ALERT, TOLD)
    with db.read() as session:
        told = findings.history(session, made.id)[-1].details
    assert told == f"{TOLD} A comment in the source asked not to report it: only tests call it"
