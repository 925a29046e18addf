"""One blob a project: which few files have a word, as of the analysis that it was made after."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

import sqlalchemy as sa

from hefesto_api.domain import clock
from hefesto_api.storage.analyses import ACTIVE, analyses
from hefesto_api.storage.base import Blob, Session, Text, UtcDateTime, metadata, upsert
from hefesto_api.storage.contents import contents, project_files
from hefesto_api.storage.projects import projects

code_words = sa.Table(
    "code_words",
    metadata,
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("state", Text, nullable=False),  # of the files: a hash of their paths and contents
    sa.Column("analysed_at", UtcDateTime, nullable=False),  # the analysis it was made after, created then
    sa.Column("made_at", UtcDateTime, nullable=False),
    sa.Column("words", Blob),  # the last, so that the others are read without it; None: there is no index
)


class Analysed(NamedTuple):
    """The files of a project as they are on record, and when the latest analysis of them was created.

    `state` is another text for other files or contents.
    """

    at: datetime
    paths: list[str]
    state: str


def analysed(session: Session, project_id: str) -> Analysed | None:
    """Return the files that analyses of a project left; None before the first, and while one goes on."""
    if session.execute(_ACTIVE, {"project": project_id}).first() is not None:
        return None
    at = session.execute(_LATEST, {"project": project_id}).scalar()
    if at is None:
        return None
    rows = session.execute(_FILES, {"project": project_id}).all()
    digest = sha256()
    for path, content in rows:
        digest.update(f"{path}\0{content}\n".encode())
    return Analysed(at, list(dict.fromkeys(path for path, _ in rows)), digest.hexdigest())


def state(session: Session, project_id: str) -> str | None:
    """Return the state of the files that a project's index was made of, even if it came to none."""
    found: str | None = session.execute(_STATE, {"project": project_id}).scalar()
    return found


def words(session: Session, project_id: str, made_of: str) -> bytes | None:
    """Return the index that was made of a state of a project's files."""
    found: bytes | None = session.execute(_WORDS, {"project": project_id, "state": made_of}).scalar()
    return found


def keep(session: Session, project_id: str, made_of: str, analysed_at: datetime, made: bytes | None) -> None:
    """Put an index (None: there is none) in the place of a project's former one."""
    row = {
        "project_id": project_id, "state": made_of, "analysed_at": analysed_at, "made_at": clock.now(),
        "words": made,
    }  # fmt: skip
    session.execute(_keep(session.dialect.name), row)


def confirm(session: Session, project_id: str, analysed_at: datetime) -> None:
    """Note that a later analysis found the files as the index has them."""
    session.execute(_CONFIRM, {"project": project_id, "at": analysed_at})


def outdated(session: Session) -> list[str]:
    """Return the ids of the projects that were analysed since their index was made."""
    return list(session.execute(_OUTDATED).scalars())


@cache
def _keep(dialect: str) -> Any:
    insert = upsert(dialect, code_words)
    changed = {one.name: insert.excluded[one.name] for one in code_words.c if not one.primary_key}
    return insert.on_conflict_do_update(index_elements=["project_id"], set_=changed)


_c, _a = code_words.c, analyses.c
_PROJECT = sa.bindparam("project", type_=Text)
# What is imported are findings alone: the files stay as they are.
_LOOKED = sa.and_(_a.status == "completed", _a.kind != "import")
# Those that are jobs: what else dies at work stays active for ever.
_ACTIVE = (
    sa.select(sa.literal(1))
    .where(_a.project_id == _PROJECT, _a.status.in_(ACTIVE), _a.kind.not_in(["import", "cli"]))
    .limit(1)
)
_LATEST = (
    sa.select(_a.created_at).where(_a.project_id == _PROJECT, _LOOKED).order_by(_a.created_at.desc()).limit(1)
)
_FILES = (
    sa.select(project_files.c.path, contents.c.sha256)
    .join(contents, contents.c.id == project_files.c.content_id)
    .where(project_files.c.project_id == _PROJECT)
    .order_by(project_files.c.path, contents.c.sha256)
)
_STATE = sa.select(_c.state).where(_c.project_id == _PROJECT)
_WORDS = sa.select(_c.words).where(_c.project_id == _PROJECT, _c.state == sa.bindparam("state", type_=Text))
_CONFIRM = (
    sa.update(code_words)
    .where(_c.project_id == _PROJECT)
    .values(analysed_at=sa.bindparam("at", type_=UtcDateTime))
)
IS_OUTDATED = (
    sa.exists(sa.literal(1))
    .where(_a.project_id == _c.project_id, _a.created_at > _c.analysed_at, _LOOKED)
    .correlate(code_words)
)
"""Of a row of `code_words`: its project was analysed again since."""
_ANALYSED = sa.exists(sa.literal(1)).where(_a.project_id == projects.c.id, _LOOKED).correlate(projects)
_OUTDATED = (
    sa.select(projects.c.id)
    .select_from(projects.outerjoin(code_words, _c.project_id == projects.c.id))
    .where(sa.or_(sa.and_(_c.project_id.is_(None), _ANALYSED), IS_OUTDATED))
    .order_by(projects.c.id)
)
