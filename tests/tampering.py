"""Writing to a database as somebody who owns it but not the service's keys: past the triggers."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hefesto_api.storage.database import Database


@contextmanager
def intruder(db: Database) -> Iterator[sa.Connection]:
    """Open a transaction in which no trigger stands in the way; they are back afterwards."""
    with db.schema() as session:
        if not db.is_sqlite:
            session.exec_driver_sql("SET LOCAL session_replication_role = replica")
            yield session
            return
        kept = session.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in kept:
            session.exec_driver_sql(f"DROP TRIGGER {name}")
        yield session
        for _, sql in kept:
            session.exec_driver_sql(sql)


def run(db: Database, statement: str, **values: Any) -> int:
    """Run one statement as the intruder; return how many rows it changed."""
    with intruder(db) as session:
        return session.execute(sa.text(statement), values).rowcount
