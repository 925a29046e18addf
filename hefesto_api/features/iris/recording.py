"""Alerts and their correlations on record: one short transaction for both, and for all that follows.

The same serves HTTP, where alert and correlation come at once, and the worker, where the alert came before.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
from msgspec.structs import replace

from hefesto_api.domain import audit, clock, grouping, ids
from hefesto_api.domain.errors import NotFound
from hefesto_api.domain.finding import Severity
from hefesto_api.features.iris import knowledge, past
from hefesto_api.features.iris.correlating import correlate
from hefesto_api.features.iris.telling import Reopened
from hefesto_api.storage import alerts, code_facts, correlations, findings, incidents, outbox, projects
from hefesto_api.storage.correlations import CorrelationRecord, Named

if TYPE_CHECKING:
    from hefesto_api.adapters.memory import Memory
    from hefesto_api.domain.alert import IncomingAlert
    from hefesto_api.domain.correlation import Crash
    from hefesto_api.domain.grouping import Grouped
    from hefesto_api.features.iris.correlating import Correlated, Desk
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.projects import ProjectRecord

NAMED = 5  # suspects of an answer that later ones may learn from
SIZE_OF_GROUPED = 4_000  # bytes in memory: traits are bounded
SIZE_OF_DIGEST = 200
OTHER = "another one"


def correlate_incoming(desk: Desk, slug: str, incoming: IncomingAlert) -> dict[str, Any]:
    """Correlate an alert that comes in, record both, and return the answer; an unknown project is made."""
    with desk.db.read() as session:
        project = projects.find(session, slug)
    found = correlate(desk, project, incoming)
    with desk.db.write() as session:
        told = record(session, desk, found, project or projects.ensure(session, slug))
        changes = {
            name: told[name] for name in ("recorded_alert_id", "reopened_findings", "correlation_found")
        }
        audit.note("correlation.created", "correlation", told["correlation_id"], changes, project=slug)
        return told


def correlate_recorded(desk: Desk, alert_id: str) -> None:
    """Correlate an alert on record (by our id), unless it was correlated before or is gone."""
    with suppress(NotFound):
        with desk.db.read() as session:
            alert = alerts.get(session, alert_id)
            project = projects.by_id(session, alert.project_id)
        if alert.correlation_id is not None:
            return
        found = correlate(desk, project, alert.received())
        with desk.db.write() as session:
            if alerts.get(session, alert_id).correlation_id is None:
                record(session, desk, found, project, alert_id)


def record(
    session: Session, desk: Desk, found: Correlated, project: ProjectRecord, alert_id: str | None = None
) -> dict[str, Any]:
    """Record an answer, and the alert unless it is on record under an id of ours; return the answer."""
    recorded = None
    if alert_id is None:
        told = _with_error(found.incoming, found.inputs.crash)
        recorded = alerts.record(
            session, project.id, told, found.fingerprint, announced=False, found=_grouped(desk.memory, told)
        )
        alert_id = recorded.alert_id
    reopened = [one for one in _to_reopen(session, desk, found) if _reopen(session, found, alert_id, one)]
    made = _record(session, desk.memory, found, project, alert_id, reopened)
    code_facts.keep(session, knowledge.facts_version(), found.fresh.items())
    if found.to_index is not None:
        past.ask_for(session, project.id, found.to_index)
    _announce(session, made)
    if recorded is not None and (recorded.is_new or recorded.is_told):
        alerts.announce(session, "created" if recorded.is_new else "repeated", alert_id)
    return made.told()


def _grouped(memory: Memory, incoming: IncomingAlert) -> Grouped:
    """Group an alert, or return what the same came to before; its title and id seldom count."""
    told = replace(
        incoming, title="", alert_id="", timestamp=None, severity=Severity.LOW, metadata={}, links=()
    )
    place = ("grouped", blake2b(msgspec.json.encode(told), digest_size=16).digest())
    found: Grouped | None = memory.get(place)
    if found is None:
        found = grouping.grouped(incoming)
        if found == grouping.grouped(replace(incoming, title=OTHER, alert_id=OTHER)):
            memory.keep(place, found, SIZE_OF_GROUPED)
    return found


def _packed(memory: Memory, encoded: bytes) -> bytes:
    """Compress what an answer was made from, once for all occurrences that were answered from the same."""
    place = ("packed", blake2b(encoded, digest_size=16).digest())
    found: bytes | None = memory.get(place)
    if found is None:
        found = correlations.packed(encoded)
        memory.keep(place, found, SIZE_OF_DIGEST + len(found))
    return found


def _announce(session: Session, made: CorrelationRecord) -> None:
    """Tell of an answer those who export it; webhooks and the live feed have the alert's own events."""
    data = {
        "id": made.id,
        "alert_id": made.alert_id,
        "correlation_found": made.correlation_found,
        "confidence_score": made.confidence_score,
    }
    outbox.append(session, "correlation.created", data, project_id=made.project_id)


def _with_error(incoming: IncomingAlert, crash: Crash) -> IncomingAlert:
    """Add what the trace tells of the error, where the sender told of none."""
    missing = {
        name: getattr(crash, name)
        for name in ("error_type", "error_message")
        if not getattr(incoming, name) and getattr(crash, name)
    }
    return replace(incoming, **missing) if missing else incoming


def _to_reopen(session: Session, desk: Desk, found: Correlated) -> list[Reopened]:
    """Return the matching findings that are put aside, as they are before they are opened."""
    sure = (one for one in found.ranking.findings if one.match_confidence >= desk.threshold)
    aside = [
        one
        for one in sure
        if one.finding_id in found.near and found.near[one.finding_id].status in incidents.PUT_ASIDE
    ]
    with suppress(NotFound):
        return [Reopened(findings.get(session, one.finding_id), one.match_confidence) for one in aside]
    return []


def _reopen(session: Session, found: Correlated, alert_id: str, one: Reopened) -> bool:
    incoming, cost = _with_error(found.incoming, found.inputs.crash), found.told["cost_estimate"]
    what = ": ".join(part for part in (incoming.error_type, incoming.error_message) if part)
    told = f"Alert {incoming.alert_id} ({(what or incoming.title)[:200]}) was traced to this finding"
    price = f", at a cost of about {cost['estimated_revenue_impact_usd']:.2f} USD" if cost else ""
    return incidents.reopen(session, one.finding.id, alert_id, f"{told}{price}.")


def _record(
    session: Session,
    memory: Memory,
    found: Correlated,
    project: ProjectRecord,
    alert_id: str,
    reopened: list[Reopened],
) -> CorrelationRecord:
    made_id = ids.new_id()
    answer = {
        "correlation_id": made_id,
        **found.told,
        "reopened_findings": [one.finding.id for one in reopened],
        "recorded_alert_id": alert_id,
    }
    answer["recommended_actions"] = [
        *(f"Fix what was put aside: {one.sentence}" for one in reopened), *answer["recommended_actions"],
    ]  # fmt: skip
    made = CorrelationRecord(
        id=made_id,
        project_id=project.id,
        alert_id=alert_id,
        created_at=clock.now(),
        error_type=found.inputs.crash.error_type,
        commit_hash=found.running.known or found.running.commit,
        confidence_score=answer["confidence_score"],
        correlation_found=answer["correlation_found"],
        model_version=found.ranking.model_version,
        answer=orjson.dumps(answer),
        inputs=_packed(memory, found.encoded),
    )
    matched = [(one["finding_id"], one["match_confidence"]) for one in answer["matching_findings"]]
    suspects = [
        Named(one.file_path, one.function_name, one.probability) for one in found.ranking.suspects[:NAMED]
    ]
    correlations.record(session, made, findings=matched, functions=suspects)
    return made
