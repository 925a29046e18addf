"""What alerts and deployments that came in do to what is kept, whichever door they came through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from hefesto_api.domain import grouping
from hefesto_api.domain.alert import AlertState, IncomingAlert, IncomingDeployment
from hefesto_api.storage import alert_changes, alerts, deployments, generations, jobs, projects

if TYPE_CHECKING:
    from hefesto_api.domain.grouping import Grouped
    from hefesto_api.storage.alert_homes import Home, Homes
    from hefesto_api.storage.base import Session

CORRELATION = "correlation"  # the kind of the job that looks for an alert's cause


class Planned(Struct, frozen=True):
    """An alert or a deployment, its project, and (of an alert) what it is grouped by."""

    item: IncomingAlert | IncomingDeployment
    home: Home
    found: Grouped | None = None


class Effect(Struct, frozen=True):
    """What became of one: new, counted, repeated, resolved, unknown (nothing to resolve) or deployed.

    `id` is our id of the alert or the deployment, None of what is unknown. `event` is what others are told.
    """

    kind: str
    id: str | None
    event: str | None = None


def plan(item: IncomingAlert | IncomingDeployment, home: Home, homes: Homes) -> Planned:
    """Work out, before a transaction, what takes long: an alert's fingerprint."""
    if isinstance(item, IncomingDeployment):
        return Planned(item, home)
    return Planned(item, home, grouping.grouped(item, homes.is_ours(home)))


def carry_out(session: Session, planned: list[Planned]) -> list[Effect]:
    """Record what was planned, ask for the correlation of what is new, and announce it all at the end."""
    made: dict[str, str] = {}
    effects = []
    for one in planned:
        project_id = _project_id(session, one.home, made)
        generations.within(session, project_id)
        effects.append(_one(session, one, project_id))
    for effect in effects:
        if effect.event is not None and effect.id is not None:
            alerts.announce(session, effect.event, effect.id)
    return effects


def _project_id(session: Session, home: Home, made: dict[str, str]) -> str:
    if home.id is not None:
        return home.id
    if home.slug not in made:
        made[home.slug] = projects.ensure(session, home.slug).id
    return made[home.slug]


def _one(session: Session, planned: Planned, project_id: str) -> Effect:
    item = planned.item
    if isinstance(item, IncomingDeployment):
        return _deployed(session, project_id, item)
    found = planned.found or grouping.grouped(item)
    if item.state is AlertState.RESOLVED:
        ended = alert_changes.end(session, project_id, item, found)
        return Effect("resolved", ended, "resolved") if ended else Effect("unknown", None)
    recorded = alerts.record(session, project_id, item, found.fingerprint, found=found, announced=False)
    if recorded.is_repeat_delivery:
        return Effect("repeated", recorded.alert_id)
    if not recorded.is_new:
        return Effect("counted", recorded.alert_id, "repeated" if recorded.is_told else None)
    jobs.enqueue(session, CORRELATION, {"alert_id": recorded.alert_id})
    return Effect("new", recorded.alert_id, "created")


def _deployed(session: Session, project_id: str, item: IncomingDeployment) -> Effect:
    found = deployments.record(
        session, project_id, item.environment, item.commit_hash, item.release, item.deployed_at, item.source
    )
    return Effect("deployed", found.id)
