"""The list of findings: filters, order, pages by key or offset, a capped count; rows in their wire form."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain.errors import Invalid
from hefesto_api.domain.finding import Severity, Status
from hefesto_api.storage import finding_pages, measures
from hefesto_api.storage.base import Session, Text, json_has, wire
from hefesto_api.storage.finding_pages import Shape
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


SORTS = finding_pages.ORDERS
_MOMENTS = {_f.last_seen, _f.first_seen}
_RANKS = {severity.value: severity.rank for severity in Severity}
_STATUSES = tuple(status.value for status in Status)
# Members of a filter that say which ranges of an index a page is read from.
_PLACES = frozenset({"project_ids", "status", "severity", "min_rank"})
# Members of a filter that the rollup tells apart.
_ROLLED_UP = _PLACES | {"analyzer", "rule_id"}
FEW = 2_000


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
    values = (
        _values(wanted) | _places(wanted) | {"limit": limit + 1, "offset": offset, "most": limit + 1 + offset}
    )
    if after is not None:
        values |= _key_values(after, sort)
    shape = _shape(session, wanted, values, sort, descending, after is not None)
    rows = session.execute(_page(_asked(wanted), shape), values).fetchall()
    items = [ListedFinding(*row) for row in rows[:limit]]
    return items, _key(items[-1], sort) if len(rows) > limit else None


def count(session: Session, wanted: Filter, *, exact_to: int = EXACT_TO) -> tuple[int, bool]:
    """Count findings, from the rollup or up to a cap; tell whether the count is exact."""
    asked = _asked(wanted)
    if asked <= _ROLLED_UP:
        return _rolled_up(session, wanted), True
    values = _values(wanted) | {"limit": exact_to + 1}
    found = session.execute(_count(asked), values).scalar_one()
    return (found, True) if found <= exact_to else (exact_to, False)


def _rolled_up(session: Session, wanted: Filter) -> int:
    ranks = _ranks(wanted)
    return measures.count(
        session,
        wanted.project_ids,
        status=wanted.status,
        severity=[name for name, rank in _RANKS.items() if rank in ranks],
        analyzer=wanted.analyzer,
        rule_id=wanted.rule_id,
    )


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
    values["severity"] = [_RANKS.get(name, 0) for name in wanted.severity]
    if wanted.q is not None:
        escaped = wanted.q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values["q"] = f"%{escaped}%"
    return values


def _places(wanted: Filter) -> dict[str, Any]:
    """Return the projects, statuses and severities that are wanted, each value under a name of its own."""
    return {
        f"{name}_no_{number}": value
        for name, values in (("project", wanted.project_ids or ()), ("status", _statuses(wanted)))
        for number, value in enumerate(values)
    } | {f"rank_no_{number}": rank for number, rank in enumerate(_ranks(wanted))}


def _statuses(wanted: Filter) -> tuple[str, ...]:
    return tuple(dict.fromkeys(wanted.status)) or _STATUSES


def _ranks(wanted: Filter) -> list[int]:
    asked = wanted.severity or tuple(_RANKS)
    return [rank for name, rank in _RANKS.items() if name in asked and rank >= (wanted.min_rank or 0)]


def _shape(
    session: Session, wanted: Filter, values: dict[str, Any], sort: str, descending: bool, keyed: bool
) -> Shape:
    return Shape(
        sort=sort,
        descending=descending,
        keyed=keyed,
        projects=None if wanted.project_ids is None else len(wanted.project_ids),
        statuses=len(_statuses(wanted)),
        ranks=len(_ranks(wanted)),
        by_file=wanted.file_path is not None and _is_small(session, wanted, values),
        bounded=session.dialect.name == "postgresql",
    )


def _is_small(session: Session, wanted: Filter, values: dict[str, Any]) -> bool:
    """Tell whether the files meant have so few findings that these had better be sorted than searched."""
    projects = None if wanted.project_ids is None else len(wanted.project_ids)
    statement = _few(projects, "folder" if "folder" in values else "file_path")
    found: int = session.execute(statement, values | {"most": FEW}).scalar_one()
    return found < FEW


@lru_cache(maxsize=64)
def _few(projects: int | None, name: str) -> sa.Select[Any]:
    return finding_pages.few(projects, _CONDITIONS[name])


def _key(item: ListedFinding, sort: str) -> tuple[Any, ...]:
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
    if column in _MOMENTS and isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    kind = datetime if column in _MOMENTS else column.type.python_type
    if not isinstance(value, kind) or (isinstance(value, datetime) and value.tzinfo is None):
        raise _no_key()
    return value


def _no_key() -> Invalid:
    return Invalid("cursor", "this is no cursor of this list and order")


_CONDITIONS: dict[str, sa.ColumnElement[bool]] = {
    "project_ids": _f.project_id.in_(sa.bindparam("project_ids", expanding=True)),
    "file_path": _f.file_path == sa.bindparam("file_path"),
    "folder": sa.and_(_f.file_path >= sa.bindparam("folder"), _f.file_path < sa.bindparam("beyond")),
    "analyzer": _f.analyzer.in_(sa.bindparam("analyzer", expanding=True)),
    "severity": _f.severity_rank.in_(sa.bindparam("severity", expanding=True)),  # as the indexes have it
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


# The same of files, written so that no index applies: the list's own order is followed instead.
_path = _f.file_path.concat("")
_IN_PASSING = _CONDITIONS | {
    "file_path": _path == sa.bindparam("file_path", type_=Text),
    "folder": sa.and_(
        _path >= sa.bindparam("folder", type_=Text), _path < sa.bindparam("beyond", type_=Text)
    ),
}


def _passing(asked: frozenset[str]) -> list[sa.ColumnElement[bool]]:
    return [_IN_PASSING[name] for name in sorted(asked)]


def _conditions(asked: frozenset[str]) -> list[sa.ColumnElement[bool]]:
    return [_CONDITIONS[name] for name in sorted(asked)]


@lru_cache(maxsize=256)
def _count(asked: frozenset[str]) -> sa.Select[Any]:
    some: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(findings).where(*_conditions(asked))
    return sa.select(sa.func.count()).select_from(some.limit(sa.bindparam("limit")).subquery())


@lru_cache(maxsize=256)
def _page(asked: frozenset[str], shape: Shape) -> sa.Select[Any]:
    """Build a page's statement once for each combination of filters that is asked for."""
    conditions = _conditions(asked - _PLACES) if shape.by_file else _passing(asked - _PLACES)
    page = finding_pages.keys(shape, conditions)
    order = [page.c[column.name] for column in SORTS[shape.sort]]
    return (
        sa.select(*_item_columns())
        .select_from(page)
        .join(findings, _f.id == page.c.id)
        .join(projects, projects.c.id == _f.project_id)
        .order_by(*finding_pages.directed(order, shape.descending))
    )


def _item_columns() -> list[Any]:
    computed = {
        "timestamp": wire(_f.last_seen).label("timestamp"),
        "project": projects.c.slug.label("project"),
        "first_seen": wire(_f.first_seen).label("first_seen_text"),
        "last_seen": wire(_f.last_seen).label("last_seen_text"),
    }
    names = ListedFinding.__struct_fields__
    return [computed[name] if name in computed else _f[name] for name in names]
