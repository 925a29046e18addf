"""What an analysis reads about files and contents on record, and how it marks them as seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.storage.analyses import analyses
from hefesto_api.storage.base import Session
from hefesto_api.storage.contents import contents, project_files


class Recorded(Struct, frozen=True):
    """A file as an analysis last saw it, with what is known of the content it held then.

    `stat` is (size, mtime, ctime, inode), times in nanoseconds; `flaw` says what of the content could not
    be analysed, if anything.
    """

    path: str
    content_id: int
    stat: tuple[int, int, int, int]
    analysis_id: str
    seen_at: datetime
    engine: str
    lines_of_code: int
    flaw: str | None


class Blocks(Struct, frozen=True):
    """What the search for duplicated blocks needs of a file."""

    path: str
    content_id: int
    shingles: bytes


_FILES = (
    sa.select(
        project_files.c.path,
        project_files.c.content_id,
        project_files.c.size,
        project_files.c.mtime_ns,
        project_files.c.ctime_ns,
        project_files.c.inode,
        project_files.c.analysis_id,
        project_files.c.seen_at,
        contents.c.engine,
        contents.c.lines_of_code,
        contents.c.flaw,
    )
    .join(contents, contents.c.id == project_files.c.content_id)
    .where(
        project_files.c.project_id == sa.bindparam("project_id"),
        project_files.c.branch == sa.bindparam("branch"),
    )
)


def files(session: Session, project_id: str, branch: str) -> dict[str, Recorded]:
    """Return the files of a project's branch as last seen, by path."""
    rows = session.execute(_FILES, {"project_id": project_id, "branch": branch})
    return {row[0]: Recorded(row[0], row[1], (row[2], row[3], row[4], row[5]), *row[6:]) for row in rows}


def functions_in(session: Session, project_id: str, branch: str) -> dict[str, int]:
    """Return how many functions each file of a project's branch holds, by path."""
    statement = (
        sa.select(project_files.c.path, contents.c.functions_count)
        .join(contents, contents.c.id == project_files.c.content_id)
        .where(project_files.c.project_id == project_id, project_files.c.branch == branch)
    )
    return {row.path: row.functions_count for row in session.execute(statement)}


def keys_of(session: Session, content_ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Return the key (hash, variant) of contents by their id."""
    statement = sa.select(contents.c.id, contents.c.sha256, contents.c.variant)
    rows = session.execute(_by_ids(session, statement), _ids(content_ids))
    return {row.id: (row.sha256, row.variant) for row in rows}


def reports_of(session: Session, content_ids: Sequence[int]) -> dict[int, bytes]:
    """Return the packed reports of contents by their id."""
    rows = session.execute(_by_ids(session, sa.select(contents.c.id, contents.c.report)), _ids(content_ids))
    return {row.id: row.report for row in rows}


def blocks(session: Session, project_id: str, branch: str) -> Iterator[Blocks]:
    """Yield the shingles of a project's files, by path, for those whose content has some."""
    statement = (
        sa.select(project_files.c.path, project_files.c.content_id, contents.c.shingles)
        .join(contents, contents.c.id == project_files.c.content_id)
        .where(
            project_files.c.project_id == project_id,
            project_files.c.branch == branch,
            contents.c.shingles.is_not(None),
        )
        .order_by(project_files.c.path)
    )
    for row in session.execute(statement):
        yield Blocks(*row)


def mark_seen(
    session: Session, project_id: str, branch: str, paths: Iterable[str], analysis_id: str, now: datetime
) -> None:
    """Note that an analysis saw files as they are on record."""
    source = (
        "SELECT value FROM json_each(:paths)"
        if session.dialect.name == "sqlite"
        else "SELECT value FROM jsonb_array_elements_text(CAST(:paths AS jsonb))"
    )
    statement = (
        sa.update(project_files)
        .where(
            project_files.c.project_id == project_id,
            project_files.c.branch == branch,
            project_files.c.path.in_(sa.text(source)),
        )
        .values(analysis_id=analysis_id, seen_at=now)
    )
    session.execute(statement, {"paths": orjson.dumps(list(paths)).decode()})


def same_before(session: Session, analysis_id: str) -> str | None:
    """Return the latest analysis that was asked for the same, if no file was recorded differently since.

    What is asked: project, branch, path and options. Call it when every file is known to be unchanged.
    """
    this = session.execute(sa.select(analyses).where(analyses.c.id == analysis_id)).one()
    newest = (
        sa.select(sa.func.max(project_files.c.analysis_id))
        .where(project_files.c.project_id == this.project_id, project_files.c.branch == this.branch)
        .scalar_subquery()
    )
    statement = (
        sa.select(analyses.c.id, analyses.c.options)
        .where(
            analyses.c.project_id == this.project_id,
            analyses.c.branch == this.branch,
            analyses.c.path == this.path,
            analyses.c.status == "completed",
            analyses.c.diff_base.is_(None),
            analyses.c.result_id >= newest,
        )
        .order_by(analyses.c.created_at.desc())
        .limit(5)
    )
    wanted = _asked(this.options)
    return next((row.id for row in session.execute(statement) if _asked(row.options) == wanted), None)


def _asked(options: dict[str, Any]) -> tuple[Any, ...]:
    return options.get("analyzers"), options.get("exclude_patterns"), options.get("places")


def _by_ids(session: Session, statement: sa.Select[Any]) -> sa.Select[Any]:
    source = (
        "SELECT value FROM json_each(:ids)"
        if session.dialect.name == "sqlite"
        else "SELECT CAST(value AS bigint) FROM jsonb_array_elements_text(CAST(:ids AS jsonb))"
    )
    return statement.where(contents.c.id.in_(sa.text(source)))


def _ids(content_ids: Sequence[int]) -> dict[str, str]:
    return {"ids": orjson.dumps(list(content_ids)).decode()}


def source_of(
    session: Session, project_id: str, branch: str, path: str, *, until: str | None = None
) -> tuple[str, str] | None:
    """Return the root that a file was last read beneath and the hash of its content then, if it is on record.

    With `until` (an analysis's id) None also when a later analysis has recorded the file since.
    """
    statement = (
        sa.select(contents.c.sha256, analyses.c.options)
        .select_from(project_files)
        .join(contents, contents.c.id == project_files.c.content_id)
        .join(analyses, analyses.c.id == project_files.c.analysis_id)
        .where(
            project_files.c.project_id == project_id,
            project_files.c.branch == branch,
            project_files.c.path == path,
            *([] if until is None else [project_files.c.analysis_id <= until]),
        )
    )
    row = session.execute(statement).first()
    root = None if row is None else row.options.get("root")
    return None if row is None or root is None else (root, row.sha256)
