"""A correlation in the words of the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from hefesto_api.domain import clock
from hefesto_api.domain.correlation import Crash, Ranking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hefesto_api.domain.alert import IncomingAlert
    from hefesto_api.domain.correlation import CommitSuspect, CrashFrame, Evidence, FindingMatch, Suspect
    from hefesto_api.features.iris.running import Running
    from hefesto_api.storage.correlation_inputs import NearFinding
    from hefesto_api.storage.findings import FindingRecord
    from hefesto_api.storage.projects import ProjectRecord

DIGITS = 4


class Reopened(Struct, frozen=True):
    """A finding that had been put aside and takes part in the incident: who said what of it."""

    finding: FindingRecord
    match_confidence: float

    @property
    def sentence(self) -> str:
        """Tell who had put it aside, and why."""
        one = self.finding
        who = one.updated_by or "a comment in the source"
        reason = f" ({one.reason.replace('_', ' ')})" if one.reason else ""
        return (
            f"{one.file_path}:{one.line} was set to {one.status}{reason} by {who} on "
            f"{one.updated_at.date().isoformat()}: {one.description}"
        )


def told(
    incoming: IncomingAlert,
    crash: Crash,
    ranking: Ranking,
    known: Mapping[str, NearFinding],
    cost: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the answer about an alert, without what recording it decides."""
    matches = [_finding(one, known[one.finding_id]) for one in ranking.findings if one.finding_id in known]
    nothing = not ranking.suspects and not matches
    return {
        "alert_id": incoming.alert_id,
        "correlation_found": bool(matches),
        "confidence_score": 0.0 if nothing else _rounded(1.0 - ranking.none_probability),
        "matching_findings": matches,
        "suspect_functions": [_suspect(one) for one in ranking.suspects],
        "suspect_commits": [_commit(one) for one in ranking.commits],
        "frames": [_frame(one) for one in crash.frames],
        "suggested_root_cause": ranking.root_cause,
        "related_files": list(ranking.related_files),
        "recommended_actions": list(ranking.actions),
        "cost_estimate": cost,
        "model_version": ranking.model_version,
    }


def cost_of(incoming: IncomingAlert, project: ProjectRecord | None) -> dict[str, Any] | None:
    """Estimate what an incident costs; None unless the users and what one brings in are known."""
    users = incoming.affected_users
    if project is None or project.revenue_per_user_usd is None or users is None:
        return None
    per_user = project.revenue_per_user_usd
    impact = round(users * per_user, 2)
    return {
        "affected_users": users,
        "estimated_revenue_impact_usd": impact,
        "calculation": f"{users} affected users x {per_user:g} USD revenue per user = {impact:.2f} USD",
    }


def deployed(running: Running) -> dict[str, Any] | None:
    """Tell which revision ran, as far as that is known."""
    if running.commit is None and running.deployment is None:
        return None
    one = running.deployment
    return {
        "commit_hash": running.known or running.commit,
        "release": one.release if one else None,
        "deployment_id": one.id if one else None,
        "deployed_at": clock.rfc3339(one.deployed_at) if one else None,
    }


def advice(
    crash: Crash, ranking: Ranking, running: Running, *, knows_files: bool, knows_history: bool
) -> list[str]:
    """Say what to look at instead when nobody is suspected, and what would make the next answer better."""
    said = []
    if not ranking.suspects:
        said.append(_instead(crash, knows_files=knows_files))
    if running.commit is not None and running.known is None and knows_files:
        said.append(
            f"The history of the revision that runs ({running.commit[:12]}) is not on record, so no commit "
            "is suspected; if the project's repository has it, it is read now: ask again in a moment."
        )
    if crash.frames and knows_history and running.commit is None:
        said.append(
            "Tell which revision runs (`release` or `commit_hash` with the alert, or a deployment marker): "
            "commits that were not deployed can then be ruled out."
        )
    return said


def _instead(crash: Crash, *, knows_files: bool) -> str:
    if not crash.frames:
        if crash.error_type or crash.error_message:
            return "No stack trace could be read: look at the logs of the service around this time for one."
        return "The alert tells of no error: look at what the service logged around this time."
    if not knows_files:
        return "No file of the project is known: analyse it once, so that frames can be found in it."
    if any(frame.candidates for frame in crash.frames):
        return "Frames fit several files of the project: set `path_mappings` on it to tell them apart."
    return (
        "No frame of the trace is in the project: look at the library or the service that raised it and at "
        "what calls it, or set `path_mappings` if the paths of the machine differ."
    )


def _rounded(value: float) -> float:
    return round(min(max(value, 0.0), 1.0), DIGITS)


def _finding(match: FindingMatch, known: NearFinding) -> dict[str, Any]:
    return {
        "finding_id": match.finding_id,
        "file_path": known.file_path,
        "line_number": known.line,
        "finding_type": known.analyzer,
        "severity": known.severity,
        "description": known.description,
        "match_reason": match.match_reason,
        "match_confidence": _rounded(match.match_confidence),
        "evidence": _evidence(match.evidence),
        "rule_id": known.rule_id,
        "status": known.status,
    }


def _suspect(one: Suspect) -> dict[str, Any]:
    return {
        "file_path": one.file_path,
        "function_name": one.function_name,
        "line_number": one.line_number,
        "probability": _rounded(one.probability),
        "evidence": _evidence(one.evidence),
    }


def _commit(one: CommitSuspect) -> dict[str, Any]:
    return {
        "commit_hash": one.commit_hash,
        "author": one.author,
        "timestamp": clock.rfc3339(one.timestamp) if one.timestamp else None,
        "message": one.message,
        "score": _rounded(one.score),
    }


def _evidence(evidence: Sequence[Evidence]) -> list[dict[str, Any]]:
    return [{**structs.asdict(one), "contribution": round(one.contribution, DIGITS)} for one in evidence]


def _frame(one: CrashFrame) -> dict[str, Any]:
    return {
        "file": one.file,
        "line": one.line,
        "function": one.function,
        "in_app": one.in_app,
        "project_path": one.project_path,
    }
