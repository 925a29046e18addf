"""What a correlation is made from: a project's paths, what is known of their contents, its findings."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from hefesto_api.domain.correlation import Incident
from hefesto_api.storage import generations, hot
from hefesto_api.storage.alerts import alerts
from hefesto_api.storage.analyses import analyses
from hefesto_api.storage.base import Text, clean, dump_json
from hefesto_api.storage.code_words import IS_OUTDATED, code_words
from hefesto_api.storage.contents import contents, project_files
from hefesto_api.storage.correlations import alert_suspects
from hefesto_api.storage.findings import findings
from hefesto_api.storage.projects import projects
from hefesto_api.storage.rollups import file_counts

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session

MOST_FINDINGS = 400
MOST_INCIDENTS = 200


class LatestAnalysis(NamedTuple):
    """The latest completed analysis of a project, and the commit that it was of, if that was said.

    `words` is the state of the files by which an index of their words is kept; None: there is none of them.
    """

    id: str
    commit_hash: str | None
    words: str | None = None


class FileContent(NamedTuple):
    """The content that a file had when it was analysed last."""

    content_id: int
    sha256: str
    language: str | None


class NearFinding(NamedTuple):
    """A finding in a file that matters."""

    id: str
    file_path: str
    line: int
    end_line: int
    rule_id: str
    analyzer: str
    severity: str
    description: str
    status: str
    confidence: float
    function_name: str | None


def latest_analysis(session: Session, project_id: str) -> LatestAnalysis | None:
    """Return the latest completed analysis of a project: with another one its files may be others."""
    rows = hot.fetch(session, _LATEST, {"project": project_id})
    return LatestAnalysis(*rows[0]) if rows else None


def analysed_paths(session: Session, project_id: str) -> list[str]:
    """Return the paths of all files of a project that an analysis saw, on whatever branch."""
    return list(session.execute(_PATHS, {"project": project_id}).scalars())


def named_paths(session: Session, project_id: str) -> list[str]:
    """Return the paths that findings of a project name: of one whose results were only imported."""
    return list(session.execute(_NAMED, {"project": project_id}).scalars())


def content_of(session: Session, project_id: str, path: str) -> FileContent | None:
    """Return what a file held when it was analysed last (the default branch goes first)."""
    row = session.execute(_CONTENT, {"project": project_id, "path": path}).first()
    return None if row is None else FileContent(*row)


def findings_in(
    session: Session, project_id: str, paths: Collection[str], rules: Collection[str] | None = None
) -> list[NearFinding]:
    """Return the findings of some files (and of some rules) that were not resolved, the worst first.

    At most `MOST_FINDINGS`.
    """
    if not paths:
        return []
    asked: dict[str, Any] = {"project": project_id, "paths": listed(paths)}
    if rules is not None:
        asked["rules"] = listed(rules)
    statement = _findings(session.dialect.name, of_rules=rules is not None)
    return [NearFinding(*row) for row in hot.fetch(session, statement, asked)]


def findings_state(session: Session, project_id: str) -> tuple[tuple[Any, ...], ...]:
    """Return what differs whenever a finding of a project may have changed (`storage.generations`)."""
    return tuple(hot.fetch(session, _FINDINGS_STATE, {"project": project_id}))


def listed(values: Collection[str]) -> str:
    """Return texts as the one parameter that `each` reads."""
    return dump_json([clean(value) for value in values])


def known_incidents(
    session: Session, project_id: str, paths: Collection[str], except_alert: str | None = None
) -> list[Incident]:
    """Return former alerts in functions of some files, the latest first; an alert is no evidence for itself.

    Those count that a person judged, and the one function each alert was laid to with more than even odds.
    """
    asked = {
        "project": project_id,
        "paths": listed(paths),
        "not_alert": except_alert or "",
    }
    rows = hot.fetch(session, _incidents(session.dialect.name), asked)
    return [
        Incident(
            path=row[0],
            function_name=row[1],
            error_type=row[2],
            confirmed=None if row[3] is None else bool(row[3]),
            timestamp=_moment(row[4]),
        )
        for row in rows
    ]


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)


def slug_of_service(session: Session, service_name: str) -> str | None:
    """Return the slug of the project that alerts of a service belong to; of several, the oldest."""
    return next((row.slug for row in session.execute(_SERVICES) if service_name in row.service_names), None)


def open_alert(session: Session, project_id: str, fingerprint: str) -> str | None:
    """Return our id of the alert of a cause that is still open."""
    rows = hot.fetch(session, _OPEN, {"key": f"{project_id}:{fingerprint}"})
    return rows[0][0] if rows else None


_SERVICES = sa.select(projects.c.slug, projects.c.service_names).order_by(projects.c.id)
_PROJECT = sa.bindparam("project", type_=Text)
_OPEN = sa.select(alerts.c.id).where(alerts.c.open_key == sa.bindparam("key", type_=Text))
_WORDS = sa.select(code_words.c.state).where(
    code_words.c.project_id == _PROJECT, code_words.c.words.is_not(None), ~IS_OUTDATED
)
_LATEST = (
    sa.select(analyses.c.id, analyses.c.commit_hash, _WORDS.scalar_subquery())
    .where(analyses.c.project_id == _PROJECT, analyses.c.status == "completed")
    .order_by(analyses.c.created_at.desc())
    .limit(1)
)
_PATHS = sa.select(project_files.c.path).where(project_files.c.project_id == _PROJECT).distinct()
_NAMED = sa.select(file_counts.c.file_path).where(file_counts.c.project_id == _PROJECT)
_CONTENT = (
    sa.select(contents.c.id, contents.c.sha256, contents.c.language)
    .join(project_files, project_files.c.content_id == contents.c.id)
    .where(project_files.c.project_id == _PROJECT, project_files.c.path == sa.bindparam("path", type_=Text))
    .order_by(project_files.c.branch)
    .limit(1)
)
_g = generations.generations.c
_ANY: sa.ColumnElement[str] = sa.literal_column("''")
_ORIGIN: sa.ColumnElement[str] = sa.literal_column("'origin'")
_EVERYTHING: sa.ColumnElement[str] = sa.literal_column(f"'{generations.EVERYTHING}'")
_OF_FINDINGS: sa.ColumnElement[str] = sa.literal_column("'findings'")
_FINDINGS_STATE = (
    sa.select(_g.kind, _g.scope, _g.value)
    .where(
        sa.or_(
            sa.and_(_g.kind == _ANY, _g.scope == _ORIGIN),
            sa.and_(_g.kind.in_((_EVERYTHING, _OF_FINDINGS)), _g.scope.in_((_ANY, _PROJECT))),
        )
    )
    .order_by(_g.kind, _g.scope)
)
_f = findings.c
_s = alert_suspects.c


@cache
def _findings(dialect: str, *, of_rules: bool) -> sa.Select[Any]:
    """Build the statement; lists go in as one JSON text, which costs less than a parameter for each."""
    wanted = [_f.file_path.in_(each(dialect, "paths"))]
    if of_rules:
        wanted.append(_f.rule_id.in_(each(dialect, "rules")))
    return (
        sa.select(*(_f[name] for name in NearFinding._fields))
        .where(_f.project_id == _PROJECT, _f.status != "resolved", *wanted)
        .order_by(_f.severity_rank.desc(), _f.id)
        .limit(MOST_FINDINGS)
    )


def each(dialect: str, name: str) -> sa.TextualSelect:
    """Return the SELECT of the texts in a parameter, for a condition with `in_`."""
    if dialect == "sqlite":
        return sa.text(f"SELECT value FROM json_each(:{name})").columns(sa.column("value", Text))  # noqa: S608
    texts = f"SELECT value FROM jsonb_array_elements_text(CAST(:{name} AS jsonb))"  # noqa: S608
    return sa.text(texts).columns(sa.column("value", Text))


@cache
def _incidents(dialect: str) -> sa.Select[Any]:
    return (
        sa.select(_s.file_path, _s.function_name, _s.error_type, _s.confirmed, _s.seen_at)
        .where(
            _s.project_id == sa.bindparam("project", type_=Text),
            _s.file_path.in_(each(dialect, "paths")),
            _s.alert_id != sa.bindparam("not_alert", type_=Text),
            sa.or_(_s.confirmed.is_not(None), _s.probability > 0.5),
        )
        .order_by(_s.seen_at.desc())
        .limit(MOST_INCIDENTS)
    )
