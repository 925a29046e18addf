"""Deployments: which revision began to run where and when, and what was judged of it afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain import audit, clock, ids
from hefesto_api.domain.errors import NotFound
from hefesto_api.storage import hot, outbox
from hefesto_api.storage.base import Json, Session, Text, UtcDateTime, metadata, upsert

PRODUCTION = "production"
VERDICT_HOURS = (1, 24)
SAME_MARKER = timedelta(minutes=5)

deployments = sa.Table(
    "deployments",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    sa.Column("environment", Text, nullable=False),
    sa.Column("commit_hash", Text),
    sa.Column("release", Text),
    sa.Column("deployed_at", UtcDateTime, nullable=False),
    sa.Column("source", Text, nullable=False),
    sa.Column("details", Json, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("verdict_due_at", UtcDateTime),
    sa.Index(None, "project_id", "environment", "deployed_at", "id"),
    sa.Index(None, "project_id", "release"),
    sa.Index(None, "deployed_at", "id"),
    sa.Index(None, "verdict_due_at"),
)

deployment_verdicts = sa.Table(
    "deployment_verdicts",
    metadata,
    sa.Column("deployment_id", Text, sa.ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("after_hours", sa.Integer, primary_key=True),
    sa.Column("verdict", Text, nullable=False),
    sa.Column("alerts_before", sa.Integer, nullable=False),
    sa.Column("alerts_after", sa.Integer, nullable=False),
    sa.Column("new_alerts", sa.Integer, nullable=False),
    sa.Column("window_seconds", sa.Integer, nullable=False),
    sa.Column("decided_at", UtcDateTime, nullable=False),
)


class DeploymentRecord(Struct, frozen=True):
    """A row of `deployments`; `commit_hash` or `release` is known, often both.

    `details` is what the sender said besides; `verdict_due_at` is None when every verdict is decided.
    """

    id: str
    project_id: str
    environment: str
    commit_hash: str | None
    release: str | None
    deployed_at: datetime
    source: str
    details: dict[str, Any]
    created_at: datetime
    verdict_due_at: datetime | None


class VerdictRecord(Struct, frozen=True):
    """A row of `deployment_verdicts`: the alerts in a window before and in one as long after."""

    deployment_id: str
    after_hours: int
    verdict: str
    alerts_before: int
    alerts_after: int
    new_alerts: int
    window_seconds: int
    decided_at: datetime


def record(
    session: Session,
    project_id: str,
    environment: str | None,
    commit_hash: str | None,
    release: str | None,
    deployed_at: datetime | None,
    source: str,
    *,
    details: dict[str, Any] | None = None,
) -> DeploymentRecord:
    """Record that a revision began to run, and tell the outbox; return the deployment.

    `environment` None is production, `deployed_at` None is now. The same marker again is the same
    deployment: a revision next to itself within five minutes, or (without a time) the one that runs
    already. What such a repeat knows more (the commit of a release) is added to the deployment.
    """
    place = environment or PRODUCTION
    slug = _lock(session, project_id)
    moment = deployed_at or clock.now()
    same = _repeated(
        session, project_id, place, (commit_hash, release), moment, exact=deployed_at is not None
    )
    if same is not None:
        return _completed(session, same, commit_hash, release, slug)
    made = DeploymentRecord(
        ids.new_id(), project_id, place, commit_hash, release, moment, source, details or {}, clock.now(),
        moment + timedelta(hours=VERDICT_HOURS[0]),
    )  # fmt: skip
    session.execute(_INSERT, structs.asdict(made))
    outbox.append(session, "deployment.created", _told(made), project_id=project_id)
    audit.note("deployment.created", "deployment", made.id, audit.changed({}, _told(made)), project=slug)
    return made


def get(session: Session, deployment_id: str) -> DeploymentRecord:
    """Return a deployment; raises NotFound."""
    row = session.execute(_BY_ID, {"id": deployment_id}).first()
    if row is None:
        raise NotFound("deployment", deployment_id)
    return DeploymentRecord(*row)


def running_at(
    session: Session, project_id: str, environment: str | None, moment: datetime
) -> DeploymentRecord | None:
    """Return what ran in an environment at a moment; None when nothing is known to.

    Without an environment: what ran in production, else whatever was deployed last anywhere.
    """
    asked = {"project": project_id, "moment": moment}
    rows = hot.records(session, _RUNNING, {**asked, "environment": environment or PRODUCTION})
    if not rows and environment is None:
        rows = hot.records(session, _RUNNING_ANYWHERE, asked)
    return DeploymentRecord(*rows[0]) if rows else None


def previous(session: Session, deployment: DeploymentRecord) -> DeploymentRecord | None:
    """Return the deployment of the same environment before one; None for the first."""
    rows = hot.records(session, _PREVIOUS, _place(deployment))
    return DeploymentRecord(*rows[0]) if rows else None


def following(session: Session, deployment: DeploymentRecord) -> DeploymentRecord | None:
    """Return the deployment of the same environment after one; None for the latest."""
    row = session.execute(_FOLLOWING, _place(deployment)).first()
    return None if row is None else DeploymentRecord(*row)


def of_release(
    session: Session, project_id: str, release: str, environment: str | None = None
) -> DeploymentRecord | None:
    """Return the latest deployment of a release (a commit's hash is one too), in its environment if there."""
    rows = session.execute(_OF_RELEASE, {"project": project_id, "release": release}).fetchall()
    found = [DeploymentRecord(*row) for row in rows]
    here = [one for one in found if one.environment == environment]
    return next(iter(here or found), None)


def page(
    session: Session,
    *,
    limit: int,
    offset: int = 0,
    project_ids: Sequence[str] | None = None,
    environment: str | None = None,
    since: datetime | None = None,
    before: tuple[datetime, str] | None = None,
) -> list[DeploymentRecord]:
    """Return deployments, newest first; `before` is the (deployed_at, id) of the last one already seen."""
    key = (deployments.c.deployed_at, deployments.c.id)
    statement = sa.select(deployments).where(*_conditions(project_ids, environment, since))
    if before is not None:
        pair = (sa.literal(before[0], UtcDateTime), sa.literal(before[1], Text))
        statement = statement.where(sa.tuple_(*key) < sa.tuple_(*pair))
    rows = session.execute(statement.order_by(*(one.desc() for one in key)).limit(limit).offset(offset))
    return [DeploymentRecord(*row) for row in rows]


def count(
    session: Session,
    *,
    project_ids: Sequence[str] | None = None,
    environment: str | None = None,
    since: datetime | None = None,
    cap: int = 10_001,
) -> int:
    """Count deployments, at most `cap` of them."""
    wanted = _conditions(project_ids, environment, since)
    some = sa.select(sa.literal(1)).select_from(deployments).where(*wanted).limit(cap)
    return session.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()


def awaiting_verdict(session: Session, now: datetime, *, limit: int = 100) -> list[DeploymentRecord]:
    """Return deployments of which a verdict is due, the longest due first."""
    return [DeploymentRecord(*row) for row in session.execute(_DUE, {"now": now, "limit": limit})]


def decide(session: Session, deployment: DeploymentRecord, verdict: VerdictRecord) -> None:
    """Keep a verdict (the first one given stays) and say when the next is due."""
    session.execute(_keep(session.dialect.name), structs.asdict(verdict))
    later = [hours for hours in VERDICT_HOURS if hours > verdict.after_hours]
    due = deployment.deployed_at + timedelta(hours=later[0]) if later else None
    session.execute(_NEXT_VERDICT, {"of_id": deployment.id, "due": due})


def verdicts(session: Session, deployment_ids: Iterable[str]) -> dict[str, list[VerdictRecord]]:
    """Return the verdicts of deployments by their id, the earliest first."""
    found: dict[str, list[VerdictRecord]] = {one: [] for one in deployment_ids}
    if found:
        for row in session.execute(_VERDICTS, {"ids": list(found)}):
            found[row.deployment_id].append(VerdictRecord(*row))
    return found


def _lock(session: Session, project_id: str) -> str | None:
    """Let the markers of a project in one after the other (SQLite's writer is alone anyway).

    Returns the project's slug.
    """
    table = metadata.tables["projects"]
    found = session.execute(sa.select(table.c.slug).where(table.c.id == project_id).with_for_update())
    slug: str | None = found.scalar()
    return slug


def _repeated(
    session: Session,
    project_id: str,
    environment: str,
    revision: tuple[str | None, str | None],
    moment: datetime,
    *,
    exact: bool,
) -> DeploymentRecord | None:
    asked = {"project": project_id, "environment": environment, "moment": moment}
    near = (session.execute(_RUNNING, asked).first(), session.execute(_NEXT, asked).first())
    for row in near:
        if row is None or not _is_same(DeploymentRecord(*row), *revision):
            continue
        if not exact or abs(row.deployed_at - moment) <= SAME_MARKER:
            return DeploymentRecord(*row)
    return None


def _is_same(deployment: DeploymentRecord, commit_hash: str | None, release: str | None) -> bool:
    if commit_hash and deployment.commit_hash:
        shorter, longer = sorted((commit_hash.lower(), deployment.commit_hash.lower()), key=len)
        return longer.startswith(shorter)
    return bool(release) and release == deployment.release


def _completed(
    session: Session, same: DeploymentRecord, commit_hash: str | None, release: str | None, slug: str | None
) -> DeploymentRecord:
    more = {
        name: value
        for name, value in (("commit_hash", commit_hash), ("release", release))
        if value and not getattr(same, name)
    }
    if more:
        session.execute(sa.update(deployments).where(deployments.c.id == same.id).values(**more))
        audit.note("deployment.updated", "deployment", same.id, audit.changed({}, more), project=slug)
    return structs.replace(same, **more)


def _told(made: DeploymentRecord) -> dict[str, Any]:
    return {
        "id": made.id,
        "environment": made.environment,
        "commit_hash": made.commit_hash,
        "release": made.release,
        "deployed_at": clock.rfc3339(made.deployed_at),
        "source": made.source,
    }


def _place(deployment: DeploymentRecord) -> dict[str, Any]:
    return {
        "project": deployment.project_id,
        "environment": deployment.environment,
        "moment": deployment.deployed_at,
        "own_id": deployment.id,
    }


def _conditions(
    project_ids: Sequence[str] | None, environment: str | None, since: datetime | None
) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = []
    if project_ids is not None:
        wanted.append(deployments.c.project_id.in_(project_ids))
    if environment is not None:
        wanted.append(deployments.c.environment == environment)
    if since is not None:
        wanted.append(deployments.c.deployed_at >= since)
    return wanted


@cache
def _keep(dialect: str) -> Any:
    return upsert(dialect, deployment_verdicts).on_conflict_do_nothing()


_INSERT = sa.insert(deployments)
_BY_ID = sa.select(deployments).where(deployments.c.id == sa.bindparam("id"))
_MOMENT = sa.bindparam("moment", type_=UtcDateTime)
_OF_PROJECT = sa.select(deployments).where(deployments.c.project_id == sa.bindparam("project"))
_HERE = _OF_PROJECT.where(deployments.c.environment == sa.bindparam("environment"))
_NEWEST = (deployments.c.deployed_at.desc(), deployments.c.id.desc())
_OLDEST = (deployments.c.deployed_at, deployments.c.id)
_KEY = sa.tuple_(*_OLDEST)
_OWN = sa.tuple_(_MOMENT, sa.bindparam("own_id", type_=Text))
_RUNNING = _HERE.where(deployments.c.deployed_at <= _MOMENT).order_by(*_NEWEST).limit(1)
_RUNNING_ANYWHERE = _OF_PROJECT.where(deployments.c.deployed_at <= _MOMENT).order_by(*_NEWEST).limit(1)
_NEXT = _HERE.where(deployments.c.deployed_at > _MOMENT).order_by(*_OLDEST).limit(1)
_PREVIOUS = _HERE.where(_KEY < _OWN).order_by(*_NEWEST).limit(1)
_FOLLOWING = _HERE.where(_KEY > _OWN).order_by(*_OLDEST).limit(1)
_RELEASE = sa.bindparam("release", type_=Text)
_OF_RELEASE = (
    _OF_PROJECT.where(sa.or_(deployments.c.release == _RELEASE, deployments.c.commit_hash == _RELEASE))
    .order_by(*_NEWEST)
    .limit(20)
)
_DUE = (
    sa.select(deployments)
    .where(deployments.c.verdict_due_at <= sa.bindparam("now", type_=UtcDateTime))
    .order_by(deployments.c.verdict_due_at)
    .limit(sa.bindparam("limit"))
)
_NEXT_VERDICT = (
    sa.update(deployments)
    .where(deployments.c.id == sa.bindparam("of_id"))
    .values(verdict_due_at=sa.bindparam("due", type_=UtcDateTime))
)
_VERDICTS = (
    sa.select(deployment_verdicts)
    .where(deployment_verdicts.c.deployment_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(deployment_verdicts.c.after_hours)
)
