"""The list of findings: filters, order, pages by key or offset, a capped count; rows in their wire form."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import orjson
import sqlalchemy as sa

from hefesto_api.domain import decoding
from hefesto_api.domain.errors import Invalid
from hefesto_api.storage import finding_filters, finding_items, finding_pages, hot, measures
from hefesto_api.storage.base import Session
from hefesto_api.storage.finding_filters import CONDITIONS, PLACES, RANKS, Filter, conditions
from hefesto_api.storage.finding_items import BETWEEN, ListedFinding
from hefesto_api.storage.finding_pages import Shape
from hefesto_api.storage.findings import findings

__all__ = ["Filter", "ListedFinding"]
EXACT_TO = 10_000
_f = findings.c
_listed = decoding.of_builtins(ListedFinding)


class WrittenPage(NamedTuple):
    """A page as a JSON list of `many` items, and the key after which the next one starts, if there is one.

    `counted` is what `count` says, where it had to be known for the page already.
    """

    json: bytes
    many: int
    next_key: tuple[Any, ...] | None
    counted: tuple[int, bool] | None = None


SORTS = finding_pages.ORDERS
_MOMENTS = {_f.last_seen, _f.first_seen}
# Members of a filter that the rollup tells apart.
_ROLLED_UP = PLACES | {"analyzer", "rule_id"}
_READ = {"q", "cwe"}  # what only the rows tell
_NARROW = {"project_ids", "file_path", "folder", "rule_id"}
_EXPANDING = {"analyzer"}
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
    asked, shape, values, _ = _asked(session, wanted, limit, offset, after, sort, descending)
    rows = _fetch(session, finding_items.rows(asked, shape), values, asked)
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
    asked, shape, values, counted = _asked(session, wanted, limit, offset, after, sort, descending)
    text, found = _fetch(session, finding_items.text(asked, shape), values, asked)[0]
    if found <= limit:
        return WrittenPage(_joined(text or b""), found, None, counted)
    text = text[: text.rindex(BETWEEN)]
    last = orjson.loads(text[text.rfind(BETWEEN) + 1 :])
    return WrittenPage(_joined(text), limit, _key(_listed(last), sort), counted)


def _joined(text: bytes) -> bytes:
    return b"[" + text.replace(BETWEEN, b",") + b"]"


def count(session: Session, wanted: Filter, *, exact_to: int = EXACT_TO) -> tuple[int, bool]:
    """Count findings, from the rollup or up to a cap; tell whether the count is exact."""
    asked = finding_filters.asked(wanted)
    if asked <= _ROLLED_UP:
        return _rolled_up(session, wanted, by_severity=bool(asked & {"severity", "min_rank"})), True
    found = _counted(session, wanted, exact_to + 1)
    return (found, True) if found <= exact_to else (exact_to, False)


def _counted(session: Session, wanted: Filter, most: int) -> int:
    """Count findings one by one, to `most`."""
    asked = finding_filters.asked(wanted)
    statement = _count(asked, in_sequence=_is_scanned(session, asked))
    found: int = session.execute(statement, finding_filters.values(wanted) | {"limit": most}).scalar_one()
    return found


def _is_scanned(session: Session, asked: frozenset[str]) -> bool:
    """Tell whether no index of SQLite's helps to find what is asked for."""
    return session.dialect.name == "sqlite" and bool(asked & _READ) and not asked & _NARROW


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
) -> tuple[frozenset[str], Shape, dict[str, Any], tuple[int, bool] | None]:
    """Return what a page's statement depends on, the values that it is executed with, and the count.

    That is known where it decides how to look: where many stand, a page is full soon; where few do, the
    walk in order may lead past all rows.
    """
    values = finding_filters.values(wanted) | finding_filters.places(wanted)
    values |= {"limit": limit + 1, "offset": offset, "most": limit + 1 + offset}
    if after is not None:
        values |= _key_values(after, sort)
    asked = finding_filters.asked(wanted)
    counted = count(session, wanted) if _is_scanned(session, asked) else None
    shape = Shape(
        sort=sort,
        descending=descending,
        keyed=after is not None,
        projects=None if wanted.project_ids is None else len(wanted.project_ids),
        statuses=len(finding_filters.statuses(wanted)),
        ranks=len(finding_filters.ranks(wanted)),
        by_file=wanted.file_path is not None and _is_small(session, wanted, values),
        scanned=counted is not None and counted[1],
        bounded=session.dialect.name == "postgresql",
    )
    return asked, shape, values, counted


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
def _count(asked: frozenset[str], *, in_sequence: bool) -> sa.Select[Any]:
    some: sa.Select[Any] = (
        sa.select(sa.literal_column("1"))
        .select_from(findings)
        .where(*conditions(asked, in_passing=in_sequence))
    )
    return sa.select(sa.func.count()).select_from(some.limit(finding_pages.number("limit")).subquery())
