"""Alert sources: who may send what to which project, and the secret that shows it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain import clock
from hefesto_api.domain.errors import NotFound
from hefesto_api.storage.base import Session, Text, UtcDateTime, metadata
from hefesto_api.storage.sealed import SealedText

PURPOSE = "alert source"

alert_sources = sa.Table(
    "alert_sources",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("source", Text, nullable=False),
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    sa.Column("secret", SealedText(PURPOSE, row="id"), nullable=False),
    sa.Column("kind", Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("source", "project_id"),
    sa.Index(None, "project_id"),
)
_s = alert_sources.c


class SourceRecord(Struct, frozen=True):
    """A row of `alert_sources`; `kind` is what the secret is called: secret or token.

    `secret` is sealed for the row's id; the first versions stored it as it was, until a start seals it.
    """

    id: str
    source: str
    project_id: str
    secret: str
    kind: str
    created_at: datetime
    updated_at: datetime

    def __repr__(self) -> str:
        return f"SourceRecord({self.id!r}, {self.source!r}, {self.project_id!r})"


_BY_ID = sa.select(alert_sources).where(_s.id == sa.bindparam("id"))
_OF_KIND = sa.select(alert_sources).where(_s.source == sa.bindparam("source")).order_by(_s.id)


def create(
    session: Session, source: str, project_id: str, secret: str, kind: str, *, source_id: str
) -> SourceRecord:
    """Insert a source whose secret is sealed for its id; raises Conflict when the project has such a one."""
    now = clock.now()
    made = SourceRecord(source_id, source, project_id, secret, kind, now, now)
    session.execute(sa.insert(alert_sources), structs.asdict(made))
    return made


def get(session: Session, source_id: str) -> SourceRecord:
    """Return a source; raises NotFound."""
    row = session.execute(_BY_ID, {"id": source_id}).first()
    if row is None:
        raise NotFound("alert_source", source_id)
    return SourceRecord(*row)


def of_kind(session: Session, source: str) -> list[SourceRecord]:
    """Return the sources of a tool, the oldest first."""
    return [SourceRecord(*row) for row in session.execute(_OF_KIND, {"source": source})]


def page(
    session: Session,
    *,
    project_ids: Collection[str] | None,
    source: str | None = None,
    limit: int = 50,
    offset: int = 0,
    after: str | None = None,
) -> tuple[list[SourceRecord], int]:
    """Return a page of the sources of some projects (None: of all), and how many there are."""
    wanted: list[sa.ColumnElement[bool]] = []
    if project_ids is not None:
        wanted.append(_s.project_id.in_(list(project_ids)))
    if source is not None:
        wanted.append(_s.source == source)
    behind = [] if after is None else [_s.id > after]
    statement = sa.select(alert_sources).where(*wanted, *behind).order_by(_s.id).limit(limit).offset(offset)
    total = session.execute(sa.select(sa.func.count()).select_from(alert_sources).where(*wanted)).scalar_one()
    return [SourceRecord(*row) for row in session.execute(statement)], total


def change(session: Session, source_id: str, **fields: Any) -> SourceRecord:
    """Set columns of a source; raises NotFound."""
    session.execute(
        sa.update(alert_sources).where(_s.id == source_id).values(**fields, updated_at=clock.now())
    )
    return get(session, source_id)


def delete(session: Session, source_id: str) -> None:
    """Delete a source; raises NotFound."""
    if session.execute(sa.delete(alert_sources).where(_s.id == source_id)).rowcount != 1:
        raise NotFound("alert_source", source_id)
