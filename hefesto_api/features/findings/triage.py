"""What people decide about findings: one or many, each with its history and its event."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.domain import audit, clock
from hefesto_api.domain.errors import Conflict, Invalid, NotFound, PreconditionFailed
from hefesto_api.domain.finding import Status
from hefesto_api.domain.lifecycle import SUPPRESSED
from hefesto_api.features.findings import linking, selection, service
from hefesto_api.storage import (
    finding_decisions,
    finding_list,
    findings,
    generations,
    joint,
    outbox,
    projects,
)
from hefesto_api.storage.finding_decisions import Change
from hefesto_api.storage.findings import HistoryEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.finding_decisions import Standing
    from hefesto_api.storage.findings import FindingRecord

MOST_AT_ONCE = 1000
STAGE = 100
EVENT_LIMIT = 100
REOPEN = "reopen"
UNTIL_INCIDENT = "incident"
CLOSED = (Status.RESOLVED, Status.IGNORED, Status.WONTFIX)


class Who(NamedTuple):
    """Who decides: the name that history tells, and the slugs of the projects they may see (None: all).

    `roots` are where trees may be read, for what they read before is told with its owners.
    """

    name: str
    allowed: Collection[str] | None = None
    roots: Sequence[Path] = ()


class Decision(NamedTuple):
    """A decision, with the status it leads to."""

    status: str
    reason: str | None = None
    ignored_until: datetime | None = None
    comment: str = ""
    until_incident: bool = False


def decision(wanted: Mapping[str, Any]) -> Decision:
    """Read a decision; raises Invalid for a time that has passed."""
    status = Status.OPEN.value if wanted["status"] == REOPEN else wanted["status"]
    until = wanted.get("ignored_until")
    incident = until == UNTIL_INCIDENT
    until = None if incident else until
    if until is not None and until <= clock.now():
        raise Invalid("ignored_until", "This time has passed.", "past")
    reason = None if status == Status.OPEN else wanted.get("reason")
    return Decision(status, reason, until, wanted.get("comment", ""), incident)


def one(
    db: Database,
    who: Who,
    finding_id: str,
    wanted: Decision,
    require: Callable[[Callable[[], Any]], None] = lambda load: None,
) -> dict[str, Any]:
    """Decide about one finding; `require` may raise, given how to load what a GET answers now."""

    def decide(session: Session) -> dict[str, Any]:
        record, slug = _read(session, finding_id, who)
        require(lambda: service.detail(session, finding_id, who.allowed, who.roots))
        changed = _apply(session, who, record, wanted)
        if changed is None:
            return _triaged(record)
        _announce(session, who, [(record, wanted.status)])
        _note(record, changed, wanted.comment, slug)
        return _triaged(changed)

    return joint.write(db, decide)


def many(db: Database, who: Who, ids: Sequence[str], wanted: Decision) -> dict[str, Any]:
    """Decide about several findings, a stage at a time; return a result for each and the counts."""
    decided: list[dict[str, Any]] = []
    # In one order, so that two who decide about the same findings never wait for each other.
    unique = sorted(set(ids))
    for start in range(0, len(unique), STAGE):
        some = unique[start : start + STAGE]
        decided += joint.write(db, partial(_stage, who=who, ids=some, wanted=wanted), rows=len(some))
    results = list(_each(ids, {result["id"]: result for result in decided}))
    failed = sum(not result["success"] for result in results)
    updated = sum(result.get("changed", False) for result in results)
    unchanged = len(results) - failed - updated
    return {"updated": updated, "unchanged": unchanged, "failed": failed, "results": results}


def matching(db: Database, who: Who, query: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Return the ids of at most a thousand findings that a filter holds for, and whether there are more."""
    with db.read() as session:
        wanted = selection.chosen(session, query, who.allowed)
        found = finding_list.ids(session, wanted, limit=MOST_AT_ONCE + 1)
    return found[:MOST_AT_ONCE], len(found) > MOST_AT_ONCE


def wake(db: Database) -> int:
    """Open what was ignored until a time that has passed; return how many."""
    count = 0
    while True:
        with db.write() as session:
            due = findings.ignored_until_before(session, clock.now(), limit=STAGE)
            slugs = projects.slugs(session, (record.project_id for record in due))
            woken = [(record, now) for record in due if (now := _woken(session, record)) is not None]
            for record, now in woken:
                _note(record, now, _TIME_PASSED, slugs.get(record.project_id))
            _announce(session, Who("", None), [(record, Status.OPEN.value) for record, _ in woken])
        count += len(woken)
        if len(due) < STAGE:
            return count


def _woken(session: Session, record: FindingRecord) -> FindingRecord | None:
    try:
        return _write(session, record, Decision(Status.OPEN.value), None, REOPEN, _TIME_PASSED)
    except PreconditionFailed:  # somebody decided at this very moment
        return None


_TIME_PASSED = "The time until which it was ignored has passed."


def _each(ids: Iterable[str], by_id: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield a result for each item that was sent: one that was named before is unchanged by then."""
    told: set[str] = set()
    for finding_id in ids:
        result = by_id[finding_id]
        again = finding_id in told and result["success"]
        told.add(finding_id)
        yield {**result, "changed": False} if again else result


def _stage(session: Session, who: Who, ids: Iterable[str], wanted: Decision) -> list[dict[str, Any]]:
    moved: list[tuple[FindingRecord, str]] = []
    results = []
    for finding_id in ids:
        try:
            record, slug = _read(session, finding_id, who)
            changed = _apply(session, who, record, wanted)
        except (NotFound, Conflict, PreconditionFailed) as error:
            code = error.code if isinstance(error, NotFound) else Conflict.code
            failure = {"code": code, "message": error.message}
            results.append({"id": finding_id, "success": False, "error": failure})
            continue
        if changed:
            moved.append((record, wanted.status))
            _note(record, changed, wanted.comment, slug)
        results.append({**_triaged(changed or record), "success": True, "changed": changed is not None})
    _announce(session, who, moved)
    return results


def _read(session: Session, finding_id: str, who: Who) -> Standing:
    """Return a finding that somebody may see, with its project's slug; raises NotFound."""
    found = finding_decisions.get(session, finding_id)
    if who.allowed is not None and found.slug not in who.allowed:
        raise NotFound("finding", finding_id)
    return found


def _apply(session: Session, who: Who, record: FindingRecord, wanted: Decision) -> FindingRecord | None:
    """Write a decision with its history; None when everything is so already.

    Raises Conflict for a finding that was merged into another, PreconditionFailed when somebody else
    changed it meanwhile.
    """
    linking.must_stand_for_itself(session, record)
    # What a comment in the source ignores, a person may ignore for good.
    same = record.status == wanted.status and record.reason != SUPPRESSED
    kept = wanted.reason is None or wanted.reason == record.reason
    until = _until(wanted) is None or _until(wanted) == _until(record)
    if same and kept and until:
        if not wanted.comment or wanted.comment == finding_decisions.last_comment(session, record.id):
            return None
        return _write(
            session, record, _kept(record, wanted), who.name, "commented", _sentence(record, wanted)
        )
    decided = _kept(record, wanted) if same else wanted
    action = REOPEN if wanted.status == Status.OPEN else wanted.status
    return _write(session, record, decided, who.name, action, _sentence(record, wanted))


def _kept(record: FindingRecord, wanted: Decision) -> Decision:
    """Return a decision that leaves the status, with what it does not name left as it is."""
    kept = wanted._replace(reason=wanted.reason or record.reason)
    if _until(wanted) is None:
        return kept._replace(ignored_until=record.ignored_until, until_incident=record.until_incident)
    return kept


def _until(one: Decision | FindingRecord) -> datetime | str | None:
    return UNTIL_INCIDENT if one.until_incident else one.ignored_until


def _write(
    session: Session, record: FindingRecord, decided: Decision, user: str | None, action: str, details: str
) -> FindingRecord:
    generations.within(session, record.project_id)
    now = clock.now()
    resolved = decided.status == Status.RESOLVED
    changed = finding_decisions.apply(
        session,
        record,
        Change(
            status=decided.status,
            reason=decided.reason,
            ignored_until=decided.ignored_until,
            until_incident=decided.until_incident,
            resolved_at=(record.resolved_at or now) if resolved else None,
            updated_at=now,
            updated_by=user,
        ),
    )
    data = {"comment": decided.comment, "from": record.status, "to": decided.status}
    action = "reopened" if action == REOPEN else action
    finding_decisions.tell(session, HistoryEntry(record.id, now, action, user, details, data))
    return changed


def _sentence(record: FindingRecord, wanted: Decision) -> str:
    """Tell a decision in a sentence."""
    told = "" if record.status == wanted.status else f"Set from {record.status} to {wanted.status}"
    if wanted.ignored_until is not None:
        told = f"{told or 'Ignored'} until {clock.rfc3339(wanted.ignored_until)}"
    elif wanted.until_incident:
        told = f"{told or 'Ignored'} until it appears in an incident"
    if wanted.reason:
        told = f"{told or 'Given a reason'} ({wanted.reason.replace('_', ' ')})"
    if wanted.comment:
        return f"{told or 'Commented'}: {wanted.comment}"
    return f"{told or 'Confirmed'}."


def _triaged(record: FindingRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "status": record.status,
        "updated_at": clock.rfc3339(record.updated_at),
        "updated_by": record.updated_by,
    }


def _note(before: FindingRecord, after: FindingRecord, comment: str, slug: str | None) -> None:
    """Note for the audit log what a finding was, what it is now, and why."""
    changes: dict[str, Any] = audit.changed(
        {name: getattr(before, name) for name in _DECIDED},
        {name: getattr(after, name) for name in _DECIDED},
    )
    if comment:
        changes["comment"] = comment
    audit.note("finding.updated", "finding", before.id, changes, project=slug)


_DECIDED = ("status", "reason", "ignored_until", "until_incident")


def _announce(session: Session, who: Who, moved: Sequence[tuple[FindingRecord, str]]) -> None:
    """Tell of what was resolved and reopened: an event for each kind and project, a hundred by name."""
    kinds: dict[tuple[str, str], list[FindingRecord]] = defaultdict(list)
    for record, status in moved:
        if status == Status.RESOLVED and record.status != Status.RESOLVED:
            kinds["finding.resolved", record.project_id].append(record)
        elif status == Status.OPEN and record.status in CLOSED:
            kinds["finding.reopened", record.project_id].append(record)
    for (kind, project_id), records in kinds.items():
        named = [service.named(record) for record in records[:EVENT_LIMIT]]
        data = {"count": len(records), "findings": named, "user": who.name or None}
        outbox.append(session, kind, data, project_id=project_id)
