"""From an alert to the functions, findings and commits behind it.

What is slow (reading a trace, facts, ranking) happens with no door to the database open; then one short
transaction records the alert, the answer and all that it was made from. The same serves HTTP and the worker.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import orjson
from msgspec import Struct

from hefesto_api.analyzers import catalogue
from hefesto_api.domain import clock, grouping, ids
from hefesto_api.domain.correlation import Change, Crash, Incident, KnownFinding, Learned, gather, rank
from hefesto_api.domain.errors import NotFound
from hefesto_api.features.iris import knowledge, past, reading, telling
from hefesto_api.features.iris.changing import Changes
from hefesto_api.features.iris.running import Running, running
from hefesto_api.features.iris.sources import Sources
from hefesto_api.features.iris.telling import Reopened
from hefesto_api.storage import (
    alerts,
    code_facts,
    correlation_inputs,
    correlations,
    incidents,
    learning,
    projects,
)
from hefesto_api.storage.correlations import CorrelationRecord, Named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hefesto_api.adapters.memory import Memory
    from hefesto_api.domain.alert import IncomingAlert
    from hefesto_api.domain.code import FileFacts
    from hefesto_api.domain.correlation import Ranking
    from hefesto_api.features.iris.knowledge import Code
    from hefesto_api.features.iris.reading import Places
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.code_facts import Key
    from hefesto_api.storage.correlation_inputs import NearFinding
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.projects import ProjectRecord

PUT_ASIDE = incidents.PUT_ASIDE
NAMED = 5  # suspects of an answer that later ones may learn from


class Desk(NamedTuple):
    """What correlating works with; a finding put aside is opened from `threshold` of confidence on."""

    db: Database
    memory: Memory
    roots: Sequence[Path] | None
    threshold: float


class Inputs(Struct, frozen=True):
    """All that an answer was ranked from, as it is kept with it; `files` are the hashes of the facts."""

    crash: Crash
    files: dict[str, tuple[str, str] | None]
    findings: list[KnownFinding]
    changes: list[Change]
    incidents: list[Incident]
    learned: Learned


class Correlated(NamedTuple):
    """An answer before it is recorded."""

    incoming: IncomingAlert
    project: ProjectRecord | None
    fingerprint: str
    running: Running
    inputs: Inputs
    ranking: Ranking
    near: Mapping[str, NearFinding]
    told: dict[str, Any]
    fresh: Mapping[Key, bytes]


def correlate(desk: Desk, project: ProjectRecord | None, incoming: IncomingAlert) -> Correlated:
    """Find out what is behind an alert of a project (None: of one that nobody knows yet)."""
    trace = reading.trace_of(incoming)
    if project is None:
        return _of_nothing(incoming, reading.crash_of(incoming, trace, reading.places((), ())))
    with desk.db.read() as session:
        latest = correlation_inputs.latest_analysis(session, project.id)
        where, analysed = knowledge.places_of(session, desk.memory, project, latest.id if latest else "")
        ran = running(session, project.id, incoming)
    sources = Sources(desk.db, project, desk.roots)
    revision = ran.known or (sources.resolve(ran.commit) if ran.commit else None)
    code = knowledge.Code(desk.db, desk.memory, sources, project.id, latest.id if latest else "", revision)
    crash, facts = _crash(incoming, trace, where, code)
    print_ = grouping.fingerprint(incoming, where.holds if analysed else None)
    with desk.db.read() as session:
        near, inputs = _inputs(session, desk, project.id, crash, facts, code, ran, print_, incoming)
    ranking = rank(
        crash, facts, findings=inputs.findings, changes=inputs.changes, incidents=inputs.incidents,
        learned=inputs.learned,
    )  # fmt: skip
    told = telling.told(incoming, crash, ranking, near, telling.cost_of(incoming, project))
    more = telling.advice(
        crash, ranking, ran, knows_files=len(where.index) > 0, knows_history=bool(inputs.changes)
    )
    told["recommended_actions"] = [*told["recommended_actions"], *more]
    told["deployed"] = telling.deployed(ran)
    wanted = ran if revision is None or ran.known else ran._replace(commit=revision)
    return Correlated(incoming, project, print_, wanted, inputs, ranking, near, told, dict(code.fresh))


def record(
    session: Session, desk: Desk, found: Correlated, project: ProjectRecord, alert_id: str | None = None
) -> dict[str, Any]:
    """Record an answer, and the alert unless it is on record under an id of ours; return the answer."""
    recorded = None
    if alert_id is None:
        recorded = alerts.record(session, project.id, found.incoming, found.fingerprint, announced=False)
        alert_id = recorded.alert_id
    reopened = [one for one in _to_reopen(desk, found) if _reopen(session, found, alert_id, one)]
    made = _record(session, found, project, alert_id, reopened)
    alerts.set_correlation(session, alert_id, made.id)
    code_facts.keep(session, knowledge.facts_version(), found.fresh.items())
    if found.running.commit and not found.running.known:
        past.ask_for(session, project.id, found.running.commit)
    if recorded is not None and recorded.is_new:
        alerts.announce(session, "created", alert_id)
    return made.told()


def correlate_incoming(desk: Desk, slug: str, incoming: IncomingAlert) -> dict[str, Any]:
    """Correlate an alert that comes in, record both, and return the answer; an unknown project is made."""
    with desk.db.read() as session:
        project = projects.find(session, slug)
    found = correlate(desk, project, incoming)
    with desk.db.write() as session:
        return record(session, desk, found, project or projects.ensure(session, slug))


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


def reproduced(session: Session, record: CorrelationRecord) -> Ranking:
    """Rank again from what is kept with a correlation: the numbers are the same."""
    inputs, facts = replayable(session, record)
    return rank(
        inputs.crash, facts, findings=inputs.findings, changes=inputs.changes, incidents=inputs.incidents,
        learned=inputs.learned,
    )  # fmt: skip


def replayable(session: Session, record: CorrelationRecord) -> tuple[Inputs, dict[str, FileFacts]]:
    """Return what a correlation was made from, with the facts of its files as far as they are kept."""
    inputs = msgspec.json.decode(record.made_from(), type=Inputs)
    keys = ((path, key) for path, key in inputs.files.items() if key is not None)
    return inputs, knowledge.stored(session, keys)


def _crash(
    incoming: IncomingAlert, trace: Any, where: Places, code: Code
) -> tuple[Crash, dict[str, FileFacts]]:
    crash = reading.crash_of(incoming, trace, where)
    facts = gather(crash, code.facts_of, where.index)
    if any(frame.candidates for one in (crash, *crash.causes) for frame in one.frames):
        crash = reading.crash_of(incoming, trace, where, facts)
    return crash, facts


def _inputs(
    session: Session,
    desk: Desk,
    project_id: str,
    crash: Crash,
    facts: Mapping[str, FileFacts],
    code: Code,
    ran: Running,
    fingerprint: str,
    incoming: IncomingAlert,
) -> tuple[dict[str, NearFinding], Inputs]:
    paths = list(dict.fromkeys([*_paths(crash), *facts]))
    near = {one.id: one for one in correlation_inputs.findings_in(session, project_id, paths)}
    open_alert = correlation_inputs.open_alert(session, project_id, fingerprint)
    changes = Changes(session, desk.memory, project_id, ran, incoming.timestamp or clock.now())
    return near, Inputs(
        crash=crash,
        files={path: code.used.get(path) for path in facts},
        findings=[_known(one) for one in near.values()],
        changes=changes.of(crash, facts),
        incidents=correlations.known_incidents(session, project_id, paths, open_alert),
        learned=learning.learned(session, project_id),
    )


def _paths(crash: Crash) -> list[str]:
    frames = (frame for one in (crash, *crash.causes) for frame in one.frames)
    return [frame.project_path for frame in frames if frame.project_path]


def _known(one: NearFinding) -> KnownFinding:
    rule = catalogue.RULES.get(one.rule_id)
    return KnownFinding(
        id=one.id,
        path=one.file_path,
        line=one.line,
        rule_id=one.rule_id,
        type=rule.slug if rule else one.rule_id,
        analyzer=one.analyzer,
        severity=one.severity,
        end_line=one.end_line,
        function_name=one.function_name,
        status=one.status,
        confidence=one.confidence,
        description=one.description,
    )


def _of_nothing(incoming: IncomingAlert, crash: Crash) -> Correlated:
    inputs = Inputs(crash, {}, [], [], [], Learned())
    ranking = rank(crash, {})
    told = telling.told(incoming, crash, ranking, {}, None)
    told["recommended_actions"] += telling.advice(
        crash, ranking, Running(), knows_files=False, knows_history=False
    )
    told["deployed"] = None
    return Correlated(
        incoming, None, grouping.fingerprint(incoming), Running(), inputs, ranking, {}, told, {}
    )


def _to_reopen(desk: Desk, found: Correlated) -> list[Reopened]:
    matches = ((one, found.near.get(one.finding_id)) for one in found.ranking.findings)
    return [
        Reopened(near, one.match_confidence)
        for one, near in matches
        if near is not None and near.status in PUT_ASIDE and one.match_confidence >= desk.threshold
    ]


def _reopen(session: Session, found: Correlated, alert_id: str, one: Reopened) -> bool:
    incoming, cost = found.incoming, found.told["cost_estimate"]
    what = ": ".join(part for part in (incoming.error_type, incoming.error_message) if part)
    told = f"Alert {incoming.alert_id} ({(what or incoming.title)[:200]}) was traced to this finding"
    price = f", at a cost of about {cost['estimated_revenue_impact_usd']:.2f} USD" if cost else ""
    return incidents.reopen(session, one.finding.id, alert_id, f"{told}{price}.")


def _record(
    session: Session, found: Correlated, project: ProjectRecord, alert_id: str, reopened: list[Reopened]
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
        inputs=correlations.packed(msgspec.json.encode(found.inputs)),
    )
    matched = [(one["finding_id"], one["match_confidence"]) for one in answer["matching_findings"]]
    suspects = [
        Named(one.file_path, one.function_name, one.probability) for one in found.ranking.suspects[:NAMED]
    ]
    correlations.record(session, made, findings=matched, functions=suspects)
    return made
