"""Reading alerts: lists, one with its history, what they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import structs

from hefesto_api.domain import clock, grouping
from hefesto_api.domain.errors import NotFound
from hefesto_api.storage import alert_history, alert_lists, alert_rules, alert_stats, alerts, projects
from hefesto_api.storage.alert_lists import Filter, ListedAlert
from hefesto_api.storage.alerts import RESOLVED, STATUSES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from hefesto_api.domain.alert import IncomingAlert
    from hefesto_api.storage.alert_history import HistoryEntry
    from hefesto_api.storage.alerts import AlertRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database

ITEM = ListedAlert.__struct_fields__
ALL = "all"
_SAME = (
    "severity",
    "source",
    "service_name",
    "environment",
    "alert_id",
    "fingerprint",
    "in_maintenance",
    "q",
)


class Listed(NamedTuple):
    """A page of alerts, the key after which the next one starts, and how many there are in all."""

    items: list[ListedAlert]
    next_key: tuple[Any, ...] | None
    total: int
    exact: bool


def chosen(session: Session, query: Mapping[str, Any], allowed: Collection[str] | None) -> Filter:
    """Return the filter of a query; `allowed` are the slugs of the projects that the caller may see."""
    statuses = query.get("status") or ()
    return Filter(
        project_ids=projects.chosen(session, query.get("project"), allowed),
        status=() if ALL in statuses else statuses,
        start=query.get("start_date"),
        end=query.get("end_date"),
        **{name: query[name] for name in _SAME if name in query},
    )


def listed(db: Database, query: Mapping[str, Any], allowed: Collection[str] | None) -> Listed:
    """Return a page of alerts; by default what was seen last comes first."""
    page = query["page"]
    with db.read() as session:
        wanted = chosen(session, query, allowed)
        items, key = alert_lists.page(
            session,
            wanted,
            limit=page.limit,
            offset=0 if page.cursor is not None else page.offset,
            after=page.cursor,
            sort=page.sort or "last_seen",
            descending=page.descending or page.sort is None,
        )
        total, exact = alert_lists.count(session, wanted)
    return Listed(items, key, total, exact)


def read(session: Session, alert_id: str, allowed: Collection[str] | None) -> ListedAlert:
    """Return an alert that the caller may see; raises NotFound."""
    found = alert_lists.one(session, alert_id)
    if allowed is not None and found.project not in allowed:
        raise NotFound("alert", alert_id)
    return found


def detail(session: Session, item: ListedAlert) -> dict[str, Any]:
    """Return all that is known of an alert: its item, the first message's trace, and its history."""
    record = alerts.get(session, item.id)
    first = record.received()
    return {
        **structs.asdict(item),
        "group_id": record.group_id,
        "description": first.description,
        "release": record.release,
        "commit_hash": record.commit_hash,
        "stacktrace": first.stacktrace,
        "frames": msgspec.to_builtins(first.frames),
        "links": msgspec.to_builtins(first.links),
        "resolved_by": record.resolved_by,
        "regression_of": record.regression_of,
        "resolution": _resolution(record),
        "merged_into": record.merged_into,
        "split_from": record.split_from,
        "grouping": _grouping(session, record, first),
        "history": [told(entry) for entry in alert_history.of(session, item.id)],
    }


def _resolution(record: AlertRecord) -> dict[str, Any] | None:
    """Return who resolved an alert (a person, its sender or the system), and by what proof."""
    if record.status != RESOLVED:
        return None
    by = "system" if record.proof is not None else "sender" if record.resolved_by is None else "person"
    return {"by": by, "user": record.resolved_by, "proof": record.proof}


_GROUPED_BY = {
    "stack": "The types of its errors and the functions on the way to them are the same.",
    "group": "Its sender tells of one trouble.",
    "words": "Its type, its service and its message without values are the same.",
}


def _grouping(session: Session, record: AlertRecord, first: IncomingAlert) -> dict[str, Any]:
    """Return why the occurrences of an alert are one: what grouping went by, and what people decided."""
    by = grouping.basis(first)
    return {
        "by": by,
        "reason": _GROUPED_BY[by],
        "decisions": [
            {
                "fingerprint": rule.fingerprint,
                "trait": rule.trait or None,
                "value": rule.value or None,
                "reason": rule.reason,
                "user": rule.made_by,
                "timestamp": clock.rfc3339(rule.made_at),
            }
            for rule in alert_rules.into(session, record.project_id, record.fingerprint)
        ],
    }


def told(entry: HistoryEntry) -> dict[str, Any]:
    """Return an entry of an alert's history as it goes over the wire."""
    return {
        "timestamp": clock.rfc3339(entry.timestamp),
        "action": entry.action,
        "user": entry.user,
        "details": entry.details,
    }


def summary(db: Database, query: Mapping[str, Any], allowed: Collection[str] | None) -> dict[str, Any]:
    """Return what the alerts of a query add up to."""
    now = clock.now()
    with db.read() as session:
        wanted = chosen(session, query, allowed)
        counted = alert_stats.counts(session, wanted)
        to_acknowledge, to_resolve = alert_stats.mean_times(session, wanted)
        shares = alert_stats.percentiles(session, wanted)
        counted["by_status"] = {name: counted["by_status"].get(name, 0) for name in STATUSES}
        return {
            "total": sum(counted["by_status"].values()),
            **counted,
            "mean_time_to_acknowledge_seconds": to_acknowledge,
            "mean_time_to_resolve_seconds": to_resolve,
            "time_to_acknowledge_seconds": {"mean": to_acknowledge, **shares["acknowledge"]},
            "time_to_resolve_seconds": {"mean": to_resolve, **shares["resolve"]},
            "top": [alert_lists.one(session, row.id) for row in alert_stats.top(session, wanted)],
            "flapping": [
                {**structs.asdict(alert_lists.one(session, row.id)), "times": row.times}
                for row in alert_stats.flapping(session, wanted, now)
            ],
            "standing": [
                alert_lists.one(session, row.id) for row in alert_stats.standing(session, wanted, now)
            ],
        }
