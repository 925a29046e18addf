"""What people said of correlations, and what was learned from it: counts, for everybody and by project."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain.correlation import Learned, Tally
from hefesto_api.storage import hot
from hefesto_api.storage.alerts import alerts
from hefesto_api.storage.base import Blob, Json, Session, Text, UtcDateTime, metadata, upsert
from hefesto_api.storage.correlations import correlations

SIGNAL, RULE = "signal", "rule"
EVERYBODY = ""

correlation_feedback = sa.Table(
    "correlation_feedback",
    metadata,
    sa.Column("correlation_id", Text, sa.ForeignKey("correlations.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("subject", Text, primary_key=True),
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    sa.Column("verdict", Text, nullable=False),
    sa.Column("comment", Text),
    sa.Column("user", Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("lesson", Json, nullable=False),
    sa.Column("is_taken", sa.Boolean, nullable=False),
    sa.Column("replay", Blob, nullable=False),
    sa.Index(None, "project_id", "updated_at"),
    sa.Index(None, "updated_at"),
)

learned_counts = sa.Table(
    "learned_counts",
    metadata,
    sa.Column("scope", Text, primary_key=True),  # a project's id, or "" for everybody
    sa.Column("kind", Text, primary_key=True),
    sa.Column("key", Text, primary_key=True),
    sa.Column("confirmed", sa.Integer, nullable=False),
    sa.Column("rejected", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)


class Count(NamedTuple):
    """One thing that a lesson counts: the `kind` is signal or rule."""

    kind: str
    key: str
    confirmed: int
    rejected: int


class Feedback(Struct, frozen=True):
    """A row of `correlation_feedback`: what somebody said of one subject of a correlation.

    `subject` is `finding:ID`, `function:PATH:NAME`, or `none`; `lesson` is a list of counts; `replay` is the
    compressed case that the lesson is tried on.
    """

    correlation_id: str
    subject: str
    project_id: str
    verdict: str
    comment: str | None
    user: str
    created_at: datetime
    updated_at: datetime
    lesson: list[list[Any]]
    is_taken: bool
    replay: bytes

    @property
    def counts(self) -> list[Count]:
        """What the lesson counts."""
        return [Count(*one) for one in self.lesson]


def of_correlation(session: Session, correlation_id: str) -> list[Feedback]:
    """Return what was said of a correlation, in the order it was said."""
    return [Feedback(*row) for row in session.execute(_OF_CORRELATION, {"correlation": correlation_id})]


def latest(session: Session, project_id: str, *, limit: int) -> list[Feedback]:
    """Return what was said last: half of it of a project, the rest of any."""
    own = session.execute(_OF_PROJECT, {"project": project_id, "limit": limit // 2})
    found = {(row.correlation_id, row.subject): Feedback(*row) for row in own}
    for row in session.execute(_OF_ALL, {"limit": limit}):
        if len(found) < limit:
            found.setdefault((row.correlation_id, row.subject), Feedback(*row))
    return list(found.values())


def untaken(session: Session, project_id: str, *, limit: int) -> list[Feedback]:
    """Return what was said in a project and not learned from so far, the latest first."""
    return [Feedback(*row) for row in session.execute(_UNTAKEN, {"project": project_id, "limit": limit})]


def keep(session: Session, feedback: Feedback) -> None:
    """Keep what was said of a subject, in the place of what was said of it before."""
    session.execute(_keep(session.dialect.name), structs.asdict(feedback))


def drop(session: Session, feedback: Feedback) -> bool:
    """Forget what was said of a subject; False when somebody else did."""
    return session.execute(_DROP, _own(feedback)).rowcount == 1


def set_taken(session: Session, feedback: Feedback) -> bool:
    """Note that the lesson counts now; False when it did already, or is no longer there."""
    return session.execute(_SET_TAKEN, _own(feedback)).rowcount == 1


def _own(feedback: Feedback) -> dict[str, str]:
    return {"of_correlation": feedback.correlation_id, "of_subject": feedback.subject}


def add(session: Session, project_id: str, counts: Iterable[Count], *, sign: int = 1) -> None:
    """Count a lesson for its project and for everybody; with `sign` -1 take it back."""
    total = Counter[tuple[str, str, str]]()
    rejected = Counter[tuple[str, str, str]]()
    for one in counts:
        for scope in (EVERYBODY, project_id):
            total[scope, one.kind, one.key] += sign * one.confirmed
            rejected[scope, one.kind, one.key] += sign * one.rejected
    rows = [
        {
            "scope": scope,
            "kind": kind,
            "key": key,
            "confirmed": number,
            "rejected": rejected[scope, kind, key],
        }
        for (scope, kind, key), number in sorted(total.items())
    ]
    if rows:
        session.execute(_add(session.dialect.name), rows)


def learned(session: Session, project_id: str) -> Learned:
    """Return what was learned, for everybody and in a project."""
    found: dict[tuple[bool, str], dict[str, Tally]] = {}
    for scope, kind, key, confirmed, rejected in hot.fetch(session, _LEARNED, {"project": project_id}):
        tally = Tally(max(confirmed, 0), max(rejected, 0))
        found.setdefault((scope == EVERYBODY, kind), {})[key] = tally
    return Learned(
        signals=found.get((True, SIGNAL), {}),
        rules=found.get((True, RULE), {}),
        project_signals=found.get((False, SIGNAL), {}),
        project_rules=found.get((False, RULE), {}),
    )


def adjusted(before: Learned, counts: Iterable[Count], *, sign: int = 1) -> Learned:
    """Return what was learned with a lesson counted, or taken back, without storing it."""
    tables: Mapping[str, Sequence[dict[str, Tally]]] = {
        SIGNAL: (dict(before.signals), dict(before.project_signals)),
        RULE: (dict(before.rules), dict(before.project_rules)),
    }
    for one in counts:
        for table in tables[one.kind]:
            was = table.get(one.key, Tally())
            table[one.key] = Tally(
                max(was.confirmed + sign * one.confirmed, 0), max(was.rejected + sign * one.rejected, 0)
            )
    (signals, project_signals), (rules, project_rules) = tables[SIGNAL], tables[RULE]
    return Learned(signals=signals, rules=rules, project_signals=project_signals, project_rules=project_rules)


def sweep(session: Session, before: datetime, *, limit: int = 500) -> int:
    """Delete at most `limit` correlations from before a time that a later one replaced; return how many.

    Those that somebody judged stay.
    """
    return session.execute(_SWEEP, {"before": before, "limit": limit}).rowcount


def packed(replay: bytes) -> bytes:
    """Compress a case, for `Feedback.replay`."""
    return zlib.compress(replay, 6)


def unpacked(feedback: Feedback) -> bytes:
    """Return the case of a feedback."""
    return zlib.decompress(feedback.replay)


@cache
def _keep(dialect: str) -> Any:
    insert = upsert(dialect, correlation_feedback)
    names = ("verdict", "comment", "user", "updated_at", "lesson", "is_taken", "replay")
    return insert.on_conflict_do_update(
        index_elements=["correlation_id", "subject"], set_={name: insert.excluded[name] for name in names}
    )


@cache
def _add(dialect: str) -> Any:
    insert = upsert(dialect, learned_counts)
    more = {name: learned_counts.c[name] + insert.excluded[name] for name in ("confirmed", "rejected")}
    return insert.on_conflict_do_update(index_elements=["scope", "kind", "key"], set_=more)


_f = correlation_feedback.c
_OF_CORRELATION = (
    sa.select(correlation_feedback)
    .where(_f.correlation_id == sa.bindparam("correlation"))
    .order_by(_f.created_at, _f.subject)
)
_NEWEST = sa.select(correlation_feedback).order_by(_f.updated_at.desc()).limit(sa.bindparam("limit"))
_OF_PROJECT = _NEWEST.where(_f.project_id == sa.bindparam("project"))
_OF_ALL = _NEWEST
_UNTAKEN = _OF_PROJECT.where(_f.is_taken.is_(sa.false()))
_IS_IT = sa.and_(
    _f.correlation_id == sa.bindparam("of_correlation"), _f.subject == sa.bindparam("of_subject")
)
_DROP = sa.delete(correlation_feedback).where(_IS_IT)
_SET_TAKEN = sa.update(correlation_feedback).where(_IS_IT, _f.is_taken.is_(sa.false())).values(is_taken=True)
_LEARNED = sa.select(learned_counts).where(
    sa.or_(
        learned_counts.c.scope == sa.literal_column("''"),
        learned_counts.c.scope == sa.bindparam("project", type_=Text),
    )
)
_SWEEP = sa.delete(correlations).where(
    correlations.c.id.in_(
        sa.select(correlations.c.id)
        .where(
            correlations.c.created_at < sa.bindparam("before", type_=UtcDateTime),
            ~sa.exists().where(alerts.c.correlation_id == correlations.c.id),
            ~sa.exists().where(_f.correlation_id == correlations.c.id),
        )
        .limit(sa.bindparam("limit"))
    )
)
