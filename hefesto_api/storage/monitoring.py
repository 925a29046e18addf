"""What the service measures of itself, of all its processes together: requests by route, and gauges.

Rows of a minute are added to by every process; after a while they are summed into coarser ones. A row stands
for the `step` seconds from `at` (seconds since 1970) on; a moment is in one row only, whatever its step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import sqlalchemy as sa

from hefesto_api.storage.base import Session, Text, metadata, upsert
from hefesto_api.storage.database import Database

MINUTE, TEN_MINUTES, HOUR, DAY = 60, 600, 3600, 86400
KEPT = {MINUTE: 2 * DAY, TEN_MINUTES: 14 * DAY, HOUR: 90 * DAY}
BOUNDS = (
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075,
    0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip
"""Seconds up to which each counter of a histogram counts; the last one counts what took longer."""
_BUCKETS = tuple(f"took_{number}" for number in range(len(BOUNDS) + 1))
_COUNTS = ("requests", "refused", "errors", *_BUCKETS)

request_minutes = sa.Table(
    "request_minutes",
    metadata,
    sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("route", Text, primary_key=True),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in _COUNTS),
    sa.Column("seconds", sa.Float, nullable=False),
    sqlite_with_rowid=False,
)

gauge_minutes = sa.Table(
    "gauge_minutes",
    metadata,
    sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", Text, primary_key=True),
    sa.Column("samples", sa.BigInteger, nullable=False),
    sa.Column("total", sa.Float, nullable=False),
    sa.Column("most", sa.Float, nullable=False),
    sqlite_with_rowid=False,
)
_r, _g = request_minutes.c, gauge_minutes.c


class Requests(NamedTuple):
    """Requests of one kind; `refused` were answered with 400 to 499, `errors` with more."""

    requests: int = 0
    refused: int = 0
    errors: int = 0
    seconds: float = 0.0
    took: tuple[int, ...] = (0,) * len(_BUCKETS)

    def quantile(self, share: float) -> float | None:
        """Return the seconds in which a share of them was answered; None where there were none.

        Within a bucket they are taken to be spread evenly.
        """
        wanted, before = share * sum(self.took), 0
        if not wanted:
            return None
        for number, many in enumerate(self.took):
            if before + many >= wanted and many:
                low = BOUNDS[number - 1] if number else 0.0
                high = BOUNDS[number] if number < len(BOUNDS) else low
                return low + (high - low) * (wanted - before) / many
            before += many
        return BOUNDS[-1]


class Gauge(NamedTuple):
    """What was seen of a gauge: how often, the sum, and the highest value."""

    samples: int = 0
    total: float = 0.0
    most: float = 0.0

    @property
    def mean(self) -> float | None:
        """The mean; None where nothing was seen."""
        return self.total / self.samples if self.samples else None

    def plus(self, other: Gauge) -> Gauge:
        """Return both together."""
        return Gauge(self.samples + other.samples, self.total + other.total, max(self.most, other.most))


def add(
    session: Session,
    requests: Mapping[tuple[int, str], Requests],
    gauges: Mapping[tuple[int, str], Gauge],
) -> None:
    """Add what a process counted to the rows of its minutes; keys are (the minute, route or name)."""
    counted = [
        {
            "step": MINUTE, "at": at, "route": route, "requests": one.requests, "refused": one.refused,
            "errors": one.errors, "seconds": one.seconds, **dict(zip(_BUCKETS, one.took, strict=True)),
        }
        for (at, route), one in sorted(requests.items())
    ]  # fmt: skip
    seen = [
        {"step": MINUTE, "at": at, "name": name, **one._asdict()}
        for (at, name), one in sorted(gauges.items())
    ]
    if counted:
        session.execute(_add_requests(session.dialect.name), counted)
    if seen:
        session.execute(_add_gauges(session.dialect.name), seen)


def by_route(session: Session, since: int, until: int) -> dict[str, Requests]:
    """Return the requests of a time by their route, the busiest first."""
    rows = session.execute(_BY_ROUTE, {"since": since, "until": until})
    return {row[0]: _requests(row[1:]) for row in rows}


def by_time(session: Session, since: int, until: int, width: int) -> dict[int, Requests]:
    """Return the requests of stretches of so many seconds, by their begin."""
    rows = session.execute(_BY_TIME, {"since": since, "until": until, "width": width})
    return {row[0]: _requests(row[1:]) for row in rows}


def gauges(session: Session, since: int, until: int) -> dict[str, Gauge]:
    """Return what was seen of each gauge in a time."""
    rows = session.execute(_GAUGES, {"since": since, "until": until})
    return {row[0]: Gauge(*row[1:]) for row in rows}


def gauges_by_time(session: Session, since: int, until: int, width: int) -> dict[tuple[int, str], Gauge]:
    """Return what was seen of each gauge in stretches of so many seconds, by their begin and its name."""
    rows = session.execute(_GAUGES_BY_TIME, {"since": since, "until": until, "width": width})
    return {(row[0], row[1]): Gauge(*row[2:]) for row in rows}


def thin(db: Database, now: int) -> None:
    """Sum rows that have become old into coarser ones, a day at a time, and delete the oldest."""
    steps = list(KEPT)
    for fine, coarse in pairwise(steps):
        end = (now - KEPT[fine]) // coarse * coarse
        for table in (request_minutes, gauge_minutes):
            while _sum_some(db, table, fine, coarse, end):
                pass
    with db.write(durable=False, witnessed=False) as session:
        for table in (request_minutes, gauge_minutes):
            old = sa.and_(table.c.step == steps[-1], table.c.at < now - KEPT[steps[-1]])
            session.execute(sa.delete(table).where(old))


def _sum_some(db: Database, table: sa.Table, fine: int, coarse: int, end: int) -> bool:
    """Sum the rows of the oldest day before an end; False: there are none."""
    old = sa.and_(table.c.step == fine, table.c.at < end)
    with db.read() as session:
        first = session.execute(sa.select(sa.func.min(table.c.at)).where(old)).scalar()
    if first is None:
        return False
    until = min(end, (int(first) // DAY + 1) * DAY)
    some = sa.and_(table.c.step == fine, table.c.at < until)
    with db.write(durable=False, witnessed=False) as session:
        session.execute(_coarser(session.dialect.name, table, coarse, some))
        session.execute(sa.delete(table).where(some))
    return True


def _requests(row: Sequence[Any]) -> Requests:
    requests, refused, errors, seconds, *took = row
    return Requests(int(requests), int(refused), int(errors), float(seconds), tuple(map(int, took)))


def _coarser(dialect: str, table: sa.Table, coarse: int, some: sa.ColumnElement[bool]) -> Any:
    """Return the statement that adds the sums of some rows to the coarser rows."""
    kind = table.c.route if table is request_minutes else table.c.name
    numbers = [column for column in table.c if not column.primary_key]
    begin = _begin(table.c.at, sa.literal_column(str(coarse)))
    summed = (
        sa.select(sa.literal_column(str(coarse)), begin, kind, *(_united(one) for one in numbers))
        .where(some)
        .group_by(begin, kind)
    )
    names = ["step", "at", kind.name, *(one.name for one in numbers)]
    insert = upsert(dialect, table).from_select(names, summed)
    return _adding(insert, table)


@cache
def _add_requests(dialect: str) -> Any:
    return _adding(upsert(dialect, request_minutes), request_minutes)


@cache
def _add_gauges(dialect: str) -> Any:
    return _adding(upsert(dialect, gauge_minutes), gauge_minutes)


def _adding(insert: Any, table: sa.Table) -> Any:
    """Return an insertion that adds to the row that is there."""
    changed = {}
    for column in table.c:
        if not column.primary_key:
            new = insert.excluded[column.name]
            higher = sa.case((new > column, new), else_=column)
            changed[column.name] = higher if column.name == "most" else column + new
    return insert.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=changed)


def _united(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    if column.name == "most":
        return sa.func.max(column)
    return sa.cast(sa.func.sum(column), column.type)  # PostgreSQL's sum of bigint is a numeric


def _begin(at: Any, width: Any) -> sa.ColumnElement[int]:
    return at - at % width  # type: ignore[no-any-return]


def _numbers(*columns: sa.Column[Any]) -> list[sa.ColumnElement[Any]]:
    return [_united(column) for column in columns]


def _within(table: sa.Table) -> Iterable[sa.ColumnElement[bool]]:
    # The steps are named, so that the key is searched by them and the time.
    return (
        table.c.step.in_([sa.literal_column(str(step)) for step in KEPT]),
        table.c.at >= sa.bindparam("since"),
        table.c.at < sa.bindparam("until"),
    )


_COUNTED = _numbers(_r.requests, _r.refused, _r.errors, _r.seconds, *(_r[name] for name in _BUCKETS))
_SEEN = _numbers(_g.samples, _g.total, _g.most)
_WIDTH = sa.bindparam("width", type_=sa.BigInteger)
_BY_ROUTE = (
    sa.select(_r.route, *_COUNTED)
    .where(*_within(request_minutes))
    .group_by(_r.route)
    .order_by(sa.func.sum(_r.requests).desc(), _r.route)
)
_since_r, _since_g = (_begin(table.c.at, _WIDTH).label("begun") for table in (request_minutes, gauge_minutes))
_BY_TIME = (
    sa.select(_since_r, *_COUNTED).where(*_within(request_minutes)).group_by(sa.literal_column("begun"))
)
_GAUGES = sa.select(_g.name, *_SEEN).where(*_within(gauge_minutes)).group_by(_g.name)
_GAUGES_BY_TIME = (
    sa.select(_since_g, _g.name, *_SEEN)
    .where(*_within(gauge_minutes))
    .group_by(sa.literal_column("begun"), _g.name)
)
