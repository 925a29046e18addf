"""What people say about grouping: parting what one alert wrongly holds, merging two that are one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain import audit, clock, grouping, ids
from hefesto_api.domain.errors import Conflict, Invalid
from hefesto_api.features.alerts import service
from hefesto_api.storage import alert_deliveries, alert_effects, alert_history, alert_lists, alerts, jobs
from hefesto_api.storage import alert_parting as moving
from hefesto_api.storage import alert_rules as rules
from hefesto_api.storage.alert_history import HistoryEntry
from hefesto_api.storage.alert_rules import WHOLE, Rule
from hefesto_api.storage.alerts import RESOLVED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import sqlalchemy as sa

    from hefesto_api.features.alerts.changes import Who
    from hefesto_api.storage.alerts import AlertRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database

TRAITS = grouping.Traits.__struct_fields__
MOST_VALUES = 100  # that one decision may name


def split(db: Database, who: Who, alert_id: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Part some occurrences of an alert into one of their own, and remember what tells them from the rest.

    Raises Invalid for occurrences or a fingerprint that are not the alert's, Conflict when nothing would
    remain, or nothing tells them from the rest.
    """
    with db.write() as session:
        item = service.read(session, alert_id, who.allowed)
        (record,) = moving.locked(session, alert_id)
        _must_stand_for_itself(record)
        if wanted.get("fingerprint") is not None:
            made_id, how = _by_print(session, record, wanted["fingerprint"], who.name)
        else:
            chosen_ids = [str(one) for one in wanted["occurrences"]]
            made_id, how = _by_ids(session, record, chosen_ids, wanted.get("by"), who.name)
        comment = wanted.get("comment") or ""
        now = clock.now()
        said = f" {comment}" if comment else ""
        told = f"What is now alert {made_id} was parted from it: {how}.{said}"
        alert_history.add(session, HistoryEntry(alert_id, now, "split", who.name, told))
        jobs.enqueue(session, alert_effects.CORRELATION, {"alert_id": made_id})
        changes = {"parted": made_id, "by": how, "comment": comment}
        audit.note("alert.split", "alert", alert_id, changes, project=item.project)
        alerts.announce(session, "split", alert_id, user=who.name)
        if record.status != RESOLVED:
            alerts.announce(session, "created", made_id, user=who.name)
        return service.detail(session, alert_lists.one(session, made_id))


def merge(db: Database, who: Who, alert_id: str, into_id: str, comment: str) -> dict[str, Any]:
    """Make an alert part of another, to which what would have been counted to it goes from now on.

    Returns the one that remains. Raises Conflict when they cannot be one.
    """
    with db.write() as session:
        item = service.read(session, alert_id, who.allowed)
        service.read(session, into_id, who.allowed)
        if alert_id == into_id:
            raise Conflict("An alert cannot be merged into itself.", alert_id=alert_id)
        gone, stays = moving.locked(session, alert_id, into_id)
        _must_be_mergeable(gone, stays)
        moving.absorb(session, gone, stays, who.name, comment)
        rules.lead_on(session, gone.project_id, gone.fingerprint, stays.fingerprint, who.name)
        now = clock.now()
        said = f" {comment}" if comment else ""
        for one, told in ((gone, f"Merged into alert {into_id}.{said}"),
                          (stays, f"Alert {alert_id} was merged into it.{said}")):  # fmt: skip
            alert_history.add(session, HistoryEntry(one.id, now, "merged", who.name, told))
        changes = {"into": into_id, "comment": comment}
        audit.note("alert.merged", "alert", alert_id, changes, project=item.project)
        alerts.announce(session, "merged", alert_id, user=who.name)
        return service.detail(session, alert_lists.one(session, into_id))


def _must_stand_for_itself(record: AlertRecord) -> None:
    if record.merged_into is not None:
        raise Conflict(
            f"The alert was merged into {record.merged_into}.",
            alert_id=record.id,
            merged_into=record.merged_into,
        )


def _must_be_mergeable(gone: AlertRecord, stays: AlertRecord) -> None:
    for one in (gone, stays):
        _must_stand_for_itself(one)
        if one.status == RESOLVED:
            raise Conflict("A resolved alert is over: only open ones are merged.", alert_id=one.id)
    if gone.project_id != stays.project_id:
        raise Conflict("Alerts of different projects cannot be one.", alert_id=gone.id, into=stays.id)


def _by_print(session: Session, record: AlertRecord, fingerprint: str, by: str) -> tuple[str, str]:
    """Part all that grouping gave a fingerprint; return the new alert's id and what was decided."""
    chosen = moving.of_print(record.id, fingerprint)
    _must_leave_some(session, record, chosen, "fingerprint")
    rules.forget(session, record.project_id, fingerprint, record.fingerprint)
    own = fingerprint != record.fingerprint
    to = fingerprint if own else _new_print()
    if own and (other := alerts.open_of(session, record.project_id, fingerprint)) is not None:
        raise Conflict("An alert of this fingerprint is open already.", alert_id=other)
    if not own:
        rules.make(session, [Rule(record.project_id, fingerprint, WHOLE, "", to, by, clock.now())])
    return moving.part(session, record, chosen, to, by), f"all of the code cause {fingerprint}"


def _by_ids(
    session: Session, record: AlertRecord, chosen_ids: Sequence[str], trait: str | None, by: str
) -> tuple[str, str]:
    """Part certain occurrences; return the new alert's id and what was decided."""
    known = moving.named(session, record.id, chosen_ids)
    if missing := sorted(set(chosen_ids) - set(known)):
        raise Invalid("occurrences", f"{missing[0]} is no occurrence of this alert.", "unknown")
    chosen = moving.of_ids(record.id, known)
    _must_leave_some(session, record, chosen, "occurrences")
    prints = moving.prints(session, chosen)
    found = _telling(session, record, chosen, prints, trait)
    pairs = [(one, "") for one in prints]
    if found != WHOLE:
        pairs = moving.values(session, chosen, found, most=MOST_VALUES + 1)
    if len(pairs) > MOST_VALUES:
        raise Conflict(f"They have over {MOST_VALUES} different values of {found}.", trait=found)
    to, now = _new_print(), clock.now()
    rules.make(session, [Rule(record.project_id, one, found, value, to, by, now) for one, value in pairs])
    how = "their code cause" if found == WHOLE else f"their {found.replace('_', ' ')}"
    return moving.part(session, record, chosen, to, by), f"told apart by {how}"


def _telling(
    session: Session,
    record: AlertRecord,
    chosen: sa.ColumnElement[bool],
    prints: Sequence[str],
    trait: str | None,
) -> str:
    """Return the trait that only the chosen ones have so; raises Conflict when there is none."""
    project_id = record.project_id
    if trait is None and not moving.is_shared(session, project_id, chosen, prints, None):
        return WHOLE
    asked = TRAITS if trait is None else (trait,)
    for one in asked:
        if not moving.is_shared(session, project_id, chosen, prints, one):
            return one
    raise Conflict(
        "Nothing tells these occurrences from the others: choose all that are alike.", traits=list(asked)
    )


def _must_leave_some(
    session: Session, record: AlertRecord, chosen: sa.ColumnElement[bool], field: str
) -> None:
    many = moving.kept(session, chosen).count
    if many == 0:
        raise Invalid(field, "The alert holds nothing of it.", "unknown")
    if many >= record.occurrence_count:
        raise Conflict("That is all of the alert: nothing would remain.", alert_id=record.id)


def _new_print() -> str:
    return alert_deliveries.digest("parted", ids.new_id())
