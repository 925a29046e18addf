"""What people decide about findings: one or many, each with its history and its event."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.domain import audit, clock
from hefesto_api.domain.errors import Conflict, Invalid, NotFound, PreconditionFailed
from hefesto_api.domain.finding import Status
from hefesto_api.domain.lifecycle import SUPPRESSED
from hefesto_api.features.findings import linking, selection, service
from hefesto_api.storage import finding_list, findings, generations, outbox, projects
from hefesto_api.storage.findings import HistoryEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
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
    with db.write() as session:
        record = service.read(session, finding_id, who.allowed)
        require(lambda: service.detail(session, finding_id, who.allowed, who.roots))
        changed = _apply(session, who, record, wanted)
        _announce(session, who, [(record, wanted.status)] if changed else [])
        _note(session, [(record, changed, wanted.comment)] if changed else [])
        return _triaged(changed or record)


def many(db: Database, who: Who, ids: Sequence[str], wanted: Decision) -> dict[str, Any]:
    """Decide about several findings, a stage at a time; return a result for each and the counts."""
    decided: list[dict[str, Any]] = []
    # In one order, so that two who decide about the same findings never wait for each other.
    unique = sorted(set(ids))
    for start in range(0, len(unique), STAGE):
        with db.write() as session:
            decided += _stage(session, who, unique[start : start + STAGE], wanted)
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
            woken = [record for record in due if _woken(session, record)]
            _note(session, [(record, findings.get(session, record.id), _TIME_PASSED) for record in woken])
            _announce(session, Who("", None), [(record, Status.OPEN.value) for record in woken])
        count += len(woken)
        if len(due) < STAGE:
            return count


def _woken(session: Session, record: FindingRecord) -> bool:
    try:
        _write(session, record, Decision(Status.OPEN.value), None, REOPEN, _TIME_PASSED)
    except PreconditionFailed:  # somebody decided at this very moment
        return False
    return True


_TIME_PASSED = "The time until which it was ignored has passed."


def _each(ids: Iterable[str], by_id: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield a result for each item that was sent: one that was named before is unchanged by then."""
    told: set[str] = set()
    for finding_id in ids:
        result = by_id[finding_id]
        again = finding_id in told and result["success"]
        told.add(finding_id)
        yield {**result, "changed": False} if again else result


def _stage(session: Session, who: Who, ids: Iterable[str], wanted: Decision) -> Iterator[dict[str, Any]]:
    moved: list[tuple[FindingRecord, str]] = []
    noted: list[tuple[FindingRecord, FindingRecord, str]] = []
    results = []
    for finding_id in ids:
        try:
            record = service.read(session, finding_id, who.allowed)
            changed = _apply(session, who, record, wanted)
        except (NotFound, Conflict, PreconditionFailed) as error:
            code = error.code if isinstance(error, NotFound) else Conflict.code
            failure = {"code": code, "message": error.message}
            results.append({"id": finding_id, "success": False, "error": failure})
            continue
        if changed:
            moved.append((record, wanted.status))
            noted.append((record, changed, wanted.comment))
        results.append({**_triaged(changed or record), "success": True, "changed": changed is not None})
    _announce(session, who, moved)
    _note(session, noted)
    return iter(results)


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
        if not wanted.comment or wanted.comment == findings.last_comment(session, record.id):
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
    findings.change(
        session,
        record.id,
        record.revision,
        status=decided.status,
        reason=decided.reason,
        ignored_until=decided.ignored_until,
        until_incident=decided.until_incident,
        resolved_at=(record.resolved_at or now) if resolved else None,
        updated_at=now,
        updated_by=user,
    )
    data = {"comment": decided.comment, "from": record.status, "to": decided.status}
    action = "reopened" if action == REOPEN else action
    findings.add_history(session, [HistoryEntry(record.id, now, action, user, details, data)])
    return findings.get(session, record.id)


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


def _note(session: Session, decided: Sequence[tuple[FindingRecord, FindingRecord, str]]) -> None:
    """Note for the audit log what findings were, what they are now, and why."""
    slugs = projects.slugs(session, (before.project_id for before, _, _ in decided))
    for before, after, comment in decided:
        changes: dict[str, Any] = audit.changed(
            {name: getattr(before, name) for name in _DECIDED},
            {name: getattr(after, name) for name in _DECIDED},
        )
        if comment:
            changes["comment"] = comment
        slug = slugs.get(before.project_id)
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
