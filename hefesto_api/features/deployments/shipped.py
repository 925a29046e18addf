"""What came with a deployment: commits that ran nowhere before, and the findings that they brought.

A finding came with a deployment when it was seen first by an analysis of one of its commits, or after the
deployment before and up to this one, on the default branch; where the commits are known, only if no analysis
says that it is of another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import structs

from hefesto_api.domain import clock
from hefesto_api.domain.errors import NotFound
from hefesto_api.features.deployments import risk
from hefesto_api.storage import deployment_commits, deployment_findings, deployments, finding_list, projects
from hefesto_api.storage.finding_list import Filter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.deployment_commits import ChangedFile
    from hefesto_api.storage.deployment_findings import NewFinding
    from hefesto_api.storage.deployments import DeploymentRecord
    from hefesto_api.storage.history import IndexedCommit

MOST_FILES = 1000
STANDING = ("open", "acknowledged")


def shipped(
    session: Session, record: DeploymentRecord, before: DeploymentRecord | None, most: int
) -> dict[str, Any]:
    """Return commits and findings that came with a deployment, at most so many of each.

    Of the first deployment of an environment no commits are known, and its findings are what stands.
    """
    commits = None if before is None else _commits(session, record, before)
    told = {
        "commits_known": commits is not None,
        "commits": [_commit(one) for one in (commits or [])[:most]],
        "commits_total": len(commits or ()),
    }
    if before is None:
        first = {"resolved": [], "resolved_total": 0, "risk": risk.assess({}, None, is_first=True)}
        return told | _standing(session, record, most) | first
    hashes = {one.hash for one in commits or ()} | ({record.commit_hash} if record.commit_hash else set())
    found = _came(session, record, before, hashes, commits_known=commits is not None)
    gone = _gone(session, record, before, hashes)
    standing = _by_severity(one for one in found if risk.stands(one.status))
    return told | {
        "findings": [_finding(one) for one in found[:most]],
        "findings_total": len(found),
        "resolved": [_finding(one) for one in gone[:most]],
        "resolved_total": len(gone),
        "risk": risk.assess(standing, None if commits is None else len(commits), is_first=False),
    }


def changes(db: Database, deployment_id: str, allowed: Collection[str] | None) -> dict[str, Any]:
    """Return the files that the commits of a deployment touched, the most changed first; raises NotFound."""
    with db.read() as session:
        record = deployments.get(session, deployment_id)
        if not projects.is_seen(session, record.project_id, allowed):
            raise NotFound("deployment", deployment_id)
        before = deployments.previous(session, record)
        found = None if before is None else _files(session, record, before)
    return {
        "deployment_id": record.id,
        "commits_known": found is not None,
        "files_total": len(found or ()),
        "files": [structs.asdict(one) for one in (found or [])[:MOST_FILES]],
    }


def _commits(
    session: Session, record: DeploymentRecord, before: DeploymentRecord
) -> list[IndexedCommit] | None:
    """Return what the one before had not; None where a revision, or the history, is not known."""
    new, old = (one.commit_hash or one.release for one in (record, before))
    if new is None or old is None:
        return None
    return deployment_commits.new_in(session, record.project_id, new.lower(), old.lower())


def _files(session: Session, record: DeploymentRecord, before: DeploymentRecord) -> list[ChangedFile] | None:
    new, old = (one.commit_hash or one.release for one in (record, before))
    if new is None or old is None:
        return None
    return deployment_commits.changed_files(session, record.project_id, new.lower(), old.lower())


def _came(
    session: Session,
    record: DeploymentRecord,
    before: DeploymentRecord,
    hashes: Collection[str],
    *,
    commits_known: bool,
) -> list[NewFinding]:
    by_commit = deployment_findings.first_seen_by(session, record.project_id, hashes)
    by_time = deployment_findings.first_seen_between(
        session, record.project_id, before.deployed_at, record.deployed_at
    )
    known = {None, *hashes} if commits_known else None
    mine = [one for one in by_time if not one.branch and (known is None or one.commit_hash in known)]
    return _worst_first((*by_commit, *mine))


def _gone(
    session: Session, record: DeploymentRecord, before: DeploymentRecord, hashes: Collection[str]
) -> list[NewFinding]:
    """Return what was resolved after the deployment before and up to this one, or by analyses of commits."""
    since, until = before.deployed_at, record.deployed_at
    by_time = deployment_findings.resolved_between(session, record.project_id, since, until)
    by_commit = deployment_findings.resolved_by(session, record.project_id, hashes)
    return _worst_first((*by_commit, *by_time))


def _worst_first(some: Iterable[NewFinding]) -> list[NewFinding]:
    found = {one.id: one for one in some}
    return sorted(found.values(), key=lambda one: (-one.severity_rank, one.id))


def _by_severity(found: Iterable[NewFinding]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in found:
        counts[one.severity] = counts.get(one.severity, 0) + 1
    return counts


def _standing(session: Session, record: DeploymentRecord, most: int) -> dict[str, Any]:
    wanted = Filter(project_ids=(record.project_id,), status=STANDING)
    items, _ = finding_list.page(session, wanted, limit=most, sort="severity")
    total, _ = finding_list.count(session, wanted)
    told = [{name: getattr(one, name) for name in _SHOWN} | {"first_seen": one.first_seen} for one in items]
    return {"findings": told, "findings_total": total}


_SHOWN = ("id", "file_path", "line", "rule_id", "analyzer", "severity", "description", "status")


def _commit(one: IndexedCommit) -> dict[str, Any]:
    return {
        "commit_hash": one.hash,
        "author": one.author,
        "timestamp": clock.rfc3339(one.time),
        "message": one.message,
    }


def _finding(one: NewFinding) -> dict[str, Any]:
    return {name: getattr(one, name) for name in _SHOWN} | {"first_seen": clock.rfc3339(one.first_seen)}
