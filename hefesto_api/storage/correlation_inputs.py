"""What a correlation is made from: a project's paths, what is known of their contents, its findings."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from hefesto_api.storage.alerts import alerts
from hefesto_api.storage.analyses import analyses
from hefesto_api.storage.base import Text, clean, dump_json
from hefesto_api.storage.contents import contents, project_files
from hefesto_api.storage.findings import findings
from hefesto_api.storage.projects import projects
from hefesto_api.storage.rollups import file_counts

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session

MOST_FINDINGS = 400


class LatestAnalysis(NamedTuple):
    """The latest completed analysis of a project, and the commit that it was of, if that was said."""

    id: str
    commit_hash: str | None


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
    reason: str | None
    updated_by: str | None
    updated_at: datetime


def latest_analysis(session: Session, project_id: str) -> LatestAnalysis | None:
    """Return the latest completed analysis of a project: with another one its files may be others."""
    row = session.execute(_LATEST, {"project": project_id}).first()
    return None if row is None else LatestAnalysis(*row)


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
    asked: dict[str, Any] = {"project": project_id, "paths": _listed(paths)}
    if rules is not None:
        asked["rules"] = _listed(rules)
    statement = _findings(session.dialect.name, of_rules=rules is not None)
    return [NearFinding(*row) for row in session.execute(statement, asked)]


def _listed(values: Collection[str]) -> str:
    return dump_json([clean(value) for value in values])


def slug_of_service(session: Session, service_name: str) -> str | None:
    """Return the slug of the project that alerts of a service belong to; of several, the oldest."""
    return next((row.slug for row in session.execute(_SERVICES) if service_name in row.service_names), None)


def open_alert(session: Session, project_id: str, fingerprint: str) -> str | None:
    """Return our id of the alert of a cause that is still open."""
    return session.execute(_OPEN, {"key": f"{project_id}:{fingerprint}"}).scalar()


_SERVICES = sa.select(projects.c.slug, projects.c.service_names).order_by(projects.c.id)
_PROJECT = sa.bindparam("project", type_=Text)
_OPEN = sa.select(alerts.c.id).where(alerts.c.open_key == sa.bindparam("key", type_=Text))
_LATEST = (
    sa.select(analyses.c.id, analyses.c.commit_hash)
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
_f = findings.c


@cache
def _findings(dialect: str, *, of_rules: bool) -> sa.Select[Any]:
    """Build the statement; lists go in as one JSON text, which costs less than a parameter for each."""
    wanted = [_f.file_path.in_(_each(dialect, "paths"))]
    if of_rules:
        wanted.append(_f.rule_id.in_(_each(dialect, "rules")))
    return (
        sa.select(*(_f[name] for name in NearFinding._fields))
        .where(_f.project_id == _PROJECT, _f.status != "resolved", *wanted)
        .order_by(_f.severity_rank.desc(), _f.id)
        .limit(MOST_FINDINGS)
    )


def _each(dialect: str, name: str) -> sa.TextualSelect:
    if dialect == "sqlite":
        return sa.text(f"SELECT value FROM json_each(:{name})").columns(sa.column("value", Text))  # noqa: S608
    each = f"SELECT value FROM jsonb_array_elements_text(CAST(:{name} AS jsonb))"  # noqa: S608
    return sa.text(each).columns(sa.column("value", Text))
