"""The items of the list in their wire form: as rows, or written by SQLite into one text."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.storage import finding_pages
from hefesto_api.storage.base import Text, wire
from hefesto_api.storage.finding_filters import PLACES, conditions
from hefesto_api.storage.finding_pages import Shape
from hefesto_api.storage.findings import findings
from hefesto_api.storage.projects import projects

_f = findings.c
BETWEEN = b"\x1e"  # between items, none of which holds it: JSON escapes it


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


@lru_cache(maxsize=256)
def rows(asked: frozenset[str], shape: Shape) -> sa.Select[Any]:
    """Return the statement of a page's rows, built once for each combination of filters that is asked for."""
    page = _keys(asked, shape)
    order = [page.c[column.name] for column in finding_pages.ORDERS[shape.sort]]
    return (
        sa.select(*_columns(projects.c.slug))
        .select_from(page)
        .join(findings, _f.id == page.c.id)
        .join(projects, projects.c.id == _f.project_id)
        .order_by(*finding_pages.directed(order, shape.descending))
    )


@lru_cache(maxsize=256)
def text(asked: frozenset[str], shape: Shape) -> sa.Select[Any]:
    """Return the same for SQLite, which puts the items into one text, and tells their number.

    Rows are looked up by SQLite's own number of them, one by one in the order of the page.
    """
    number: sa.ColumnElement[int] = sa.literal_column("findings.rowid", sa.BigInteger)
    page = _keys(asked, shape, number.label("number"))
    names: Any = (sa.literal_column(f"'{name}'") for name in ListedFinding.__struct_fields__)
    members = chain.from_iterable(zip(names, _columns(_slug(shape)), strict=True))
    item = sa.select(sa.func.json_object(*members)).where(number == page.c.number).scalar_subquery()
    joined = sa.func.group_concat(item, sa.literal_column(f"char({BETWEEN[0]})"))
    columns: list[Any] = [sa.cast(joined, sa.LargeBinary), sa.func.count()]
    return sa.select(*columns).select_from(page)


def _slug(shape: Shape) -> sa.ColumnElement[str]:
    """Return a finding's project: looked up once where all are of the same."""
    same = sa.bindparam("project_no_0", type_=Text) if shape.projects == 1 else _f.project_id
    return sa.select(projects.c.slug).where(projects.c.id == same).scalar_subquery()


def _keys(asked: frozenset[str], shape: Shape, *more: sa.ColumnElement[Any]) -> sa.Subquery:
    return finding_pages.keys(shape, conditions(asked - PLACES, in_passing=not shape.by_file), *more)


def _columns(slug: sa.ColumnElement[str]) -> list[Any]:
    computed = {
        "timestamp": wire(_f.last_seen).label("timestamp"),
        "project": slug.label("project"),
        "first_seen": wire(_f.first_seen).label("first_seen_text"),
        "last_seen": wire(_f.last_seen).label("last_seen_text"),
    }
    names = ListedFinding.__struct_fields__
    return [computed[name] if name in computed else _f[name] for name in names]
