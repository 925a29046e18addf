"""What all tables share: the metadata with its naming convention, and the column types."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

Session = Connection
"""A door that is open: a function that takes one is inside a transaction and never commits."""

RINGS = "rings"
"""In a session's `info`: what others wait for was written; they are to be woken once it is committed."""

QUEUED = "queued"
"""In a session's `info`: the ids of the jobs that were queued; they are dispatched once that is committed."""

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def clean(text: str) -> str:
    """Return a text that every database can keep.

    NUL becomes U+FFFD (PostgreSQL refuses it); a lone surrogate, as in a file name that is not UTF-8,
    becomes its escape (`\\udcff`), so that two such names stay two.
    """
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


class Text(TypeDecorator[str]):
    """Text that is `clean` and compares by code point on every database, so that ranges mean the same."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[str]:
        """Return the type as the database at hand calls it."""
        return sa.Text(collation="C") if dialect.name == "postgresql" else sa.Text()

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Clean what goes in, stored values and filters alike."""
        return None if value is None else clean(value)


@lru_cache(maxsize=256)  # thousands of rows of one transaction carry the same moment
def _text_of(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant in UTC.

    On SQLite it is RFC 3339 text of a fixed width, which sorts by time and is the wire form already.
    """

    impl = sa.String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        """Return timestamptz where there is one, else text."""
        return sa.TIMESTAMP(timezone=True) if dialect.name == "postgresql" else sa.String(27)

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        """Refuse naive times; write the others in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC) if dialect.name == "postgresql" else _text_of(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        """Read an aware UTC time."""
        if value is None:
            return None
        return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """A JSON value, JSONB on PostgreSQL; None is NULL."""

    impl = sa.JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        """Return JSONB where there is one (named through the dialect: importing it costs 20 ms)."""
        kinds: dict[str, Any] = getattr(dialect, "ischema_names", {})
        return kinds["jsonb" if dialect.name == "postgresql" else "JSON"](none_as_null=True)  # type: ignore[no-any-return]


class Unsigned(TypeDecorator[int]):
    """A number from 0 to 2^64 - 1, as inodes are; the upper half is kept as negatives of the same bits."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> int | None:
        """Map the upper half to the negatives."""
        return value - (1 << 64) if value is not None and value >= 1 << 63 else value

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> int | None:
        """Map the negatives back."""
        return None if value is None else value & ((1 << 64) - 1)


Blob = sa.LargeBinary
Serial: sa.types.TypeEngine[int] = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A number the database gives: 64 bits on both (SQLite numbers rows only in a column called INTEGER)."""


@cache
def upsert(dialect: str, table: sa.Table) -> Any:
    """Return the INSERT of a database that knows ON CONFLICT, found without importing the other's."""
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table)


def dump_json(value: Any) -> str:
    """Write JSON that every database can keep; raises TypeError for what is not JSON."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        text = orjson.dumps(_cleaned(value), option=orjson.OPT_NON_STR_KEYS)
    if b"\\u0000" in text:
        text = orjson.dumps(_cleaned(value), option=orjson.OPT_NON_STR_KEYS)
    return text.decode()


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value


class wire(FunctionElement[str]):  # noqa: N801 - used as a function in selects
    """An instant as the text that goes over the wire, written by the database: no Python for each row."""

    type = sa.Text()
    inherit_cache = True
    name = "wire"


@compiles(wire)
def _wire_text(element: wire, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(wire, "postgresql")
def _wire_timestamptz(element: wire, compiler: Any, **options: Any) -> str:
    column = compiler.process(element.clauses, **options)
    return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


class json_has(FunctionElement[bool]):  # noqa: N801 - used as a function in selects
    """`json_has(column, number)`: whether a column with a JSON list holds a number."""

    type = sa.Boolean()
    inherit_cache = True
    name = "json_has"


@compiles(json_has)
def _json_has(element: json_has, compiler: Any, **options: Any) -> str:
    column, value = (compiler.process(clause, **options) for clause in element.clauses)
    # Most lists do not even hold its digits, which is seen without taking them apart.
    listed = f"EXISTS (SELECT 1 FROM json_each({column}) AS held WHERE held.value = {value})"  # noqa: S608
    return f"(instr({column}, {value}) AND {listed})"


class like_any_case(FunctionElement[bool]):  # noqa: N801 - used as a function in selects
    """`like_any_case(column, pattern)`: LIKE, whatever the case; what stands behind a backslash is itself."""

    type = sa.Boolean()
    inherit_cache = True
    name = "like_any_case"


@compiles(like_any_case)
def _like_any_case(element: like_any_case, compiler: Any, **options: Any) -> str:
    column, pattern = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} LIKE {pattern} ESCAPE '\\'"  # SQLite's knows no case; lower() costs as much again


@compiles(like_any_case, "postgresql")
def _ilike(element: like_any_case, compiler: Any, **options: Any) -> str:
    column, pattern = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} ILIKE {pattern} ESCAPE '\\'"


@compiles(json_has, "postgresql")
def _jsonb_has(element: json_has, compiler: Any, **options: Any) -> str:
    column, value = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} @> to_jsonb({value})"
