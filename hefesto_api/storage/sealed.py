"""Columns whose texts are sealed: no plain one gets in, and a change of keys finds them all."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import NamedTuple

import sqlalchemy as sa

from hefesto_api.domain import sealed
from hefesto_api.storage.base import Text, metadata


class SealedText(Text):
    """Text that was encrypted for a purpose; `row` names the column whose value is authenticated with it.

    It takes nothing but what a vault made, so that no code can store a secret as it is.
    """

    cache_ok = True

    def __init__(self, purpose: str = "", row: str = "") -> None:
        super().__init__()
        self.purpose = purpose
        self.row = row

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Refuse what is not sealed."""
        if value is not None and not sealed.is_sealed(value):
            raise ValueError("a secret that is not sealed cannot be stored")
        return value


class SealedColumn(NamedTuple):
    """A column with sealed texts, and the table's key."""

    table: sa.Table
    column: sa.Column[str]
    key: sa.Column[str]
    kind: SealedText

    @property
    def name(self) -> str:
        """How people are told of it."""
        return f"{self.table.name}.{self.column.name}"

    @property
    def row(self) -> sa.ColumnElement[str]:
        """The value that is authenticated with each text."""
        return self.table.c[self.kind.row] if self.kind.row else sa.literal("")


@cache
def columns() -> tuple[SealedColumn, ...]:
    """Return every sealed column of every table."""
    import_module("hefesto_api.storage.tables")
    return tuple(
        SealedColumn(table, column, _key(table), column.type)
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, SealedText)
    )


def _key(table: sa.Table) -> sa.Column[str]:
    """Return the key of a table, which must be one column: rows are taken in its order."""
    (key,) = table.primary_key.columns
    return key
