"""Statements in the driver's own words, past the engine, which makes as much of each as SQLite does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session


def run(session: Session, sql: str, values: Any = ()) -> Any:
    """Carry out a statement; return a cursor. Nobody is told of it: see `hot.change`."""
    if session.dialect.name != "sqlite":  # there a statement that fails spoils all that follow in it
        return session.exec_driver_sql(sql, values)
    driver: Any = session.connection.dbapi_connection
    try:
        return driver.execute(sql, values)
    except (session.dialect.loaded_dbapi.Error, OverflowError, UnicodeEncodeError):
        return session.exec_driver_sql(sql, values)  # fails again, in the words of the domain
