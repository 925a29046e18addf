"""Keeping deployments, and telling what came with each."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.domain import clock
from hefesto_api.domain.errors import Invalid, NotFound
from hefesto_api.features.deployments import impact, judging, shipped
from hefesto_api.storage import deployment_commits, deployments, projects

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.deployments import DeploymentRecord, VerdictRecord
    from hefesto_api.web.paging import Page

DEFAULT_PROJECT = "default"
SOURCE = "api"
MOST_COUNTED = 10_000
FEW, MANY = 10, 1000  # commits and findings shown of each in the list, and of one alone
_SHIPPED = frozenset(
    {
        "commits_known", "commits", "commits_total", "findings", "findings_total", "resolved",
        "resolved_total", "risk",
    }
)  # fmt: skip
_COUNTED = frozenset({"impact", "standing"})
_BY = "deployed_by"  # of the details


class Listed(NamedTuple):
    """A page of deployments, the key after which the next one starts, and how many there are in all."""

    items: list[dict[str, Any]]
    next_key: tuple[str, str] | None
    total: int
    exact: bool


def create(db: Database, wanted: Mapping[str, Any], sender: str | None = None) -> dict[str, Any]:
    """Record a marker and return its deployment, which may be one that was told of before.

    `sender` is who deployed where the marker does not say so.
    """
    who = wanted.get(_BY) or sender
    with db.write() as session:
        project = projects.ensure(session, wanted.get("project", DEFAULT_PROJECT))
        made = deployments.record(
            session,
            project.id,
            wanted.get("environment"),
            wanted.get("commit_hash"),
            wanted.get("release"),
            wanted.get("deployed_at"),
            SOURCE,
            details={_BY: who} if who else None,
        )
        if made.commit_hash is not None:
            deployment_commits.ask_for(session, project.id, made.commit_hash.lower())
    return read(db, made.id, None)


def read(db: Database, deployment_id: str, allowed: Collection[str] | None) -> dict[str, Any]:
    """Return a deployment that the caller may see; raises NotFound."""
    with db.read() as session:
        record = deployments.get(session, deployment_id)
        if not projects.is_seen(session, record.project_id, allowed):
            raise NotFound("deployment", deployment_id)
        return _told(session, [record], MANY)[0]


def listed(db: Database, query: Mapping[str, Any], allowed: Collection[str] | None) -> Listed:
    """Return a page of the deployments that may be seen, the newest first; raises Invalid for its cursor."""
    page = query["page"]
    wanted = {name: query.get(name) for name in ("environment", "since")}
    before = None if page.cursor is None else _key_of(page.cursor)
    with db.read() as session:
        wanted["project_ids"] = projects.chosen(session, query.get("project"), allowed)
        offset = 0 if before else page.offset
        found = deployments.page(session, limit=page.limit + 1, offset=offset, before=before, **wanted)
        total = deployments.count(session, cap=MOST_COUNTED + 1, **wanted)
        shown = found[: page.limit]
        wants = page.fields is None or not _COUNTED.isdisjoint(page.fields)
        items = _told(session, shown, FEW if _wants_shipped(page) else 0, counts=wants)
    last = shown[-1] if len(found) > page.limit else None
    key = None if last is None else (last.deployed_at.isoformat(), last.id)
    return Listed(items, key, min(total, MOST_COUNTED), total <= MOST_COUNTED)


def _wants_shipped(page: Page) -> bool:
    return page.fields is None or not _SHIPPED.isdisjoint(page.fields)


def _told(
    session: Session, records: Sequence[DeploymentRecord], most: int, *, counts: bool = True
) -> list[dict[str, Any]]:
    """Return deployments as they go over the wire; `most` 0 leaves out what shipped with them.

    Without `counts` the alerts around them are left out.
    """
    after = {record.id: deployments.following(session, record) for record in records}
    slugs = projects.slugs(session, (record.project_id for record in records))
    verdicts = deployments.verdicts(session, (record.id for record in records))
    return [
        {
            "id": record.id,
            "project": slugs[record.project_id],
            "environment": record.environment,
            "commit_hash": record.commit_hash,
            "release": record.release,
            "deployed_at": clock.rfc3339(record.deployed_at),
            "source": record.source,
            "deployed_by": _deployer(record),
            "created_at": clock.rfc3339(record.created_at),
            "is_running": after[record.id] is None and record.deployed_at <= clock.now(),
            **_came_with(session, record, most),
            "verdicts": [_verdict(one) for one in verdicts[record.id]],
            **(_since(session, record, after[record.id], verdicts[record.id]) if counts else {}),
        }
        for record in records
    ]


def _since(
    session: Session,
    record: DeploymentRecord,
    following: DeploymentRecord | None,
    verdicts: Sequence[VerdictRecord],
) -> dict[str, Any]:
    found, window = impact.counted(session, record, following)
    return {"standing": judging.standing(found, verdicts), "impact": impact.told(found, window)}


def _came_with(session: Session, record: DeploymentRecord, most: int) -> dict[str, Any]:
    before = deployments.previous(session, record)
    told = {"previous": before and _revision(before)}
    return told | shipped.shipped(session, record, before, most) if most else told


def _deployer(record: DeploymentRecord) -> str | None:
    who = record.details.get(_BY)
    return who if isinstance(who, str) else None


def _revision(record: DeploymentRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "commit_hash": record.commit_hash,
        "release": record.release,
        "deployed_at": clock.rfc3339(record.deployed_at),
    }


def _verdict(one: VerdictRecord) -> dict[str, Any]:
    return {
        "after_hours": one.after_hours,
        "verdict": one.verdict,
        "alerts_before": one.alerts_before,
        "alerts_after": one.alerts_after,
        "new_alerts": one.new_alerts,
        "window_seconds": one.window_seconds,
        "decided_at": clock.rfc3339(one.decided_at),
    }


def _key_of(cursor: tuple[Any, ...]) -> tuple[datetime, str]:
    try:
        moment, last_id = cursor
        found = datetime.fromisoformat(moment)
    except (ValueError, TypeError):
        raise Invalid("cursor", "This is no cursor of this list.") from None
    if found.tzinfo is None or not isinstance(last_id, str):
        raise Invalid("cursor", "This is no cursor of this list.")
    return found, last_id
