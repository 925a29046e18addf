"""What people say of a correlation, and what later answers learn from it.

A judgement is learned from when the answers that were judged so far, given again with what it teaches, are no
worse than without it. One that is not learned from is kept, and tried again with the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from hefesto_api.analyzers import catalogue
from hefesto_api.domain import audit, clock, decoding
from hefesto_api.domain.errors import Invalid, NotFound
from hefesto_api.features.iris import answering, correlating, lessons
from hefesto_api.features.iris.lessons import FINDING, FUNCTION, NONE, Case, Judgement
from hefesto_api.storage import correlations, findings, learning, projects
from hefesto_api.storage.correlations import Named
from hefesto_api.storage.learning import Feedback

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hefesto_api.domain.correlation import Learned
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.correlations import CorrelationRecord
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.learning import Count

CONFIRMED, REJECTED = "confirmed", "rejected"
REPLAYED = 60  # judged answers that are given again, the latest
RETRIED = 20  # judgements not learned from, that are tried again
TOLERANCE = 1e-9


_CASE = decoding.of_json(Case)


class Caller(NamedTuple):
    """Who judges, and the projects that he may see."""

    name: str
    allowed: Collection[str] | None


class _Refit(NamedTuple):
    """What to learn from: some judgements, with the errors on what was judged before and after."""

    taken: list[Feedback]
    error_before: float | None
    error_after: float | None
    replayed: int


def give(db: Database, caller: Caller, correlation_id: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what somebody says of a correlation and learn from it; raises NotFound, Invalid."""
    with db.read() as session:
        record = answering.seen(session, correlation_id, caller.allowed)
        judgement = _judgement(session, record, wanted)
        said = learning.of_correlation(session, correlation_id)
        same = next((one for one in said if one.subject == judgement.subject), None)
        given = _feedback(session, record, judgement, caller.name, wanted.get("comment"), same)
        replaced = [one for one in said if _gives_way(one, given, judgement)]
        if same is not None and same.verdict == given.verdict:
            return _told(same, None)
        learned = learning.learned(session, record.project_id)
        others = [
            one for one in learning.latest(session, record.project_id, limit=REPLAYED) if one not in replaced
        ]
        waiting = learning.untaken(session, record.project_id, limit=RETRIED)
    for one in replaced:
        learned = learning.adjusted(learned, one.counts if one.is_taken else (), sign=-1)
    refit = _refit(learned, given, others, [one for one in waiting if one not in replaced])
    with db.write() as session:
        _keep(session, record, judgement, given, replaced, refit)
        verdict = {"from": None if same is None else same.verdict, "to": given.verdict}
        changes = {"subject": given.subject, "verdict": verdict}
        slug = projects.by_id(session, record.project_id).slug
        audit.note("correlation.judged", "correlation", correlation_id, changes, project=slug)
    return _told(given, refit)


def _keep(
    session: Session,
    record: CorrelationRecord,
    judgement: Judgement,
    given: Feedback,
    replaced: Sequence[Feedback],
    refit: _Refit,
) -> None:
    for one in replaced:
        if learning.drop(session, one) and one.is_taken:
            learning.add(session, one.project_id, one.counts, sign=-1)
        _judge(session, record, one.subject, None)
    learning.keep(session, given)
    for one in refit.taken:
        if learning.set_taken(session, one):
            learning.add(session, one.project_id, one.counts)
    _judge(session, record, judgement.subject, judgement.is_confirmed)


def _judge(session: Session, record: CorrelationRecord, subject: str, confirmed: bool | None) -> None:
    """Let later answers know what was said of a function of this alert, and findings of their incidents."""
    kind, _, name = subject.partition(":")
    if kind == FUNCTION:
        path, _, function = name.partition(":")
        correlations.judge(session, record, Named(path, function, 0.0), confirmed=confirmed)
    elif kind == FINDING:
        correlations.judge_finding(session, record, name, confirmed=confirmed)


def _without(gone: Sequence[Feedback], some: Sequence[Feedback]) -> list[Feedback]:
    keys = {(one.correlation_id, one.subject) for one in gone}
    return [one for one in some if (one.correlation_id, one.subject) not in keys]


def _refit(
    learned: Learned, given: Feedback, others: Sequence[Feedback], waiting: Sequence[Feedback]
) -> _Refit:
    """Choose what to learn from: all that waits with the new judgement, that alone, or nothing."""
    cases = [_case(one) for one in (given, *others)]
    before = lessons.error(cases, learned)
    for taken in ([given, *waiting], [given]) if waiting else ([given],):
        after = lessons.error(cases, _with(learned, [count for one in taken for count in one.counts]))
        if before is None or after is None or after <= before + TOLERANCE:
            return _Refit(list(taken), before, after, len(cases))
    return _Refit([], before, before, len(cases))


def _with(learned: Learned, counts: Sequence[Count]) -> Learned:
    return learning.adjusted(learned, counts)


def _case(one: Feedback) -> Case:
    return _CASE.decode(learning.unpacked(one))


def _feedback(
    session: Session,
    record: CorrelationRecord,
    judgement: Judgement,
    user: str,
    comment: str | None,
    same: Feedback | None,
) -> Feedback:
    inputs, facts = correlating.replayable(session, record)
    told = record.told()
    case = Case(inputs, facts, lessons.labels_of(judgement, told))
    now = clock.now()
    return Feedback(
        correlation_id=record.id,
        subject=judgement.subject,
        project_id=record.project_id,
        verdict=CONFIRMED if judgement.is_confirmed else REJECTED,
        comment=comment,
        user=user,
        created_at=same.created_at if same else now,
        updated_at=now,
        lesson=[list(one) for one in lessons.lesson_of(judgement, told, record.error_type)],
        is_taken=False,
        replay=learning.packed(msgspec.json.encode(case)),
    )


def _gives_way(one: Feedback, given: Feedback, judgement: Judgement) -> bool:
    """Tell whether an earlier judgement is replaced: of the same, or where only one can be to blame."""
    if one.subject == given.subject:
        return True
    kinds = {one.subject.partition(":")[0], judgement.kind}
    return one.verdict == given.verdict == CONFIRMED and kinds <= {FUNCTION, NONE}


def _judgement(session: Session, record: CorrelationRecord, wanted: Mapping[str, Any]) -> Judgement:
    """Read who is judged: without a word of it, the answer's first finding or function."""
    told, confirmed = record.told(), wanted["verdict"] == CONFIRMED
    if wanted.get("none"):
        return Judgement(NONE, "", confirmed)
    if wanted.get("finding_id"):
        return _of_finding(session, record, str(wanted["finding_id"]), confirmed)
    if wanted.get("function"):
        path, function = _function(told, wanted["function"], wanted.get("file_path"))
        return Judgement(FUNCTION, lessons.named(path, function), confirmed)
    if told["suspect_functions"]:
        first = told["suspect_functions"][0]
        return Judgement(FUNCTION, lessons.named(first["file_path"], first["function_name"]), confirmed)
    if told["matching_findings"]:
        return _of_finding(session, record, told["matching_findings"][0]["finding_id"], confirmed)
    if confirmed:
        return Judgement(NONE, "", confirmed)
    raise Invalid("function", "Nothing was suspected: name the function or the finding.", "missing")


def _of_finding(session: Session, record: CorrelationRecord, finding_id: str, confirmed: bool) -> Judgement:
    finding = findings.get(session, finding_id)
    if finding.project_id != record.project_id:
        raise NotFound("finding", finding_id)
    rule = catalogue.RULES.get(finding.rule_id)
    return Judgement(FINDING, finding_id, confirmed, rule.slug if rule else finding.rule_id)


def _function(told: Mapping[str, Any], name: str, path: str | None) -> tuple[str, str]:
    """Find the suspect that is meant, by its whole name or the end of it; another function is new."""
    places = [(one["file_path"], one["function_name"]) for one in told["suspect_functions"]]
    meant = [one for one in places if path in (None, one[0])]
    exact = [one for one in meant if one[1] == name]
    ending = [one for one in meant if one[1].rpartition(".")[2] == name]
    return next((found[0] for found in (exact, ending) if len(found) == 1), (path or "", name))


def _told(given: Feedback, refit: _Refit | None) -> dict[str, Any]:
    is_taken = given.is_taken if refit is None else any(one is given for one in refit.taken)
    return {
        "correlation_id": given.correlation_id,
        "subject": given.subject,
        "verdict": given.verdict,
        "is_new": refit is not None,
        "is_learned": is_taken,
        "replayed": refit.replayed if refit else 0,
        "error_before": refit.error_before if refit else None,
        "error_after": refit.error_after if refit else None,
    }
