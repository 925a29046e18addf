"""The statements of the list's pages: ordered ranges of an index, merged, so that a page costs a page.

Both indexes of the list hold `status, severity_rank, last_seen, id`, one behind the project. For each
combination of project, status and severity that is wanted there is one range of an index in the right order
already; the database merges them and stops when the page is full. `rule_id` stands at the index's end, so
that looking for one reads no rows.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.storage.findings import findings

_f = findings.c
MOST_RANGES = 100  # of the 500 that SQLite lets one statement have
ORDERS: dict[str, tuple[sa.Column[Any], ...]] = {
    "last_seen": (_f.last_seen, _f.id),
    "timestamp": (_f.last_seen, _f.id),
    "first_seen": (_f.first_seen, _f.id),
    "severity": (_f.severity_rank, _f.last_seen, _f.id),
    "confidence": (_f.confidence, _f.id),
    "file_path": (_f.file_path, _f.id),
    "occurrence_count": (_f.occurrence_count, _f.id),
}
_BY_RANGES = {"last_seen", "timestamp", "severity"}


class Shape(Struct, frozen=True):
    """What a page's statement depends on, beside its conditions.

    `projects` counts those asked for (None: any); `statuses` and `ranks` count those asked for. `by_file`
    says that the findings of the files that are meant are few enough to be sorted, `scanned` that those
    meant are few in the whole table, which is read from end to end then. `bounded` ranges end by
    themselves: PostgreSQL reads the others to their end, as it does not see that each is in order already.
    """

    sort: str
    descending: bool
    keyed: bool
    projects: int | None
    statuses: int
    ranks: int
    by_file: bool
    scanned: bool = False
    bounded: bool = False

    @property
    def ranged(self) -> bool:
        """Whether ranges of an index are merged."""
        many = (self.projects if self.projects is not None else 1) * self.statuses * self.ranks
        return self.sort in _BY_RANGES and not (self.by_file or self.scanned) and 0 < many <= MOST_RANGES


def keys(shape: Shape, conditions: list[sa.ColumnElement[bool]], *more: sa.ColumnElement[Any]) -> sa.Subquery:
    """Return the ids of a page in order, as `id` beside the other columns of the order, and more columns.

    Execute with `limit` and `offset`, `project_no_0`, `status_no_0`, `rank_no_0` and so on, and for a keyed
    one with `after_0` and so on, the values of the order's columns; for bounded ranges with `most`, the sum
    of `limit` and `offset`.
    """
    order = ORDERS[shape.sort]
    behind = [*conditions, *([_after(order, shape.descending)] if shape.keyed else [])]
    places = _ranges(shape) if shape.ranged else [_anywhere(shape)]
    selects = [sa.select(*order, *more).where(*place, *behind) for place in places]
    if shape.bounded:
        selects = [_bounded(one, order, shape.descending) for one in selects]
    merged = sa.union_all(*selects) if len(selects) > 1 else selects[0]
    ordered = merged.order_by(
        *directed([merged.selected_columns[one.name] for one in order], shape.descending)
    )
    return ordered.limit(number("limit")).offset(number("offset")).subquery("page")


def _bounded(one: sa.Select[Any], order: tuple[sa.Column[Any], ...], descending: bool) -> sa.Select[Any]:
    ended = one.order_by(*directed(list(order), descending)).limit(number("most")).subquery()
    return sa.select(*ended.c)


def number(name: str) -> sa.ColumnElement[int]:
    """Return a parameter for LIMIT and OFFSET.

    SQLite plans by the value of a plain one, and so anew at every execution, which took as long as reading
    the page: a sum it does not look into.
    """
    return sa.bindparam(name, type_=sa.Integer) + sa.literal_column("0", sa.Integer)


def directed(columns: list[Any], descending: bool) -> list[Any]:
    """Return an order in one direction."""
    return [column.desc() if descending else column.asc() for column in columns]


def _after(order: tuple[sa.Column[Any], ...], descending: bool) -> sa.ColumnElement[bool]:
    given = sa.tuple_(*(sa.bindparam(f"after_{n}", type_=one.type) for n, one in enumerate(order)))
    here = sa.tuple_(*order)
    return here < given if descending else here > given


def _ranges(shape: Shape) -> list[list[sa.ColumnElement[bool]]]:
    projects = [None] if shape.projects is None else range(shape.projects)
    found = product(projects, range(shape.statuses), range(shape.ranks))
    return [[*_of_project(p), _is("status", s), _is("rank", r, _f.severity_rank)] for p, s, r in found]


def _of_project(number: int | None) -> list[sa.ColumnElement[bool]]:
    return [] if number is None else [_is("project", number, _f.project_id)]


def _anywhere(shape: Shape) -> list[sa.ColumnElement[bool]]:
    """Return the same for a list that is gone through: by the files' index, or as the database likes."""
    # Written so that no index of the list applies: files are looked up in theirs, and what only the rows
    # tell is looked for from end to end. Row by row through an index that took four times as long.
    status, rank = (
        (_f.status.concat(""), _f.severity_rank + 0)
        if shape.by_file or shape.scanned
        else (_f.status, _f.severity_rank)
    )
    places = [_among("status", shape.statuses, status), _among("rank", shape.ranks, rank)]
    if shape.projects is not None or shape.by_file:
        places.append(_of_projects(shape.projects))
    return places


def _of_projects(many: int | None) -> sa.ColumnElement[bool]:
    """Return that a finding is of the projects asked for; with None of any, named so that an index helps."""
    every = sa.text("SELECT id FROM projects")
    return _f.project_id.in_(every) if many is None else _among("project", many, _f.project_id)


def _is(name: str, number: int, column: sa.Column[Any] = _f.status) -> sa.ColumnElement[bool]:
    return column == sa.bindparam(f"{name}_no_{number}", type_=column.type)


def _among(name: str, many: int, column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    held = [sa.bindparam(f"{name}_no_{number}", type_=column.type) for number in range(many)]
    return column.in_(held) if held else sa.false()  # an empty IN is only written when it is executed


def few(projects: int | None, files: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Return the statement that counts the findings of some files to `most`, whatever their status."""
    some: sa.Select[Any] = (
        sa.select(sa.literal_column("1")).select_from(findings).where(_of_projects(projects), files)
    )
    return sa.select(sa.func.count()).select_from(some.limit(number("most")).subquery())
