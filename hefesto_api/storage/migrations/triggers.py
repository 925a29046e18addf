"""The triggers, dropped before and made anew after every migration: tables are rebuilt without them."""

from __future__ import annotations

import sqlalchemy as sa

from hefesto_api.storage import counting
from hefesto_api.storage.base import Session
from hefesto_api.storage.migrations import audit_triggers

# A history only grows. Its rows go in one way alone: with their finding, through the foreign key.
_SQLITE = """
CREATE TRIGGER finding_history_no_update BEFORE UPDATE ON finding_history
BEGIN SELECT RAISE(ABORT, 'finding_history is append-only'); END;
CREATE TRIGGER finding_history_no_delete BEFORE DELETE ON finding_history
WHEN EXISTS (SELECT 1 FROM findings WHERE id = OLD.finding_id)
BEGIN SELECT RAISE(ABORT, 'finding_history is append-only'); END;
"""
_POSTGRESQL = """
CREATE OR REPLACE FUNCTION finding_history_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT 1 FROM findings WHERE id = OLD.finding_id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'finding_history is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER finding_history_no_change BEFORE UPDATE OR DELETE ON finding_history
FOR EACH ROW EXECUTE FUNCTION finding_history_append_only();
CREATE TRIGGER finding_history_no_truncate BEFORE TRUNCATE ON finding_history
FOR EACH STATEMENT EXECUTE FUNCTION finding_history_append_only();
"""
_NAMES = (
    "finding_history_no_update",
    "finding_history_no_delete",
    "finding_history_no_change",
    "finding_history_no_truncate",
)


def drop(session: Session) -> None:
    """Drop our triggers: SQLite cannot rename a table into a place that one of them mentions."""
    if not sa.inspect(session).has_table("finding_history"):
        return
    named = dict.fromkeys(_NAMES, "finding_history") | counting.NAMES
    named |= audit_triggers.NAMES[session.dialect.name]
    for name, table in named.items():
        place = "" if session.dialect.name == "sqlite" else f" ON {table}"
        session.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}{place}")


def create(session: Session) -> None:
    """Create our triggers, where their tables are there."""
    there = sa.inspect(session)
    if there.has_table("finding_history"):
        _keep_history(session)
    if there.has_table("finding_counts"):
        for statement in counting.statements(session.dialect.name):
            session.exec_driver_sql(statement)
    if there.has_table("finding_totals"):
        for statement in counting.total_statements(session.dialect.name):
            session.exec_driver_sql(statement)
    if there.has_table("audit_logs"):
        for statement in audit_triggers.statements(session.dialect.name):
            session.exec_driver_sql(statement)


def _keep_history(session: Session) -> None:
    if session.dialect.name == "postgresql":
        session.exec_driver_sql(_POSTGRESQL)
        return
    for statement in _SQLITE.split("END;")[:-1]:
        session.exec_driver_sql(f"{statement}END")
