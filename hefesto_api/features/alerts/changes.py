"""What people do about alerts: sending one by hand, acknowledging, resolving."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.domain import audit
from hefesto_api.domain.alert import IncomingAlert
from hefesto_api.domain.errors import Conflict, Invalid, NotFound
from hefesto_api.features.alerts import service
from hefesto_api.formats.alerts import native
from hefesto_api.formats.alerts.payload import Node
from hefesto_api.storage import alert_changes, alert_effects, alert_lists, alerts, generations, projects
from hefesto_api.storage.alert_homes import Homes
from hefesto_api.storage.alerts import ACKNOWLEDGED, RESOLVED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from hefesto_api.storage.alert_lists import ListedAlert
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database

MOST_AT_ONCE = 1000
STAGE = 50  # acknowledged in one transaction
_ACTIONS = {"new": "alert.created", "counted": "alert.repeated", "resolved": "alert.resolved"}


class Who(NamedTuple):
    """Who decides: the name that history tells, and the slugs of the projects they may see (None: all)."""

    name: str
    allowed: Collection[str] | None = None


class Taken(NamedTuple):
    """The alert that a message belongs to, and whether it is new."""

    alert: dict[str, Any]
    is_new: bool


def take(db: Database, body: Mapping[str, Any], admit: Callable[[str], None]) -> Taken:
    """Record an alert in our own form at once, as intake would; `admit` may refuse its project.

    Raises Invalid for what is no alert, Conflict for the end of one that is not open.
    """
    item = native.item(Node(dict(body)), source="native")
    if not isinstance(item, IncomingAlert):
        raise Invalid("alert_type", "Deployments go to /api/v1/deployments.", "choice")
    with db.read() as session:
        homes = Homes(db, session)
    home = homes.of(item, None, may_choose=True)
    try:
        admit(home.slug)
    except NotFound:
        if item.project:
            raise
        home = homes.default()  # whose service it is, nobody learns who does not see the project
        admit(home.slug)
    planned = alert_effects.plan(item, home, homes)
    with db.write() as session:
        (effect,) = alert_effects.carry_out(session, [planned])
        if effect.id is None:
            raise Conflict("There is no open alert that this could resolve.", alert_id=item.alert_id)
        if effect.kind in _ACTIONS:
            changes = {"alert_id": item.alert_id, "title": item.title}
            audit.note(_ACTIONS[effect.kind], "alert", effect.id, changes, project=home.slug)
        told = service.detail(session, alert_lists.one(session, effect.id))
    return Taken(told, effect.kind == "new")


def acknowledge(
    db: Database,
    who: Who,
    alert_id: str,
    comment: str,
    require: Callable[[Callable[[], Any]], None] = lambda load: None,
) -> dict[str, Any]:
    """Acknowledge an alert; once it is, a comment is added and nothing else changes.

    Raises Conflict for a resolved one: it is over, and what was meant may be another.
    """
    with db.write() as session:
        item = service.read(session, alert_id, who.allowed)
        require(lambda: service.detail(session, item))
        _within(session, item)
        if item.status == RESOLVED:
            raise Conflict("The alert is resolved.", status=RESOLVED)
        if alert_changes.acknowledge(session, alert_id, who.name, comment):
            alerts.announce(session, "acknowledged", alert_id, user=who.name)
            _note("alert.acknowledged", item, comment, ACKNOWLEDGED)
        elif comment and comment != item.comment:
            alert_changes.comment_on(session, alert_id, who.name, comment)
            _note("alert.commented", item, comment)
        return service.detail(session, alert_lists.one(session, alert_id))


def resolve(
    db: Database,
    who: Who,
    alert_id: str,
    comment: str,
    require: Callable[[Callable[[], Any]], None] = lambda load: None,
) -> dict[str, Any]:
    """Resolve an alert; once it is, a comment is added and nothing else changes."""
    with db.write() as session:
        item = service.read(session, alert_id, who.allowed)
        require(lambda: service.detail(session, item))
        _within(session, item)
        if alert_changes.resolve(session, alert_id, who.name, comment):
            alerts.announce(session, "resolved", alert_id, user=who.name)
            _note("alert.resolved", item, comment, RESOLVED)
        elif comment and comment != item.comment:
            alert_changes.comment_on(session, alert_id, who.name, comment)
            _note("alert.commented", item, comment)
        return service.detail(session, alert_lists.one(session, alert_id))


def acknowledge_many(db: Database, who: Who, ids: Sequence[str], comment: str) -> dict[str, Any]:
    """Acknowledge several alerts; tell which are unknown, and which were acknowledged or resolved already."""
    found: dict[str, list[str]] = {ACKNOWLEDGED: [], "not_found": [], "already": []}
    unique = list(dict.fromkeys(ids))
    for start in range(0, len(unique), STAGE):
        with db.write() as session:
            stage = {one: _acknowledged(session, who, one, comment) for one in unique[start : start + STAGE]}
            for alert_id, outcome in stage.items():
                if outcome == ACKNOWLEDGED:
                    alerts.announce(session, "acknowledged", alert_id, user=who.name)
        for alert_id, outcome in stage.items():
            found[outcome].append(alert_id)
    return {**found, "acknowledged": len(found[ACKNOWLEDGED])}


def _acknowledged(session: Session, who: Who, alert_id: str, comment: str) -> str:
    try:
        item = service.read(session, alert_id, who.allowed)
    except NotFound:
        return "not_found"
    _within(session, item)
    if not alert_changes.acknowledge(session, alert_id, who.name, comment):
        return "already"
    _note("alert.acknowledged", item, comment, ACKNOWLEDGED)
    return ACKNOWLEDGED


def _within(session: Session, item: ListedAlert) -> None:
    """Say that what changes is of the alert's project: what is kept of others stays good."""
    generations.within(session, projects.get(session, item.project).id)


def _note(action: str, before: ListedAlert, comment: str, status: str | None = None) -> None:
    """Note for the audit log what is done about an alert."""
    changes: dict[str, Any] = {}
    if status is not None:
        changes["status"] = {"from": before.status, "to": status}
    if comment:
        changes["comment"] = {"from": before.comment, "to": comment}
    audit.note(action, "alert", before.id, changes, project=before.project)
