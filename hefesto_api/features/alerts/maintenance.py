"""Maintenance windows, and what becomes of the alerts that they kept quiet when they are over."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs

from hefesto_api.domain import audit, clock, ids
from hefesto_api.domain.errors import Invalid, NotFound
from hefesto_api.storage import alerts, maintenance_windows, projects
from hefesto_api.storage.maintenance_windows import MaintenanceWindow

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from hefesto_api.features.alerts.changes import Who
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database

LONGEST = timedelta(days=366)
STAGE = 100
_MOMENTS = ("starts_at", "ends_at", "created_at", "updated_at")
FIELDS = (
    "id", "project", "service_name", "environment", "starts_at", "ends_at", "comment", "is_active",
    "created_by", "created_at", "updated_at",
)  # fmt: skip


class Listed(NamedTuple):
    """A page of windows, and how many there are."""

    items: list[dict[str, Any]]
    total: int


def listed(db: Database, query: Mapping[str, Any], allowed: Collection[str] | None) -> Listed:
    """Return a page of the windows that may be seen, what begins last first."""
    page, now = query["page"], clock.now()
    with db.read() as session:
        found, total = maintenance_windows.page(
            session,
            projects.chosen(session, query.get("project"), allowed),
            active_at=now if query.get("active") else None,
            limit=page.limit,
            offset=page.offset,
        )
        return Listed([_told(session, one, now) for one in found], total)


def read(db: Database, window_id: str, allowed: Collection[str] | None) -> dict[str, Any]:
    """Return a window that the caller may see; raises NotFound."""
    with db.read() as session:
        return _told(session, _seen(session, window_id, allowed), clock.now())


def create(db: Database, who: Who, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Make a window; who is bound to projects names one of them. Raises Invalid for times that do not fit."""
    now = clock.now()
    slug = wanted.get("project")
    if slug is None and who.allowed is not None:
        raise Invalid("project", "Name one of your projects.", "required")
    made = MaintenanceWindow(
        ids.new_id(), None, wanted.get("service_name"), wanted.get("environment"),
        wanted.get("starts_at") or now, wanted["ends_at"], wanted.get("comment") or None, who.name, now, now,
    )  # fmt: skip
    _must_be_in_order(made)
    with db.write() as session:
        if slug is not None:
            made = structs.replace(made, project_id=projects.get(session, slug).id)
        maintenance_windows.add(session, made)
        told = _told(session, made, now)
        audit.note(
            "maintenance_window.created", "maintenance_window", made.id, audit.changed({}, told), project=slug
        )
        return told


def change(db: Database, who: Who, window_id: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Change a window; raises Invalid for times that do not fit."""
    with db.write() as session:
        before = _seen(session, window_id, who.allowed)
        after = structs.replace(before, **wanted, updated_at=clock.now())
        _must_be_in_order(after)
        maintenance_windows.change(session, window_id, **wanted, updated_at=after.updated_at)
        told = _told(session, after, clock.now())
        changes = audit.changed(_told(session, before, clock.now()), told)
        audit.note(
            "maintenance_window.updated", "maintenance_window", window_id, changes, project=told["project"]
        )
        return told


def remove(db: Database, who: Who, window_id: str) -> None:
    """Delete a window: alerts are announced again from now on."""
    with db.write() as session:
        told = _told(session, _seen(session, window_id, who.allowed), clock.now())
        maintenance_windows.remove(session, window_id)
        audit.note(
            "maintenance_window.deleted", "maintenance_window", window_id, audit.changed(told, {}),
            project=told["project"],
        )  # fmt: skip


def announce_what_goes_on(db: Database, *, now: datetime | None = None) -> int:
    """Announce alerts whose window is over while their senders say that they go on; return how many."""
    moment, told = now or clock.now(), 0
    while True:
        with db.write() as session:
            due = alerts.out_of_maintenance(session, moment, limit=STAGE)
            told += sum(alerts.leave_maintenance(session, one, moment) for one in due)
        if len(due) < STAGE:
            return told


def _seen(session: Session, window_id: str, allowed: Collection[str] | None) -> MaintenanceWindow:
    found = maintenance_windows.get(session, window_id)
    if not projects.is_seen(session, found.project_id, allowed):
        raise NotFound("maintenance_window", window_id)
    return found


def _must_be_in_order(window: MaintenanceWindow) -> None:
    if window.ends_at <= window.starts_at:
        raise Invalid("ends_at", "It must end after it begins.", "range")
    if window.ends_at - window.starts_at > LONGEST:
        raise Invalid("ends_at", f"It may last {LONGEST.days} days at most.", "range")


def _told(session: Session, window: MaintenanceWindow, now: datetime) -> dict[str, Any]:
    row = structs.asdict(window)
    project_id = row.pop("project_id")
    slugs = projects.slugs(session, [project_id])
    return {
        **row,
        **{name: clock.rfc3339(row[name]) for name in _MOMENTS},
        "project": slugs.get(project_id),
        "is_active": window.starts_at <= now < window.ends_at,
    }
