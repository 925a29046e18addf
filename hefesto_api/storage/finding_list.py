"""The list of findings: filters, order, pages by key or offset, a capped count; rows in their wire form."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain.errors import Invalid
from hefesto_api.storage.base import Session, Text, json_has, wire
from hefesto_api.storage.findings import findings
from hefesto_api.storage.projects import projects

EXACT_TO = 10_000
_f = findings.c


class Filter(Struct, frozen=True):
    """Which findings are wanted; None (or nothing) asks for any.

    `project_ids` are those the caller may see and asks for. `file_path` is exact, or a prefix when it ends
    in `/`. `q` is looked for in description, path, rule and function. `start` and `end` are inclusive and
    compare with `last_seen`.
    """

    project_ids: tuple[str, ...] | None = None
    file_path: str | None = None
    analyzer: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    min_rank: int | None = None
    status: tuple[str, ...] = ()
    rule_id: str | None = None
    tool: str | None = None
    cwe: int | None = None
    q: str | None = None
    start: datetime | None = None
    end: datetime | None = None


class ListedFinding(Struct, frozen=True):
    """One item of the list as it goes over the wire; times are text, `project` is a slug."""

    id: str
    timestamp: str
    project: str
    file_path: str
    line: int
    column: int
    analyzer: str
    tool: str
    rule_id: str
    severity: str
    confidence: float
    description: str
    status: str
    first_seen: str
    last_seen: str
    occurrence_count: int
    function_name: str | None


SORTS = {
    "last_seen": _f.last_seen,
    "timestamp": _f.last_seen,
    "first_seen": _f.first_seen,
    "severity": _f.severity_rank,
    "confidence": _f.confidence,
    "file_path": _f.file_path,
    "occurrence_count": _f.occurrence_count,
}
_MOMENTS = {"last_seen", "timestamp", "first_seen"}


def page(
    session: Session,
    wanted: Filter,
    *,
    limit: int,
    offset: int = 0,
    after: tuple[Any, ...] | None = None,
    sort: str = "last_seen",
    descending: bool = True,
) -> tuple[list[ListedFinding], tuple[Any, ...] | None]:
    """Return a page, and the key after which the next one starts (None: it is the last).

    `after` is such a key: pages by it cost the same at any depth. Raises Invalid for a key that is none.
    """
    values = _values(wanted) | {"limit": limit + 1, "offset": offset}
    if after is not None:
        values |= _key_values(after, sort)
    statement = _select(_asked(wanted), sort, descending, after is not None)
    rows = session.execute(statement, values).fetchall()
    items = [ListedFinding(*row[:-1]) for row in rows[:limit]]
    following = (_plain(rows[limit - 1][-1]), items[-1].id) if len(rows) > limit else None
    return items, following


def count(session: Session, wanted: Filter, *, exact_to: int = EXACT_TO) -> tuple[int, bool]:
    """Count findings up to a cap; tell whether the count is exact."""
    values = _values(wanted) | {"limit": exact_to + 1}
    found = session.execute(_count(_asked(wanted)), values).scalar_one()
    return (found, True) if found <= exact_to else (exact_to, False)


def clauses(wanted: Filter) -> tuple[list[sa.ColumnElement[bool]], dict[str, Any]]:
    """Return the conditions of a filter, and the values that they are executed with."""
    return _conditions(_asked(wanted)), _values(wanted)


def ids(session: Session, wanted: Filter, *, limit: int) -> list[str]:
    """Return the ids of at most `limit` findings, the oldest first."""
    statement = sa.select(_f.id).where(*_conditions(_asked(wanted))).order_by(_f.id).limit(limit)
    return list(session.execute(statement, _values(wanted)).scalars())


def _asked(wanted: Filter) -> frozenset[str]:
    names = {name for name, value in structs.asdict(wanted).items() if value not in (None, ())}
    if wanted.project_ids == ():
        names.add("project_ids")  # none may be seen: not the same as any
    if wanted.file_path is not None and wanted.file_path.endswith("/"):
        names = names - {"file_path"} | {"folder"}
    return frozenset(names)


def _values(wanted: Filter) -> dict[str, Any]:
    values = {name: value for name, value in structs.asdict(wanted).items() if value is not None}
    if wanted.file_path is not None and wanted.file_path.endswith("/"):
        # A range, which an index can serve: "0" is what follows "/".
        values |= {"folder": wanted.file_path, "beyond": wanted.file_path[:-1] + "0"}
    if wanted.q is not None:
        escaped = wanted.q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values["q"] = f"%{escaped}%"
    return values


def _key_values(after: tuple[Any, ...], sort: str) -> dict[str, Any]:
    value, last_id = after if len(after) == 2 else (None, None)
    if sort in _MOMENTS and isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    kind = datetime if sort in _MOMENTS else SORTS[sort].type.python_type
    fits = isinstance(last_id, str) and isinstance(value, kind)
    if not fits or (isinstance(value, datetime) and value.tzinfo is None):
        raise Invalid("cursor", "this is no cursor of this list and order")
    return {"after_value": value, "after_id": last_id}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


_CONDITIONS: dict[str, sa.ColumnElement[bool]] = {
    "project_ids": _f.project_id.in_(sa.bindparam("project_ids", expanding=True)),
    "file_path": _f.file_path == sa.bindparam("file_path"),
    "folder": sa.and_(_f.file_path >= sa.bindparam("folder"), _f.file_path < sa.bindparam("beyond")),
    "analyzer": _f.analyzer.in_(sa.bindparam("analyzer", expanding=True)),
    "severity": _f.severity.in_(sa.bindparam("severity", expanding=True)),
    "min_rank": _f.severity_rank >= sa.bindparam("min_rank"),
    "status": _f.status.in_(sa.bindparam("status", expanding=True)),
    "rule_id": _f.rule_id == sa.bindparam("rule_id"),
    "tool": _f.tool == sa.bindparam("tool"),
    "cwe": json_has(_f.cwe, sa.bindparam("cwe", type_=sa.Integer)),
    "q": sa.or_(
        *(
            column.ilike(sa.bindparam("q", type_=Text), escape="\\")
            for column in (_f.description, _f.file_path, _f.rule_id, _f.function_name)
        )
    ),
    "start": _f.last_seen >= sa.bindparam("start", type_=_f.last_seen.type),
    "end": _f.last_seen <= sa.bindparam("end", type_=_f.last_seen.type),
}


def _conditions(asked: frozenset[str]) -> list[sa.ColumnElement[bool]]:
    return [_CONDITIONS[name] for name in sorted(asked)]


@lru_cache(maxsize=256)
def _count(asked: frozenset[str]) -> sa.Select[Any]:
    some: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(findings).where(*_conditions(asked))
    return sa.select(sa.func.count()).select_from(some.limit(sa.bindparam("limit")).subquery())


@lru_cache(maxsize=256)
def _select(asked: frozenset[str], sort: str, descending: bool, keyed: bool) -> sa.Select[Any]:
    """Build a list's statement once for each combination of filters that is asked for."""
    order = SORTS[sort]
    statement = (
        sa.select(*_item_columns(), order.label("sort_key"))
        .join(projects, projects.c.id == _f.project_id)
        .where(*_conditions(asked))
    )
    if keyed:
        after = sa.tuple_(sa.bindparam("after_value", type_=order.type), sa.bindparam("after_id", type_=Text))
        here = sa.tuple_(order, _f.id)
        statement = statement.where(here < after if descending else here > after)
    keys = [order.desc(), _f.id.desc()] if descending else [order.asc(), _f.id.asc()]
    return statement.order_by(*keys).limit(sa.bindparam("limit")).offset(sa.bindparam("offset"))


def _item_columns() -> list[Any]:
    computed = {
        "timestamp": wire(_f.last_seen).label("timestamp"),
        "project": projects.c.slug.label("project"),
        "first_seen": wire(_f.first_seen).label("first_seen_text"),
        "last_seen": wire(_f.last_seen).label("last_seen_text"),
    }
    names = ListedFinding.__struct_fields__
    return [computed[name] if name in computed else _f[name] for name in names]
