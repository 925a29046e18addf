"""The list of alerts: filters, order, pages by key or offset, a capped count, and what they add up to."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain.errors import Invalid, NotFound
from hefesto_api.domain.finding import Severity
from hefesto_api.storage.alerts import alerts
from hefesto_api.storage.base import Session, Text, UtcDateTime, wire
from hefesto_api.storage.projects import projects

EXACT_TO = 10_000
_a = alerts.c
_RANKS = {severity.value: severity.rank for severity in Severity}
SORTS: dict[str, tuple[sa.Column[Any], ...]] = {
    "last_seen": (_a.last_seen, _a.id),
    "first_seen": (_a.first_seen, _a.id),
    "severity": (_a.severity_rank, _a.last_seen, _a.id),
    "occurrence_count": (_a.occurrence_count, _a.id),
}


class Filter(Struct, frozen=True):
    """Which alerts are wanted; None (or nothing) asks for any.

    `project_ids` are those the caller may see and asks for. `q` is looked for in title, message, error type
    and service. `start` and `end` are inclusive and compare with `last_seen`.
    """

    project_ids: tuple[str, ...] | None = None
    status: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    source: str | None = None
    service_name: str | None = None
    environment: str | None = None
    alert_id: str | None = None
    fingerprint: str | None = None
    in_maintenance: bool | None = None
    q: str | None = None
    start: datetime | None = None
    end: datetime | None = None


class ListedAlert(Struct, frozen=True):
    """One item of the list as it goes over the wire; times are text, `project` is a slug."""

    id: str
    alert_id: str
    source: str
    project: str
    service_name: str | None
    environment: str | None
    error_type: str | None
    title: str
    message: str
    severity: str
    status: str
    fingerprint: str
    occurrence_count: int
    first_seen: str
    last_seen: str
    affected_users: int | None
    correlation_id: str | None
    acknowledged_at: str | None
    acknowledged_by: str | None
    resolved_at: str | None
    comment: str | None
    in_maintenance: bool
    metadata: dict[str, Any]


def page(
    session: Session,
    wanted: Filter,
    *,
    limit: int,
    offset: int = 0,
    after: tuple[Any, ...] | None = None,
    sort: str = "last_seen",
    descending: bool = True,
) -> tuple[list[ListedAlert], tuple[Any, ...] | None]:
    """Return a page, and the key to go on after (None: the list ends here).

    `after` is the key of the page before. Raises Invalid for a key that is none.
    """
    values = _values(wanted) | {"limit": limit + 1, "offset": offset}
    if after is not None:
        values |= _key_values(after, sort)
    statement = _page(_asked(wanted), sort, descending, after is not None)
    rows = session.execute(statement, values).fetchall()
    items = [ListedAlert(*row) for row in rows[:limit]]
    return items, _key(items[-1], sort) if len(rows) > limit else None


def count(session: Session, wanted: Filter, *, exact_to: int = EXACT_TO) -> tuple[int, bool]:
    """Count alerts up to a cap; tell whether the count is exact."""
    values = _values(wanted) | {"most": exact_to + 1}
    found = session.execute(_count(_asked(wanted)), values).scalar_one()
    return (found, True) if found <= exact_to else (exact_to, False)


def one(session: Session, alert_id: str) -> ListedAlert:
    """Return an alert by our id as the list shows it; raises NotFound."""
    row = session.execute(_ONE, {"id": alert_id}).first()
    if row is None:
        raise NotFound("alert", alert_id)
    return ListedAlert(*row)


def conditions(wanted: Filter) -> tuple[list[sa.ColumnElement[bool]], dict[str, Any]]:
    """Return the conditions of a filter, and the values that they are executed with."""
    return _conditions(_asked(wanted)), _values(wanted)


def _asked(wanted: Filter) -> frozenset[str]:
    names = {name for name, value in structs.asdict(wanted).items() if value not in (None, ())}
    if wanted.project_ids == ():
        names.add("project_ids")  # none may be seen: not the same as any
    return frozenset(names)


def _values(wanted: Filter) -> dict[str, Any]:
    values = {name: value for name, value in structs.asdict(wanted).items() if value not in (None, ())}
    if wanted.project_ids == ():
        values["project_ids"] = ()
    if wanted.q is not None:
        escaped = wanted.q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values["q"] = f"%{escaped}%"
    return values


def _key(item: ListedAlert, sort: str) -> tuple[Any, ...]:
    if sort == "severity":
        return _RANKS[item.severity], item.last_seen, item.id
    return getattr(item, sort), item.id


def _key_values(after: tuple[Any, ...], sort: str) -> dict[str, Any]:
    columns = SORTS[sort]
    if len(after) != len(columns):
        raise _no_key()
    pairs = enumerate(zip(after, columns, strict=True))
    return {f"after_{number}": _key_value(value, column) for number, (value, column) in pairs}


def _key_value(value: Any, column: sa.Column[Any]) -> Any:
    is_moment = isinstance(column.type, UtcDateTime)
    if is_moment and isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    kind = datetime if is_moment else column.type.python_type
    if not isinstance(value, kind) or (isinstance(value, datetime) and value.tzinfo is None):
        raise _no_key()
    return value


def _no_key() -> Invalid:
    return Invalid("cursor", "this is no cursor of this list and order")


_CONDITIONS: dict[str, sa.ColumnElement[bool]] = {
    "project_ids": _a.project_id.in_(sa.bindparam("project_ids", expanding=True)),
    "status": _a.status.in_(sa.bindparam("status", expanding=True)),
    "severity": _a.severity.in_(sa.bindparam("severity", expanding=True)),
    "source": _a.source == sa.bindparam("source"),
    "service_name": _a.service_name == sa.bindparam("service_name"),
    "environment": _a.environment == sa.bindparam("environment"),
    "alert_id": _a.alert_id == sa.bindparam("alert_id"),
    "fingerprint": _a.fingerprint == sa.bindparam("fingerprint"),
    "in_maintenance": _a.maintenance_id.is_not(None) == sa.bindparam("in_maintenance", type_=sa.Boolean),
    "q": sa.or_(
        *(
            column.ilike(sa.bindparam("q", type_=Text), escape="\\")
            for column in (_a.title, _a.message, _a.error_type, _a.service_name)
        )
    ),
    "start": _a.last_seen >= sa.bindparam("start", type_=_a.last_seen.type),
    "end": _a.last_seen <= sa.bindparam("end", type_=_a.last_seen.type),
}


def _conditions(asked: frozenset[str]) -> list[sa.ColumnElement[bool]]:
    return [_CONDITIONS[name] for name in sorted(asked)]


@lru_cache(maxsize=256)
def _count(asked: frozenset[str]) -> sa.Select[Any]:
    some: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(alerts).where(*_conditions(asked))
    return sa.select(sa.func.count()).select_from(some.limit(sa.bindparam("most")).subquery())


@lru_cache(maxsize=256)
def _page(asked: frozenset[str], sort: str, descending: bool, keyed: bool) -> sa.Select[Any]:
    order = SORTS[sort]
    statement = _items().where(*_conditions(asked))
    if keyed:
        given = sa.tuple_(*(sa.bindparam(f"after_{n}", type_=one.type) for n, one in enumerate(order)))
        here = sa.tuple_(*order)
        statement = statement.where(here < given if descending else here > given)
    statement = statement.order_by(*(column.desc() if descending else column.asc() for column in order))
    return statement.limit(sa.bindparam("limit")).offset(sa.bindparam("offset"))


def _items() -> sa.Select[Any]:
    told: dict[str, sa.Label[Any]] = {name: wire(_a[name]).label(f"{name}_text") for name in _MOMENTS}
    told["project"] = projects.c.slug.label("project")
    told["in_maintenance"] = _a.maintenance_id.is_not(None).label("in_maintenance")
    names = ListedAlert.__struct_fields__
    columns = [told[name] if name in told else _a[name] for name in names]
    return sa.select(*columns).select_from(alerts).join(projects, projects.c.id == _a.project_id)


_MOMENTS = ("first_seen", "last_seen", "acknowledged_at", "resolved_at")
_ONE = _items().where(_a.id == sa.bindparam("id"))
