"""The list of findings: filters, order, pages by key or offset, a capped count; rows in their wire form."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import msgspec
import orjson
import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain.errors import Invalid
from hefesto_api.storage import finding_filters, finding_pages, hot, measures
from hefesto_api.storage.base import Session, wire
from hefesto_api.storage.finding_filters import CONDITIONS, PLACES, RANKS, Filter, conditions
from hefesto_api.storage.finding_pages import Shape
from hefesto_api.storage.findings import findings
from hefesto_api.storage.projects import projects

__all__ = ["Filter"]
EXACT_TO = 10_000
_f = findings.c


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


class WrittenPage(NamedTuple):
    """A page as a JSON list of `many` items, and the key after which the next one starts, if there is one."""

    json: bytes
    many: int
    next_key: tuple[Any, ...] | None


SORTS = finding_pages.ORDERS
_MOMENTS = {_f.last_seen, _f.first_seen}
# Members of a filter that the rollup tells apart.
_ROLLED_UP = PLACES | {"analyzer", "rule_id"}
_EXPANDING = {"analyzer"}
FEW = 2_000
_BETWEEN = "\x1e"  # between items, none of which holds it: JSON escapes it


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
    asked, shape, values = _asked(session, wanted, limit, offset, after, sort, descending)
    rows = _fetch(session, _page(asked, shape), values, asked)
    items = [ListedFinding(*row) for row in rows[:limit]]
    return items, _key(items[-1], sort) if len(rows) > limit else None


def written(
    session: Session,
    wanted: Filter,
    *,
    limit: int,
    offset: int = 0,
    after: tuple[Any, ...] | None = None,
    sort: str = "last_seen",
    descending: bool = True,
) -> WrittenPage:
    """Return a page as `page` does, in its wire form.

    SQLite writes it: its driver lets other threads in at every row that it hands over, and then waits for
    its turn, so that fifty rows took as long again as reading them.
    """
    if session.dialect.name != "sqlite":
        items, key = page(
            session, wanted, limit=limit, offset=offset, after=after, sort=sort, descending=descending
        )
        return WrittenPage(msgspec.json.encode(items), len(items), key)
    asked, shape, values = _asked(session, wanted, limit, offset, after, sort, descending)
    text: str = _fetch(session, _text(asked, shape), values, asked)[0][0] or ""
    count = text.count(_BETWEEN) + 1 if text else 0
    if count <= limit:
        return WrittenPage(_joined(text), count, None)
    text = text[: text.rindex(_BETWEEN)]
    last = orjson.loads(text[text.rfind(_BETWEEN) + 1 :])
    return WrittenPage(_joined(text), limit, _key(msgspec.convert(last, ListedFinding), sort))


def _joined(text: str) -> bytes:
    return b"[" + text.replace(_BETWEEN, ",").encode() + b"]"


def count(session: Session, wanted: Filter, *, exact_to: int = EXACT_TO) -> tuple[int, bool]:
    """Count findings, from the rollup or up to a cap; tell whether the count is exact."""
    asked = finding_filters.asked(wanted)
    if asked <= _ROLLED_UP:
        return _rolled_up(session, wanted, by_severity=bool(asked & {"severity", "min_rank"})), True
    values = finding_filters.values(wanted) | {"limit": exact_to + 1}
    found = session.execute(_count(asked), values).scalar_one()
    return (found, True) if found <= exact_to else (exact_to, False)


def _rolled_up(session: Session, wanted: Filter, *, by_severity: bool) -> int:
    ranks = finding_filters.ranks(wanted)
    return measures.count(
        session,
        wanted.project_ids,
        status=wanted.status,
        severity=[name for name, rank in RANKS.items() if rank in ranks] if by_severity else None,
        analyzer=wanted.analyzer,
        rule_id=wanted.rule_id,
    )


def clauses(wanted: Filter) -> tuple[list[sa.ColumnElement[bool]], dict[str, Any]]:
    """Return the conditions of a filter, and the values that they are executed with."""
    return conditions(finding_filters.asked(wanted)), finding_filters.values(wanted)


def ids(session: Session, wanted: Filter, *, limit: int) -> list[str]:
    """Return the ids of at most `limit` findings, the oldest first."""
    statement = (
        sa.select(_f.id).where(*conditions(finding_filters.asked(wanted))).order_by(_f.id).limit(limit)
    )
    return list(session.execute(statement, finding_filters.values(wanted)).scalars())


def _asked(
    session: Session,
    wanted: Filter,
    limit: int,
    offset: int,
    after: tuple[Any, ...] | None,
    sort: str,
    descending: bool,
) -> tuple[frozenset[str], Shape, dict[str, Any]]:
    """Return what a page's statement depends on, and the values that it is executed with."""
    values = finding_filters.values(wanted) | finding_filters.places(wanted)
    values |= {"limit": limit + 1, "offset": offset, "most": limit + 1 + offset}
    if after is not None:
        values |= _key_values(after, sort)
    shape = Shape(
        sort=sort,
        descending=descending,
        keyed=after is not None,
        projects=None if wanted.project_ids is None else len(wanted.project_ids),
        statuses=len(finding_filters.statuses(wanted)),
        ranks=len(finding_filters.ranks(wanted)),
        by_file=wanted.file_path is not None and _is_small(session, wanted, values),
        bounded=session.dialect.name == "postgresql",
    )
    return finding_filters.asked(wanted), shape, values


def _fetch(
    session: Session, statement: sa.Select[Any], values: dict[str, Any], asked: frozenset[str]
) -> list[Any]:
    if asked & _EXPANDING:
        return list(session.execute(statement, values))
    return hot.fetch(session, statement, values)


def _is_small(session: Session, wanted: Filter, values: dict[str, Any]) -> bool:
    """Tell whether the files meant have so few findings that these had better be sorted than searched."""
    projects = None if wanted.project_ids is None else len(wanted.project_ids)
    statement = _few(projects, "folder" if "folder" in values else "file_path")
    found: int = session.execute(statement, values | {"most": FEW}).scalar_one()
    return found < FEW


@lru_cache(maxsize=64)
def _few(projects: int | None, name: str) -> sa.Select[Any]:
    return finding_pages.few(projects, CONDITIONS[name])


def _key(item: ListedFinding, sort: str) -> tuple[Any, ...]:
    if sort == "severity":
        return RANKS[item.severity], item.last_seen, item.id
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


@lru_cache(maxsize=256)
def _count(asked: frozenset[str]) -> sa.Select[Any]:
    some: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(findings).where(*conditions(asked))
    return sa.select(sa.func.count()).select_from(some.limit(sa.bindparam("limit")).subquery())


@lru_cache(maxsize=256)
def _page(asked: frozenset[str], shape: Shape) -> sa.Select[Any]:
    """Build a page's statement once for each combination of filters that is asked for."""
    return _ordered(asked, shape, *_item_columns())


@lru_cache(maxsize=256)
def _text(asked: frozenset[str], shape: Shape) -> sa.Select[Any]:
    """Build the same for SQLite, which puts the items into one text."""
    names: Any = (sa.literal_column(f"'{name}'") for name in ListedFinding.__struct_fields__)
    item = sa.func.json_object(*chain.from_iterable(zip(names, _item_columns(), strict=True)))
    items = _ordered(asked, shape, item.label("item")).subquery("items")
    return sa.select(sa.func.group_concat(items.c.item, sa.literal_column(f"char({ord(_BETWEEN)})")))


def _ordered(asked: frozenset[str], shape: Shape, *columns: Any) -> sa.Select[Any]:
    rest = conditions(asked - PLACES, in_passing=not shape.by_file)
    page = finding_pages.keys(shape, rest)
    order = [page.c[column.name] for column in SORTS[shape.sort]]
    return (
        sa.select(*columns)
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
