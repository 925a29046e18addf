"""Many rows of one statement, handed straight to the driver.

SQLAlchemy binds every value of every row by itself, which took longer than the database took to write them.
Here the values are bound a column at a time; the statement and the types are SQLAlchemy's as ever.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import sqlalchemy as sa

from hefesto_api.storage.base import Json, Text, clean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hefesto_api.storage.base import Session

    Column = Sequence[Any]
    Processor = Callable[[Column], Column]


class _Prepared(NamedTuple):
    """A statement as the driver takes it: its values by place, or by name where `positional` is false.

    `keys` are those of the rows, for each of the `names`.
    """

    sql: str
    names: tuple[str, ...]
    keys: tuple[str, ...]
    processors: tuple[Processor, ...]
    positional: bool


def execute(
    session: Session, statement: sa.Insert | sa.Update, rows: Sequence[dict[str, Any]], *, prefix: str = ""
) -> None:
    """Execute a statement for each row; all rows have the keys of the first.

    The keys are the names of columns for an INSERT; for an UPDATE those of its parameters behind `prefix`,
    all of them, so that a constant in it has to be its text (`sa.literal_column`). Statements are
    remembered: pass one that is built once.
    """
    if not rows:
        return
    ready = _prepared(statement, tuple(rows[0]), prefix, session.dialect)
    columns = [
        bind([row[key] for row in rows]) for key, bind in zip(ready.keys, ready.processors, strict=True)
    ]
    bound: Any = list(zip(*columns, strict=True))
    if not ready.positional:
        bound = [dict(zip(ready.names, values, strict=True)) for values in bound]
    session.exec_driver_sql(ready.sql, bound)


@lru_cache(maxsize=64)
def _prepared(
    statement: sa.Insert | sa.Update, keys: tuple[str, ...], prefix: str, dialect: sa.Dialect
) -> _Prepared:
    columns = list(keys) if isinstance(statement, sa.Insert) else None
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    named = tuple(prefix + key for key in keys)
    names = tuple(compiled.positiontup or ()) if compiled.positional else named
    return _Prepared(
        compiled.string,
        names,
        tuple(name.removeprefix(prefix) for name in names),
        tuple(_processor(compiled.binds[name].type, dialect) for name in names),
        compiled.positional,
    )


def _processor(kind: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> Processor:
    if isinstance(kind, Text):
        return _cleaned
    bind = cast("Callable[[Any], Any] | None", kind.dialect_impl(dialect).bind_processor(dialect))
    if bind is None:
        return _as_they_are
    return partial(_each_json if isinstance(kind, Json) else _each, bind)


def _cleaned(texts: Column) -> Column:
    """Clean a column of texts; nearly always one look at all of them shows that none needs it."""
    together = "".join(filter(None, texts))
    if together.isascii() and "\0" not in together:
        return texts
    return [None if text is None else clean(text) for text in texts]


def _each(bind: Callable[[Any], Any], values: Column) -> Column:
    first = values[0]
    if all(value is first for value in values):  # as the moment of a transaction is
        return [bind(first)] * len(values)
    return [bind(value) for value in values]


def _each_json(bind: Callable[[Any], Any], values: Column) -> Column:
    """Bind JSON; most lists and objects are empty, and those are all alike."""
    empty: dict[type, Any] = {list: bind([]), dict: bind({})}
    return [
        empty[type(one)] if not one and type(one) in empty else None if one is None else bind(one)
        for one in values
    ]


def _as_they_are(values: Column) -> Column:
    return values
