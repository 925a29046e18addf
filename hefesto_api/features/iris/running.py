"""Which revision ran when an alert was raised, and which ran before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hefesto_api.domain import clock
from hefesto_api.features.iris import past
from hefesto_api.storage import deployments

if TYPE_CHECKING:
    from hefesto_api.adapters.memory import Memory
    from hefesto_api.domain.alert import IncomingAlert
    from hefesto_api.features.iris.changing import State
    from hefesto_api.features.iris.past import PastCommit
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.deployments import DeploymentRecord

SHORTEST = 7  # digits of an abbreviated hash
SIZE = 800  # bytes that a commit takes in memory


class Running(NamedTuple):
    """The revision that ran; all None when nobody told.

    `commit` is as it was told, `known` its full hash if the index of history has it. `former` is the commit
    that ran before in the same environment.
    """

    commit: str | None = None
    known: str | None = None
    former: str | None = None
    deployment: DeploymentRecord | None = None


def running(
    session: Session, memory: Memory, project_id: str, incoming: IncomingAlert, state: State
) -> Running:
    """Find what ran: the commit or the release that the alert names, else what was deployed at its time.

    `state` is that of the project's history: commits that were found are kept in memory while it lasts.
    """
    deployment = _deployment(session, project_id, incoming)
    commit = incoming.commit_hash or _revision(deployment)
    if commit is None:
        return Running(deployment=deployment)
    place = ("commit", project_id, state, commit)
    found: PastCommit | None = memory.get(place)
    if found is None and (found := past.commit_of(session, project_id, commit)) is not None:
        memory.keep(place, found, SIZE)
    if found is None and commit != incoming.commit_hash and deployment and not deployment.commit_hash:
        commit = None  # a release that is no commit
    before = None if deployment is None else deployments.previous(session, deployment)
    return Running(commit, found.hash if found else None, _revision(before), deployment)


def _revision(deployment: DeploymentRecord | None) -> str | None:
    return None if deployment is None else deployment.commit_hash or deployment.release


def _deployment(session: Session, project_id: str, incoming: IncomingAlert) -> DeploymentRecord | None:
    """Return the deployment that an alert speaks of; one that names a revision never means another."""
    for name in (incoming.commit_hash, incoming.release):
        if name is not None:
            found = deployments.of_release(session, project_id, name, incoming.environment)
            if found is not None:
                return found
    moment = min(incoming.timestamp or clock.now(), clock.now())
    found = deployments.running_at(session, project_id, incoming.environment, moment)
    named = incoming.commit_hash or incoming.release
    return found if found is not None and (named is None or _is_of(found, named)) else None


def _is_of(deployment: DeploymentRecord, named: str) -> bool:
    """Tell whether a deployment is of a commit, one of them perhaps abbreviated."""
    deployed = deployment.commit_hash or ""
    return min(len(deployed), len(named)) >= SHORTEST and (
        deployed.startswith(named.lower()) or named.lower().startswith(deployed.lower())
    )
