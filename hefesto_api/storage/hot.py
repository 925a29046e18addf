"""Reading and writing on hot paths: a statement is compiled once, and its text handed straight to the driver.

SQLAlchemy looks a compiled statement up by a key that it makes of the whole statement each time, and wraps
each result; for a list's page that took as long as the database took to answer.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import sqlalchemy as sa

from hefesto_api.storage import direct
from hefesto_api.storage.base import Text, clean
from hefesto_api.storage.generations import touch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hefesto_api.storage.base import Session

    Change = sa.Insert | sa.Update | sa.Delete
    Processor = Callable[[Any], Any]


class _Prepared(NamedTuple):
    """A statement as the driver takes it: its values by place, or by name where `positional` is false."""

    sql: str
    names: tuple[str, ...]  # one may stand in many places: a page is read from up to a hundred ranges
    processors: tuple[tuple[str, Processor | None], ...]  # of each name once
    fixed: dict[str, Any]  # the values that the statement itself brings
    positional: bool


def fetch(session: Session, statement: sa.Select[Any], values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a SELECT as the driver has them; `values` may hold more than is asked for.

    Statements are remembered: pass one that is built once, without expanding parameters.
    """
    ready = _prepared(statement, session.dialect)
    bound = _bound(ready, values)
    driver: Any = session.connection.dbapi_connection
    try:
        return cast("list[tuple[Any, ...]]", driver.execute(ready.sql, bound).fetchall())
    except (session.dialect.loaded_dbapi.Error, OverflowError, UnicodeEncodeError):
        # The same once more through the engine, which knows what its driver's errors mean.
        return [tuple(row) for row in session.exec_driver_sql(ready.sql, bound)]


def records(session: Session, statement: sa.Select[Any], values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a SELECT with the values of its columns' types: times, JSON, flags."""
    return _read(session, statement, fetch(session, statement, values))


def returned(session: Session, statement: Change, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Carry out a change and return what it returns, as `records` does of a SELECT."""
    ready = _prepared(statement, session.dialect)
    touch(session, ready.sql)
    return _read(session, statement, direct.run(session, ready.sql, _bound(ready, values)).fetchall())


def change(session: Session, statement: Change, values: Mapping[str, Any]) -> int:
    """Carry out an INSERT, UPDATE or DELETE as `fetch` does a SELECT; return how many rows that were.

    It is one that returns nothing: an INSERT whose key the database gives is an `inline()` one.
    """
    ready = _prepared(statement, session.dialect)
    touch(session, ready.sql)
    return int(direct.run(session, ready.sql, _bound(ready, values)).rowcount)


def change_each(session: Session, statement: Change, values: Sequence[Mapping[str, Any]]) -> None:
    """Carry out a change that returns nothing for each of some values."""
    if values:
        ready = _prepared(statement, session.dialect)
        session.exec_driver_sql(ready.sql, [_bound(ready, one) for one in values])


def _read(
    session: Session, statement: sa.Select[Any] | Change, rows: list[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    readers = _readers(statement, session.dialect)
    return [
        tuple(one if read is None else read(one) for one, read in zip(row, readers, strict=True))
        for row in rows
    ]


def _bound(ready: _Prepared, values: Mapping[str, Any]) -> Any:
    values = {**values, **ready.fixed} if ready.fixed else values
    given = {name: values[name] if bind is None else bind(values[name]) for name, bind in ready.processors}
    return tuple(map(given.__getitem__, ready.names)) if ready.positional else given


@lru_cache(maxsize=1024)
def _prepared(statement: sa.Select[Any] | Change, dialect: sa.Dialect) -> _Prepared:
    compiled = cast("Any", statement.compile(dialect=dialect))
    names = tuple(compiled.positiontup if compiled.positional else compiled.binds)
    processors = tuple(
        (name, _processor(compiled.binds[name].type, dialect)) for name in dict.fromkeys(names)
    )
    fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
    return _Prepared(compiled.string, names, processors, fixed, compiled.positional)


@lru_cache(maxsize=1024)
def _readers(statement: sa.Select[Any] | Change, dialect: sa.Dialect) -> tuple[Processor | None, ...]:
    kinds = [cast("Any", column.type) for column in statement.exported_columns]
    # PostgreSQL's numbers are read by what the driver says that they are; floats come as they are.
    return tuple(
        None if isinstance(kind, sa.Float) else kind.dialect_impl(dialect).result_processor(dialect, None)
        for kind in kinds
    )


def _processor(kind: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> Processor | None:
    if isinstance(kind, Text):
        return _cleaned
    return cast("Processor | None", kind.dialect_impl(dialect).bind_processor(dialect))


def _cleaned(text: str | None) -> str | None:
    return None if text is None else clean(text)
