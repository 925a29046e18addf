"""The triggers that keep the audit log append-only, whoever writes.

Two things may change: a strand's head goes forward, and entries go that the head calls pruned
(`storage.audit_retention`); whoever moves a head without the key is found by its proof.
"""

_MESSAGE = "the audit log is append-only"
_SQLITE = """
CREATE TRIGGER audit_logs_no_update BEFORE UPDATE ON audit_logs
BEGIN SELECT RAISE(ABORT, '{message}'); END;
CREATE TRIGGER audit_logs_no_delete BEFORE DELETE ON audit_logs
WHEN NOT EXISTS (SELECT 1 FROM audit_strands WHERE strand = OLD.strand AND pruned >= OLD.number)
BEGIN SELECT RAISE(ABORT, '{message}'); END;
CREATE TRIGGER audit_strands_no_return BEFORE UPDATE ON audit_strands
WHEN NEW.strand <> OLD.strand OR NEW.count < OLD.count OR NEW.pruned < OLD.pruned
BEGIN SELECT RAISE(ABORT, '{message}'); END;
CREATE TRIGGER audit_strands_no_delete BEFORE DELETE ON audit_strands
BEGIN SELECT RAISE(ABORT, '{message}'); END;
CREATE TRIGGER audit_seals_no_update BEFORE UPDATE ON audit_seals
BEGIN SELECT RAISE(ABORT, '{message}'); END;
CREATE TRIGGER audit_seals_no_delete BEFORE DELETE ON audit_seals
BEGIN SELECT RAISE(ABORT, '{message}'); END;
"""
_POSTGRESQL = """
CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'audit_logs' AND TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT 1 FROM audit_strands WHERE strand = OLD.strand AND pruned >= OLD.number) THEN
            RETURN OLD;
        END IF;
    ELSIF TG_TABLE_NAME = 'audit_strands' AND TG_OP = 'UPDATE' THEN
        IF NEW.strand = OLD.strand AND NEW.count >= OLD.count AND NEW.pruned >= OLD.pruned THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '{message}' USING ERRCODE = 'restrict_violation';
END $$;
"""
_TABLES = ("audit_logs", "audit_strands", "audit_seals")
_SQLITE_NAMES = {
    "audit_logs_no_update": "audit_logs",
    "audit_logs_no_delete": "audit_logs",
    "audit_strands_no_return": "audit_strands",
    "audit_strands_no_delete": "audit_strands",
    "audit_seals_no_update": "audit_seals",
    "audit_seals_no_delete": "audit_seals",
}
NAMES = {
    "sqlite": _SQLITE_NAMES,
    "postgresql": {f"{table}_no_{kind}": table for table in _TABLES for kind in ("change", "truncate")},
}
"""The names of the triggers, and the tables they watch, by database."""


def statements(dialect: str) -> list[str]:
    """Return the statements that create the triggers."""
    if dialect == "sqlite":
        parts = _SQLITE.format(message=_MESSAGE).split("END;")[:-1]
        return [f"{part}END" for part in parts]
    changes = "BEFORE UPDATE OR DELETE", "FOR EACH ROW"
    truncates = "BEFORE TRUNCATE", "FOR EACH STATEMENT"
    created = [_POSTGRESQL.replace("{message}", _MESSAGE)]
    for name, table in NAMES[dialect].items():
        when, each = truncates if name.endswith("truncate") else changes
        created.append(f"CREATE TRIGGER {name} {when} ON {table} {each} EXECUTE FUNCTION audit_append_only()")
    return created
