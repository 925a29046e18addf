"""Arithmetic of instants that both databases do."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class seconds_between(FunctionElement[float]):  # noqa: N801 - used as a function in selects
    """The seconds from one instant to another."""

    type = sa.Float()
    inherit_cache = True
    name = "seconds_between"


@compiles(seconds_between)
def _on_sqlite(element: seconds_between, compiler: Any, **options: Any) -> str:
    begun, ended = (compiler.process(clause, **options) for clause in element.clauses)
    return f"((julianday({ended}) - julianday({begun})) * 86400.0)"


@compiles(seconds_between, "postgresql")
def _on_postgresql(element: seconds_between, compiler: Any, **options: Any) -> str:
    begun, ended = (compiler.process(clause, **options) for clause in element.clauses)
    return f"extract(epoch FROM {ended} - {begun})::double precision"


class whole(FunctionElement[int]):  # noqa: N801 - used as a function in selects
    """A positive number without its fraction."""

    type = sa.BigInteger()
    inherit_cache = True
    name = "whole"


@compiles(whole)
def _whole_on_sqlite(element: whole, compiler: Any, **options: Any) -> str:
    (number,) = (compiler.process(clause, **options) for clause in element.clauses)
    return f"CAST({number} AS INTEGER)"


@compiles(whole, "postgresql")
def _whole_on_postgresql(element: whole, compiler: Any, **options: Any) -> str:
    (number,) = (compiler.process(clause, **options) for clause in element.clauses)
    return f"floor({number})::bigint"
