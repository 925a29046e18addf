"""Alerts: one row for each trouble while it lasts, counted up by whatever tells of it again.

An alert is open until it is resolved; over a resolved one a new row begins.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain import clock, decoding, grouping, ids
from hefesto_api.domain.alert import IncomingAlert
from hefesto_api.domain.errors import NotFound
from hefesto_api.domain.grouping import Grouped
from hefesto_api.storage import alert_deliveries as deliveries
from hefesto_api.storage import (
    alert_history,
    alert_occurrences,
    alert_rules,
    hot,
    maintenance_windows,
    outbox,
)
from hefesto_api.storage.alert_history import HistoryEntry
from hefesto_api.storage.base import Blob, Json, Session, Text, UtcDateTime, metadata, upsert
from hefesto_api.storage.projects import projects

PENDING, ACKNOWLEDGED, RESOLVED = "pending", "acknowledged", "resolved"
STATUSES = (PENDING, ACKNOWLEDGED, RESOLVED)
UNTIMED = timedelta(minutes=10)  # after which the same message without a time is news
STANDING = timedelta(hours=1)  # after which a repeat tells that what a person resolved still goes on

TELLING = timedelta(seconds=1)  # between two events about further occurrences of an alert
CLOCKS_APART = timedelta(minutes=1)  # beyond which the clock was put back

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    sa.Column("source", Text, nullable=False),
    sa.Column("alert_id", Text, nullable=False),
    sa.Column("group_id", Text),
    sa.Column("fingerprint", Text, nullable=False),
    sa.Column("open_key", Text, unique=True),  # project and fingerprint until it is resolved, then NULL
    sa.Column("status", Text, nullable=False),
    sa.Column("severity", Text, nullable=False),
    sa.Column("severity_rank", sa.SmallInteger, nullable=False),
    sa.Column("title", Text, nullable=False),
    sa.Column("error_type", Text),
    sa.Column("message", Text, nullable=False),
    sa.Column("service_name", Text),
    sa.Column("environment", Text),
    sa.Column("release", Text),
    sa.Column("commit_hash", Text),
    sa.Column("affected_users", sa.BigInteger),
    sa.Column("occurrence_count", sa.BigInteger, nullable=False),
    sa.Column("first_seen", UtcDateTime, nullable=False),
    sa.Column("last_seen", UtcDateTime, nullable=False),
    sa.Column("correlation_id", Text),
    sa.Column("acknowledged_at", UtcDateTime),
    sa.Column("acknowledged_by", Text),
    sa.Column("resolved_at", UtcDateTime),
    sa.Column("resolved_by", Text),
    sa.Column("comment", Text),
    sa.Column("metadata", Json, nullable=False),
    sa.Column("regression_of", Text),
    sa.Column("incoming", Blob, nullable=False),  # the first message, whole, as JSON
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("merged_into", Text),
    sa.Column("split_from", Text),
    sa.Column("proof", Json),  # of the fix, where the service itself resolved it
    sa.Column("maintenance_id", Text),  # the window that all its occurrences came within
    sa.Column("told_at", UtcDateTime),  # when others were last told that it occurred
    sa.Index(None, "maintenance_id"),
    sa.Index(None, "project_id", "fingerprint"),
    sa.Index(None, "project_id", "status", "last_seen", "id"),
    sa.Index(None, "project_id", "last_seen", "id"),
    sa.Index(None, "status", "last_seen", "id"),
    sa.Index(None, "last_seen", "id"),
)

_a = alerts.c
incoming_of = decoding.of_json(IncomingAlert).decode


class AlertRecord(Struct, frozen=True):
    """A row of `alerts`; `status` is pending, acknowledged or resolved.

    `id` is ours, `alert_id` the sender's (of the first message). `release` and `commit_hash` are the
    latest that were told, `affected_users` and the severity the highest. `regression_of` is the id of the
    resolved alert of the same cause before it. `resolved_by` is None when the sender resolved it.
    """

    id: str
    project_id: str
    source: str
    alert_id: str
    group_id: str | None
    fingerprint: str
    open_key: str | None
    status: str
    severity: str
    severity_rank: int
    title: str
    error_type: str | None
    message: str
    service_name: str | None
    environment: str | None
    release: str | None
    commit_hash: str | None
    affected_users: int | None
    occurrence_count: int
    first_seen: datetime
    last_seen: datetime
    correlation_id: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    comment: str | None
    metadata: dict[str, Any]
    regression_of: str | None
    incoming: bytes
    created_at: datetime
    updated_at: datetime
    merged_into: str | None
    split_from: str | None
    proof: dict[str, Any] | None
    maintenance_id: str | None
    told_at: datetime | None

    def received(self) -> IncomingAlert:
        """Return the first message as it was read."""
        return incoming_of(self.incoming)


class Recorded(Struct, frozen=True):
    """What became of a message: `alert_id` is our id of the alert that it belongs to.

    A repeat changed nothing. A new one is a regression when its like had been resolved before. `is_told` when
    others are to be told of one more occurrence, as they are once a second at most.
    """

    alert_id: str
    is_new: bool
    is_repeat_delivery: bool
    is_regression: bool = False
    is_told: bool = False


def record(
    session: Session,
    project_id: str,
    incoming: IncomingAlert,
    fingerprint: str,
    *,
    now: datetime | None = None,
    announced: bool = True,
    found: Grouped | None = None,
) -> Recorded:
    """Keep a firing alert: a new row, one more occurrence of an open one, or (told before) nothing.

    Writes the history of a new one and, unless the caller does it (`announced` False, for events belong
    late in a transaction), its event: `alert.created`, or `alert.repeated` of what `is_told`. Queues nothing.
    `found` is all that grouping made of it, worked out here when not given.
    """
    moment = now or clock.now()
    made_id = ids.new_id()
    key = deliveries.keys(project_id, incoming)
    known = deliveries.claim(session, key, made_id, moment)
    if known is not None and not _is_news(session, incoming, *known, moment):
        if _window(session, project_id, incoming, moment) is None:
            leave_maintenance(session, known[0], moment)
        return Recorded(known[0], is_new=False, is_repeat_delivery=True)
    seen = structs.replace(found or grouping.grouped(incoming), fingerprint=fingerprint)
    target = target_of(session, project_id, seen)
    window = _window(session, project_id, incoming, moment)
    row = new_row(project_id, incoming, target, made_id, moment)
    row |= {"maintenance_id": window, "told_at": moment}
    ((alert_id, kept_quiet, told_at),) = hot.returned(session, _count(session.dialect.name), _WHOLE | row)
    is_new = alert_id == made_id
    if not is_new or known is not None:
        deliveries.settle(session, key, alert_id, moment)
    deliveries.fired(session, project_id, incoming, alert_id)
    told = alert_occurrences.told(incoming, fingerprint, seen.traits)
    alert_occurrences.add(session, project_id, alert_id, told, moment)
    is_regression = is_new and _begin(session, alert_id, moment, seen.former)
    begins_anew = kept_quiet is not None and window is None and leave_maintenance(session, alert_id, moment)
    is_told = not is_new and not begins_anew and _is_due(session, alert_id, told_at, moment)
    if announced and (is_new or is_told):
        announce(session, "created" if is_new else "repeated", alert_id)
    return Recorded(alert_id, is_new, is_repeat_delivery=False, is_regression=is_regression, is_told=is_told)


def get(session: Session, alert_id: str) -> AlertRecord:
    """Return an alert by our id; raises NotFound."""
    row = session.execute(_BY_ID, {"id": alert_id}).first()
    if row is None:
        raise NotFound("alert", alert_id)
    return AlertRecord(*row)


def out_of_maintenance(session: Session, now: datetime, *, limit: int = 100) -> list[str]:
    """Return open alerts that their senders say go on, and that no window keeps quiet any more."""
    return list(session.execute(_OUT_OF_MAINTENANCE, {"now": now, "limit": limit}).scalars())


def leave_maintenance(session: Session, alert_id: str, moment: datetime) -> bool:
    """Announce an alert that goes on outside of maintenance, if a window kept it quiet until now."""
    if session.execute(_LEAVE_MAINTENANCE, {"of_id": alert_id, "now": moment}).rowcount != 1:
        return False
    details = "Goes on after the maintenance window."
    alert_history.add(session, HistoryEntry(alert_id, moment, "left_maintenance", None, details))
    announce(session, "created", alert_id)
    return True


def slug_of(session: Session, alert_id: str) -> str:
    """Return the slug of an alert's project."""
    slug: str = session.execute(_TOLD, {"id": alert_id}).one().project
    return slug


def open_of(session: Session, project_id: str, fingerprint: str) -> str | None:
    """Return the id of the open alert of a fingerprint."""
    found = hot.fetch(session, _OPEN, {"key": f"{project_id}:{fingerprint}"})
    return found[0][0] if found else None


def target_of(session: Session, project_id: str, found: Grouped) -> str:
    """Return the fingerprint of the alert that something goes to, by people's decisions and what is open.

    What the former version of grouping made one stays one while it is open, and where people decided about
    it; what begins anew begins under the fingerprint of now.
    """
    target = alert_rules.target(session, project_id, found.fingerprint, found.traits)
    former = found.former
    if former is None or target != found.fingerprint or open_of(session, project_id, target) is not None:
        return target
    old = alert_rules.target(session, project_id, former.fingerprint, former.traits)
    was_decided = old != former.fingerprint
    return old if was_decided or open_of(session, project_id, old) is not None else target


def announce(session: Session, event: str, alert_id: str, *, user: str | None = None) -> None:
    """Tell others what happened to an alert: created, repeated, acknowledged or resolved."""
    (row,) = hot.records(session, _TOLD, {"id": alert_id})
    data = dict(zip(_TOLD_NAMES, row, strict=True))
    project_id = data.pop("project_id")
    data["in_maintenance"] = data.pop("maintenance_id") is not None
    for name in ("first_seen", "last_seen"):
        data[name] = clock.rfc3339(data[name])
    outbox.append(session, f"alert.{event}", {**data, "user": user}, project_id=project_id)


def _is_news(
    session: Session, incoming: IncomingAlert, alert_id: str, seen_at: datetime, moment: datetime
) -> bool:
    """Tell whether a message that was told before is meant anew.

    One that bears no time is, after some minutes: its sender can say it no other way. So is one about what
    a person resolved meanwhile: the sender says that it still goes on.
    """
    if incoming.timestamp is None and moment - seen_at > UNTIMED:
        return True
    if moment - seen_at <= STANDING:
        return False
    return session.execute(_RESOLVED_BY_HAND, {"id": alert_id}).first() is not None


def _window(session: Session, project_id: str, incoming: IncomingAlert, moment: datetime) -> str | None:
    return maintenance_windows.covering(
        session, project_id, incoming.service_name, incoming.environment, moment
    )


def _is_due(session: Session, alert_id: str, told_at: datetime | None, moment: datetime) -> bool:
    """Tell whether others are to hear of an occurrence, and take note that they do.

    The row is this transaction's since the occurrence was counted: no other decides the same meanwhile.
    """
    if told_at is not None and not (moment - told_at >= TELLING or told_at - moment > CLOCKS_APART):
        return False
    hot.change(session, _SET_TOLD, {"of_id": alert_id, "now": moment})
    return True


def new_row(
    project_id: str, incoming: IncomingAlert, fingerprint: str, made_id: str, moment: datetime
) -> dict[str, Any]:
    """Return the row of an alert that begins with a message."""
    happened = min(incoming.timestamp or moment, moment)
    message = incoming.error_message or incoming.description or incoming.title or incoming.alert_id
    copied = ("source", "alert_id", "group_id", "error_type", "service_name", "environment", "release",
              "commit_hash", "affected_users", "metadata")  # fmt: skip
    return {
        **{name: getattr(incoming, name) for name in copied},
        "id": made_id,
        "project_id": project_id,
        "fingerprint": fingerprint,
        "open_key": f"{project_id}:{fingerprint}",
        "status": PENDING,
        "severity": incoming.severity.value,
        "severity_rank": incoming.severity.rank,
        "title": incoming.title or message,
        "message": message,
        "occurrence_count": 1,
        "first_seen": happened,
        "last_seen": happened,
        "incoming": msgspec.json.encode(incoming),
        "created_at": moment,
        "updated_at": moment,
    }


def _begin(session: Session, alert_id: str, moment: datetime, former: Grouped | None) -> bool:
    """Write down that an alert is new; tell whether it is a regression, also of what was grouped formerly."""
    values = {"of_id": alert_id, "former": former.fingerprint if former else None}
    found = session.execute(_BEFORE, values).first()
    if found is None:
        told = HistoryEntry(alert_id, moment, "created", None, "Seen for the first time.")
        alert_history.add(session, told)
        return False
    before, proof = found
    session.execute(_REGRESSED, {"of_id": alert_id, "before": before})
    details = "Came back after it was resolved."
    if proof is not None:
        details = f"Came back although its fix was taken for proved: see alert {before}."
    alert_history.add(session, HistoryEntry(alert_id, moment, "regressed", None, details))
    return True


@cache
def _count(dialect: str) -> Any:
    """Return the insertion of an alert, which counts up the open one of the same cause."""
    inserted = upsert(dialect, alerts)
    new = inserted.excluded
    worse = new.severity_rank > _a.severity_rank
    more = sa.or_(_a.affected_users.is_(None), new.affected_users > _a.affected_users)
    counted = {
        "occurrence_count": _a.occurrence_count + 1,
        "severity": sa.case((worse, new.severity), else_=_a.severity),
        "severity_rank": sa.case((worse, new.severity_rank), else_=_a.severity_rank),
        "affected_users": sa.case((more, new.affected_users), else_=_a.affected_users),
        "first_seen": sa.case((new.first_seen < _a.first_seen, new.first_seen), else_=_a.first_seen),
        "last_seen": sa.case((new.last_seen > _a.last_seen, new.last_seen), else_=_a.last_seen),
        "release": sa.func.coalesce(new.release, _a.release),
        "commit_hash": sa.func.coalesce(new.commit_hash, _a.commit_hash),
        "updated_at": new.updated_at,
    }
    return inserted.on_conflict_do_update(index_elements=["open_key"], set_=counted).returning(
        _a.id, _a.maintenance_id, _a.told_at
    )


_WHOLE = dict.fromkeys(one.name for one in _a)
_BY_ID = sa.select(alerts).where(_a.id == sa.bindparam("id"))
_OPEN = sa.select(_a.id).where(_a.open_key == sa.bindparam("key"))
_NOW = sa.bindparam("now", type_=UtcDateTime)
_w, _g = maintenance_windows.maintenance_windows.c, deliveries.alert_groups.c
_covered = sa.exists().where(
    _w.starts_at <= _NOW,
    _w.ends_at > _NOW,
    sa.or_(_w.project_id.is_(None), _w.project_id == _a.project_id),
    sa.or_(_w.service_name.is_(None), _w.service_name == _a.service_name),
    sa.or_(_w.environment.is_(None), _w.environment == _a.environment),
)
_goes_on = sa.exists().where(_g.alert_id == _a.id, _g.firing.is_(True))
_OUT_OF_MAINTENANCE = (
    sa.select(_a.id)
    .where(_a.maintenance_id.is_not(None), _a.status != RESOLVED, _goes_on, ~_covered)
    .order_by(_a.id)
    .limit(sa.bindparam("limit"))
)
_LEAVE_MAINTENANCE = (
    sa.update(alerts)
    .where(_a.id == sa.bindparam("of_id"), _a.maintenance_id.is_not(None), _a.status != RESOLVED)
    .values(maintenance_id=None, updated_at=_NOW)
)
_SET_TOLD = sa.update(alerts).where(_a.id == sa.bindparam("of_id")).values(told_at=_NOW)
_RESOLVED_BY_HAND = sa.select(_a.id).where(
    _a.id == sa.bindparam("id"), _a.status == RESOLVED, _a.resolved_by.is_not(None)
)
_this, _former = alerts.alias(), alerts.alias()
_BEFORE = (
    sa.select(_former.c.id, _former.c.proof)
    .join(
        _this,
        sa.and_(
            _this.c.project_id == _former.c.project_id,
            _former.c.fingerprint.in_([_this.c.fingerprint, sa.bindparam("former", type_=Text)]),
        ),
    )
    .where(_this.c.id == sa.bindparam("of_id"), _former.c.id != _this.c.id)
    .order_by(_former.c.id.desc())
    .limit(1)
)
_REGRESSED = (
    sa.update(alerts).where(_a.id == sa.bindparam("of_id")).values(regression_of=sa.bindparam("before"))
)
_TOLD = (
    sa.select(
        *(_a[name] for name in (
            "id", "alert_id", "project_id", "source", "status", "severity", "title", "error_type", "message",
            "service_name", "environment", "occurrence_count", "first_seen", "last_seen", "correlation_id",
            "regression_of", "comment", "merged_into", "split_from", "maintenance_id",
        )),
        projects.c.slug.label("project"),
    )
    .join(projects, projects.c.id == _a.project_id)
    .where(_a.id == sa.bindparam("id"))
)  # fmt: skip
_TOLD_NAMES = tuple(one.name for one in _TOLD.selected_columns)
