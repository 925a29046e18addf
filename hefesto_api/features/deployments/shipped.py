"""What came with a deployment: commits that ran nowhere before, and the findings that they brought.

A finding came with a deployment when it was seen first by an analysis of one of its commits, or after the
deployment before and up to this one, on the default branch; where the commits are known, only if no analysis
says that it is of another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.domain import clock
from hefesto_api.storage import deployment_commits, deployment_findings, finding_list
from hefesto_api.storage.finding_list import Filter

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.deployment_findings import NewFinding
    from hefesto_api.storage.deployments import DeploymentRecord
    from hefesto_api.storage.history import IndexedCommit

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
        return told | _standing(session, record, most)
    found = _came(session, record, before, commits)
    return told | {"findings": [_finding(one) for one in found[:most]], "findings_total": len(found)}


def _commits(
    session: Session, record: DeploymentRecord, before: DeploymentRecord
) -> list[IndexedCommit] | None:
    """Return what the one before had not; None where a revision, or the history, is not known."""
    new, old = (one.commit_hash or one.release for one in (record, before))
    if new is None or old is None:
        return None
    return deployment_commits.new_in(session, record.project_id, new.lower(), old.lower())


def _came(
    session: Session, record: DeploymentRecord, before: DeploymentRecord, commits: list[IndexedCommit] | None
) -> list[NewFinding]:
    hashes = {one.hash for one in commits or ()} | ({record.commit_hash} if record.commit_hash else set())
    by_commit = deployment_findings.first_seen_by(session, record.project_id, hashes)
    by_time = deployment_findings.first_seen_between(
        session, record.project_id, before.deployed_at, record.deployed_at
    )
    known = {None, *hashes} if commits is not None else None
    mine = [one for one in by_time if not one.branch and (known is None or one.commit_hash in known)]
    found = {one.id: one for one in (*by_commit, *mine)}
    return sorted(found.values(), key=lambda one: (-one.severity_rank, one.id))


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
