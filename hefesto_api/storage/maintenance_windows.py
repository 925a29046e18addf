"""Maintenance windows: times in which alerts are recorded and marked, and not announced."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain.errors import NotFound
from hefesto_api.storage import hot
from hefesto_api.storage.base import Session, Text, UtcDateTime, metadata

maintenance_windows = sa.Table(
    "maintenance_windows",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE")),  # NULL: every project
    sa.Column("service_name", Text),
    sa.Column("environment", Text),
    sa.Column("starts_at", UtcDateTime, nullable=False),
    sa.Column("ends_at", UtcDateTime, nullable=False),
    sa.Column("comment", Text),
    sa.Column("created_by", Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Index(None, "ends_at"),
    sa.Index(None, "project_id"),
)
_w = maintenance_windows.c


class MaintenanceWindow(Struct, frozen=True):
    """A row of `maintenance_windows`; what is None narrows nothing down."""

    id: str
    project_id: str | None
    service_name: str | None
    environment: str | None
    starts_at: datetime
    ends_at: datetime
    comment: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime


def add(session: Session, window: MaintenanceWindow) -> None:
    """Keep a new window."""
    session.execute(_ADD, structs.asdict(window))


def get(session: Session, window_id: str) -> MaintenanceWindow:
    """Return a window; raises NotFound."""
    row = session.execute(_BY_ID, {"id": window_id}).first()
    if row is None:
        raise NotFound("maintenance_window", window_id)
    return MaintenanceWindow(*row)


def change(session: Session, window_id: str, **fields: Any) -> None:
    """Change columns of a window."""
    session.execute(sa.update(maintenance_windows).where(_w.id == window_id).values(**fields))


def remove(session: Session, window_id: str) -> None:
    """Delete a window."""
    session.execute(sa.delete(maintenance_windows).where(_w.id == window_id))


def page(
    session: Session,
    project_ids: Sequence[str] | None,
    *,
    active_at: datetime | None,
    limit: int,
    offset: int,
) -> tuple[list[MaintenanceWindow], int]:
    """Return windows, what begins last first, and how many there are; `project_ids` None: all.

    `active_at` asks for those that are on at a moment.
    """
    wanted: list[sa.ColumnElement[bool]] = []
    if project_ids is not None:
        wanted.append(_w.project_id.in_(project_ids))
    if active_at is not None:
        wanted += [_w.starts_at <= active_at, _w.ends_at > active_at]
    chosen = sa.select(maintenance_windows).where(*wanted)
    total = session.execute(sa.select(sa.func.count()).select_from(chosen.subquery())).scalar_one()
    ordered = chosen.order_by(_w.starts_at.desc(), _w.id.desc()).limit(limit).offset(offset)
    return [MaintenanceWindow(*row) for row in session.execute(ordered)], total


def covering(
    session: Session, project_id: str, service_name: str | None, environment: str | None, moment: datetime
) -> str | None:
    """Return the id of a window that an alert falls into at a moment, the one that ends last."""
    asked = {
        "project": project_id, "service": service_name, "environment": environment, "moment": moment,
    }  # fmt: skip
    found = hot.fetch(session, _COVERING, asked)
    return found[0][0] if found else None


def _fits(column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    return sa.or_(column.is_(None), column == sa.bindparam(name, type_=Text))


_ADD = sa.insert(maintenance_windows)
_BY_ID = sa.select(maintenance_windows).where(_w.id == sa.bindparam("id"))
_MOMENT = sa.bindparam("moment", type_=UtcDateTime)
_COVERING = (
    sa.select(_w.id)
    .where(
        _w.starts_at <= _MOMENT,
        _w.ends_at > _MOMENT,
        _fits(_w.project_id, "project"),
        _fits(_w.service_name, "service"),
        _fits(_w.environment, "environment"),
    )
    .order_by(_w.ends_at.desc())
    .limit(1)
)
