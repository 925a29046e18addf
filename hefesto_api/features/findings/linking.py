"""What people say about which findings are one: merging two, parting what one finding wrongly holds."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs

from hefesto_api.analyzers import catalogue
from hefesto_api.domain import audit, clock, ids
from hefesto_api.domain.errors import Conflict, Invalid, PreconditionFailed
from hefesto_api.domain.finding import Status
from hefesto_api.domain.identity import VERSION, Fingerprints, public_fingerprint
from hefesto_api.domain.lifecycle import BOTH, FIXED, OWN, SUPPRESSED, TAKEN
from hefesto_api.features.findings import service
from hefesto_api.storage import finding_links, findings, outbox, projects
from hefesto_api.storage.finding_links import MERGED, PARTED, FindingLink
from hefesto_api.storage.findings import HistoryEntry

if TYPE_CHECKING:
    from collections.abc import Collection

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.findings import FindingRecord

DUPLICATE = "duplicate"
_NOTHING = findings.pack_prints(Fingerprints(VERSION, "", "", "", ""))
_SAME = {
    "project_id": "They belong to different projects.",
    "file_path": "They stand in different files: the same code in another file is another finding.",
    "tool": "They come from different tools.",
    "rule_id": "They are of different rules.",
}
_DECISION = ("status", "reason", "ignored_until", "until_incident", "resolved_at")
_PLACE = (
    "branch", "line", "column", "end_line", "end_column", "severity", "severity_rank", "confidence",
    "description", "recommendation", "code_snippet", "line_text", "function_name", "class_name", "cwe",
    "metadata", "suppression", "prints", "analysis_id", "last_seen",
)  # fmt: skip


class By(NamedTuple):
    """Who says so and why, and the slugs of the projects they may see (None: all)."""

    name: str
    allowed: Collection[str] | None = None
    comment: str = ""


class Parted(NamedTuple):
    """The finding that keeps its id, and the one that stands for itself from now on."""

    kept: FindingRecord
    parted: FindingRecord


def merge(db: Database, by: By, merged_id: str, into_id: str) -> FindingRecord:
    """Make one finding part of another, which takes over its place and its later sightings.

    Returns the one that remains. The merged one is resolved as a duplicate and keeps its history. Raises
    Conflict when they cannot be one.
    """
    with db.write() as session:
        gone = service.read(session, merged_id, by.allowed)
        stays = service.read(session, into_id, by.allowed)
        _must_be_mergeable(session, gone, stays)
        takes = gone.status != Status.RESOLVED and stays.status == Status.RESOLVED
        _at_once(session, _merged(session, by, gone, stays, takes))
        finding_links.remove(session, gone.id, stays.id, PARTED)
        place = TAKEN if takes else OWN if gone.status == Status.RESOLVED else BOTH
        _link(session, by, MERGED, stays, gone, stays.prints, place=place, before=_decision(gone))
        _tell(session, by, stays, "merged", f"Finding {gone.id} was merged into it", other=gone.id)
        _tell(session, by, gone, "merged", f"Merged into finding {stays.id}; it was {gone.status}", stays.id)
        _note(session, by, "finding.merged", gone, {"into": stays.id})
        return findings.get(session, stays.id)


def split(
    db: Database, by: By, finding_id: str, *, event: int | None = None, merged_id: str | None = None
) -> Parted:
    """Part what a finding wrongly holds: what was merged into it, or what it was taken for at an event.

    `event` is the number of an entry `recognized` of its story; without one the last is meant. Raises
    Invalid for one that it has not, Conflict when there is nothing to part.
    """
    with db.write() as session:
        record = service.read(session, finding_id, by.allowed)
        must_stand_for_itself(session, record)
        if merged_id is not None:
            other = _taken_out(session, by, record, service.read(session, merged_id, by.allowed))
        else:
            number, entry = _recognition(session, record, event)
            other = _new_of(session, by, record, number, entry)
        kept, parted = findings.get(session, record.id), findings.get(session, other)
        for one, another in ((kept, parted), (parted, kept)):
            finding_links.remove(session, one.id, another.id, MERGED)
            _link(session, by, PARTED, one, another, another.prints)
        _tell(session, by, record, "split", f"Parted from finding {parted.id}", parted.id)
        _note(session, by, "finding.split", record, {"parted": parted.id})
        return Parted(kept, parted)


def must_stand_for_itself(session: Session, record: FindingRecord) -> None:
    """Raise Conflict for a finding that was merged into another."""
    if record.status == Status.RESOLVED and record.reason == DUPLICATE:
        into = finding_links.survivor(session, record.id)
        if into is not None:
            raise Conflict(f"The finding was merged into {into}.", finding_id=record.id, merged_into=into)


def _must_be_mergeable(session: Session, gone: FindingRecord, stays: FindingRecord) -> None:
    if gone.id == stays.id:
        raise Conflict("A finding cannot be merged into itself.", finding_id=gone.id)
    must_stand_for_itself(session, gone)
    must_stand_for_itself(session, stays)
    for name, told in _SAME.items():
        if getattr(gone, name) != getattr(stays, name):
            raise Conflict(f"The findings cannot be one. {told}", finding_id=gone.id, into=stays.id)


def _merged(
    session: Session, by: By, gone: FindingRecord, stays: FindingRecord, takes: bool
) -> list[FindingRecord]:
    """Return both findings as they are from now on."""
    now = clock.now()
    branch = stays.branch and gone.branch  # what stands in the default branch belongs to that
    if takes:
        stays = structs.replace(stays, **{name: getattr(gone, name) for name in _PLACE})
        stays = structs.replace(stays, **_standing_decision(session, gone, stays))
    changed = {"branch": branch, "updated_at": now, "updated_by": by.name}
    resolved = {"status": "resolved", "reason": DUPLICATE, "ignored_until": None, "until_incident": False}
    return [
        structs.replace(stays, **changed),
        structs.replace(gone, **changed, **resolved, resolved_at=gone.resolved_at or now),
    ]


def _standing_decision(session: Session, gone: FindingRecord, stays: FindingRecord) -> dict[str, Any]:
    """Return the decision that holds for a place that two findings share, of which one seemed fixed.

    A person's about the one that stands; else the one that was lost when the other seemed fixed.
    """
    if stays.reason == FIXED and gone.status == Status.OPEN:
        for entry in reversed(findings.history(session, stays.id)):
            before = entry.data or {}
            if entry.action == "fixed" and before.get("from") not in (None, Status.OPEN):
                if before.get("reason") == SUPPRESSED:
                    break
                lasting = {"status": before["from"], "reason": before.get("reason"), "resolved_at": None}
                return {**_decision(gone), **lasting}
            if entry.action == "fixed":
                break
    return {name: getattr(gone, name) for name in _DECISION}


def _taken_out(session: Session, by: By, record: FindingRecord, merged: FindingRecord) -> str:
    """Give a merged finding back its place and what had been decided about it; return its id."""
    links = [one for one in finding_links.of_finding(session, record.id) if one.other_id == merged.id]
    link = next((one for one in links if one.kind == MERGED and one.finding_id == record.id), None)
    if link is None:
        raise Conflict("That finding was not merged into this one.", finding_id=record.id, merged=merged.id)
    before = _read_decision(link.before)
    if link.place == OWN and before["status"] != Status.RESOLVED:
        before = {**before, "status": "resolved", "reason": FIXED, "resolved_at": clock.now()}
    elif link.place != OWN and before["status"] == Status.RESOLVED:
        before = _OPEN
    back = {"updated_at": clock.now(), "updated_by": by.name}
    if link.place == TAKEN:
        place = {name: getattr(record, name) for name in _PLACE}
        merged = structs.replace(merged, **place)
        record = structs.replace(record, **_nowhere(link.prints, link.created_at), **back)
        _at_once(session, [record])
    _at_once(session, [structs.replace(merged, **before, **back)])
    _tell(session, by, merged, "split", f"Parted from finding {record.id}", record.id)
    return merged.id


_OPEN: dict[str, Any] = {
    "status": "open", "reason": None, "ignored_until": None, "until_incident": False, "resolved_at": None,
}  # fmt: skip


def _recognition(session: Session, record: FindingRecord, event: int | None) -> tuple[int, HistoryEntry]:
    known_again = [one for one in findings.events(session, record.id) if one[1].action == "recognized"]
    if event is not None:
        found = [one for one in known_again if one[0] == event]
        if not found:
            raise Invalid("event", "The finding's story has no such event `recognized`.", "unknown")
        return found[0]
    if not known_again:
        raise Conflict(
            "There is nothing to part: the finding was always known by its exact code.", finding_id=record.id
        )
    return known_again[-1]


def _new_of(session: Session, by: By, record: FindingRecord, number: int, entry: HistoryEntry) -> str:
    """Make the place that a finding was taken for at an event a finding of its own; return its id."""
    data = entry.data or {}
    now = clock.now()
    stands = record.status != Status.RESOLVED
    rule = catalogue.FIRST_IDS.get(record.rule_id, record.rule_id)
    exact = findings.unpack_prints(record.prints).exact
    made = structs.replace(
        record,
        id=ids.new_id(),
        **(_OPEN if stands else {name: getattr(record, name) for name in _DECISION}),
        first_seen=entry.timestamp,
        first_analysis_id=data.get("analysis_id", record.analysis_id),
        occurrence_count=1,
        updated_at=now,
        updated_by=by.name,
        revision=1,
        fingerprint=public_fingerprint(rule, record.file_path, exact),
    )
    former = bytes.fromhex(data["prints"]) if data.get("prints") else _NOTHING
    back = _nowhere(former, entry.timestamp) | {
        "line": data.get("from_line") or record.line,
        "function_name": data.get("from_function", record.function_name),
        "updated_at": now,
        "updated_by": by.name,
    }
    _at_once(session, [structs.replace(record, **back)])
    findings.insert(session, [made])
    told = f"Parted from finding {record.id}, which it had been taken for: {entry.details}"
    findings.add_history(
        session,
        [HistoryEntry(made.id, now, "created", by.name, told, {"from": record.id, "event": number})],
    )
    if stands:
        _announce(session, by, made)
    return made.id


def _nowhere(prints: bytes, last_seen: datetime) -> dict[str, Any]:
    """Return the columns of a finding whose place is not known any more: the next analysis looks for it."""
    unknown = {"column": 1, "end_line": 0, "end_column": 0, "line_text": "", "code_snippet": ""}
    return {**unknown, "prints": prints, "last_seen": last_seen}


def _at_once(session: Session, records: list[FindingRecord]) -> None:
    """Write findings as they are from now on; raises Conflict when somebody was faster."""
    # In one order, so that two who do this cannot wait for each other.
    for record in sorted(records, key=lambda one: one.id):
        names = (*_PLACE, *_DECISION, "updated_at", "updated_by")
        try:
            findings.change(
                session, record.id, record.revision, **{name: getattr(record, name) for name in names}
            )
        except PreconditionFailed as error:
            raise Conflict(error.message, finding_id=record.id) from error


def _link(
    session: Session,
    by: By,
    kind: str,
    one: FindingRecord,
    other: FindingRecord,
    prints: bytes,
    *,
    place: str = OWN,
    before: dict[str, Any] | None = None,
) -> None:
    link = FindingLink(
        0, one.project_id, kind, one.id, other.id, prints, place, before, clock.now(), by.name or None
    )
    finding_links.add(session, link)


def _decision(record: FindingRecord) -> dict[str, Any]:
    """Return what is decided about a finding, as JSON keeps it."""
    told = {name: getattr(record, name) for name in _DECISION}
    for name in ("ignored_until", "resolved_at"):
        told[name] = told[name] and clock.rfc3339(told[name])
    return told


def _read_decision(kept: dict[str, Any] | None) -> dict[str, Any]:
    told = {**_OPEN, **(kept or {})}
    for name in ("ignored_until", "resolved_at"):
        told[name] = told[name] and datetime.fromisoformat(told[name])
    return told


def _tell(session: Session, by: By, record: FindingRecord, action: str, details: str, other: str) -> None:
    details = f"{details}: {by.comment}" if by.comment else f"{details}."
    data = {"comment": by.comment, "other": other}
    findings.add_history(session, [HistoryEntry(record.id, clock.now(), action, by.name, details, data)])


def _note(session: Session, by: By, action: str, record: FindingRecord, changes: dict[str, Any]) -> None:
    told = {**changes, "comment": by.comment} if by.comment else changes
    slug = projects.by_id(session, record.project_id).slug
    audit.note(action, "finding", record.id, told, project=slug)


def _announce(session: Session, by: By, made: FindingRecord) -> None:
    data = {"count": 1, "findings": [service.named(made)], "user": by.name or None}
    outbox.append(session, "finding.created", data, project_id=made.project_id)
