"""The triggers that keep the rollups of `storage.rollups` beside every write, whoever writes.

Triggers, not statements of the writers: nobody can forget them. What they cost is in docs/metrics.md.
On PostgreSQL they wait for the end of the transaction and take one lock first: counters that are changed
in the midst of it, by two transactions that also wait for each other's findings, would be a deadlock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hefesto_api.domain.quality import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDING = "('open', 'acknowledged')"
LOCK = 0x636F756E7473  # "counts" in ASCII
_KEYS = {
    "finding_counts": "project_id, status, severity, analyzer, rule_id, reason",
    "daily_counts": "project_id, day, analyzer, severity",
    "file_counts": "project_id, file_path",
    "line_counts": "project_id, branch, day",
    "finding_totals": "status, severity, analyzer, rule_id, reason",
    "daily_totals": "day, analyzer, severity",
}
_NUMBERS = {
    "finding_counts": ("findings", "certainty"),
    "daily_counts": ("opened", "resolved", "change", "certainty"),
    "file_counts": ("critical", "high", "medium", "low", "weight"),
    "line_counts": ("lines",),
    "finding_totals": ("findings", "certainty"),
    "daily_totals": ("opened", "resolved", "change", "certainty"),
}
_TOTALS = {"finding_counts": "finding_totals", "daily_counts": "daily_totals"}
# Sums of whole numbers stay exact however often something is added and taken away.
_CERTAINTY = "CAST(round({row}.confidence * 1000) AS INTEGER)"
_COUNTED_COLUMNS = (
    "project_id", "status", "reason", "rule_id", "analyzer", "severity", "confidence", "file_path",
)  # fmt: skip


def upsert(table: str, values: str) -> str:
    """Return the statement that adds a SELECT's numbers to a rollup."""
    numbers = _NUMBERS[table]
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in numbers)
    return (
        f"INSERT INTO {table} ({_KEYS[table]}, {', '.join(numbers)}) {values} "
        f"ON CONFLICT ({_KEYS[table]}) DO UPDATE SET {sums}"
    )


def certainty(row: str) -> str:
    """Return a finding's confidence in thousandths."""
    return _CERTAINTY.format(row=row)


def weight(row: str) -> str:
    """Return what a finding weighs, in thousandths."""
    cases = " ".join(f"WHEN '{severity}' THEN {int(heavy)}" for severity, heavy in WEIGHTS.items())
    return f"CASE {row}.severity {cases} ELSE 0 END * {certainty(row)}"


def day(moment: str, dialect: str) -> str:
    """Return the UTC day of an instant, as text."""
    if dialect == "sqlite":
        return f"substr({moment}, 1, 10)"
    return f"to_char({moment} AT TIME ZONE 'UTC', 'YYYY-MM-DD')"


def severities(row: str, one: str) -> list[str]:
    """Return `one` for the column of a finding's severity, 0 for the other three."""
    words = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
    return [f"CASE WHEN {row}.severity = '{word}' THEN {one} ELSE 0 END" for word in words]


def _here(row: str) -> str:
    # Rows that go with their project take its counters along: there is nothing left to count into.
    return f"EXISTS (SELECT 1 FROM projects WHERE id = {row}.project_id)"  # noqa: S608


def _counts(row: str, sign: str) -> str:
    keys = f"{row}.project_id, {row}.status, {row}.severity, {row}.analyzer, {row}.rule_id"
    numbers = f"{sign}1, {sign}{certainty(row)}"
    return upsert(
        "finding_counts", f"SELECT {keys}, coalesce({row}.reason, ''), {numbers} WHERE {_here(row)}"
    )


def _file(row: str, sign: str) -> str:
    numbers = ", ".join([*severities(row, f"{sign}1"), f"{sign}({weight(row)})"])
    return upsert(
        "file_counts",
        f"SELECT {row}.project_id, {row}.file_path, {numbers} "
        f"WHERE {row}.status IN {STANDING} AND {_here(row)}",
    )


def _daily(row: str, sign: str, at: str, opened: str, resolved: str) -> str:
    numbers = f"{opened}, {resolved}, {sign}1, {sign}{certainty(row)}"
    return upsert(
        "daily_counts",
        f"SELECT {row}.project_id, {at}, {row}.analyzer, {row}.severity, {numbers} "
        f"WHERE {row}.status IN {STANDING} AND {_here(row)}",
    )


def _on_insert(dialect: str) -> list[str]:
    at = day("NEW.first_seen", dialect)
    return [_counts("NEW", "+"), _file("NEW", "+"), _daily("NEW", "+", at, "1", "0")]


def _on_delete(dialect: str) -> list[str]:
    # As if it had never been.
    at = day("OLD.first_seen", dialect)
    return [_counts("OLD", "-"), _file("OLD", "-"), _daily("OLD", "-", at, "-1", "0")]


def _on_update(dialect: str) -> list[str]:
    moment = "CASE WHEN OLD.status = NEW.status THEN NEW.last_seen ELSE NEW.updated_at END"
    at = day(f"({moment})", dialect)
    left = f"CASE WHEN NEW.status IN {STANDING} THEN 0 ELSE 1 END"
    came = f"CASE WHEN OLD.status IN {STANDING} THEN 0 ELSE 1 END"
    return [
        _counts("OLD", "-"), _counts("NEW", "+"), _file("OLD", "-"), _file("NEW", "+"),
        _daily("OLD", "-", at, "0", left), _daily("NEW", "+", at, came, "0"),
    ]  # fmt: skip


def _lines(row: str, sign: str, at: str) -> str:
    held = f"(SELECT lines_of_code FROM contents WHERE id = {row}.content_id)"  # noqa: S608
    return upsert(
        "line_counts",
        f"SELECT {row}.project_id, {row}.branch, {at}, {sign}coalesce({held}, 0) WHERE {_here(row)}",
    )


def _line_changes(dialect: str) -> dict[str, list[str]]:
    seen = day("NEW.seen_at", dialect)
    today = "date('now')" if dialect == "sqlite" else day("now()", dialect)
    return {
        "insert": [_lines("NEW", "+", seen)],
        "update": [_lines("OLD", "-", seen), _lines("NEW", "+", seen)],
        "delete": [_lines("OLD", "-", today)],
    }


def _finding_changes(dialect: str) -> dict[str, list[str]]:
    return {"insert": _on_insert(dialect), "update": _on_update(dialect), "delete": _on_delete(dialect)}


def _total_changes(table: str) -> dict[str, list[str]]:
    """Return what the totals of all projects do when a count of one changes, or goes with its project."""
    total, numbers = _TOTALS[table], _NUMBERS[table]

    def add(row: str, differences: list[str]) -> list[str]:
        keys = ", ".join(f"{row}.{key}" for key in _KEYS[total].split(", "))
        # WHERE: without it SQLite takes the words that follow for a join's.
        return [upsert(total, f"SELECT {keys}, {', '.join(differences)} WHERE true")]

    return {
        "insert": add("NEW", [f"NEW.{name}" for name in numbers]),
        "update": add("NEW", [f"NEW.{name} - OLD.{name}" for name in numbers]),
        "delete": add("OLD", [f"-OLD.{name}" for name in numbers]),
    }


_TABLES = {
    "findings": (_finding_changes, _COUNTED_COLUMNS),
    "project_files": (_line_changes, ("content_id",)),
}
NAMES = {
    f"{table}_counted_{event}": table
    for table in (*_TABLES, *_TOTALS)
    for event in ("insert", "update", "delete")
}


def statements(dialect: str) -> list[str]:
    """Return the statements that make the triggers that count for each project."""
    return [
        statement
        for table, (changes, columns) in _TABLES.items()
        for statement in _made(dialect, table, changes(dialect), columns)
    ]


def total_statements(dialect: str) -> list[str]:
    """Return the statements that make the triggers that add up over all projects."""
    return [
        statement
        for table in _TOTALS
        for statement in _made(dialect, table, _total_changes(table), _NUMBERS[table])
    ]


def _made(dialect: str, table: str, changes: dict[str, list[str]], columns: tuple[str, ...]) -> Iterator[str]:
    write = _sqlite if dialect == "sqlite" else _postgresql
    for event, body in changes.items():
        yield from write(table, event, body, columns)


def _event(event: str, columns: tuple[str, ...]) -> str:
    return f"AFTER UPDATE OF {', '.join(columns)}" if event == "update" else f"AFTER {event.upper()}"


def _when(event: str, columns: tuple[str, ...], differs: str) -> str:
    changed = " OR ".join(f"OLD.{name} {differs} NEW.{name}" for name in columns)
    return f"WHEN ({changed})" if event == "update" else ""


def _sqlite(table: str, event: str, body: list[str], columns: tuple[str, ...]) -> list[str]:
    head = f"CREATE TRIGGER {table}_counted_{event} {_event(event, columns)} ON {table}"
    return [f"{head} {_when(event, columns, 'IS NOT')} BEGIN {'; '.join(body)}; END"]


def _postgresql(table: str, event: str, body: list[str], columns: tuple[str, ...]) -> list[str]:
    name = f"{table}_counted_{event}"
    function = (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"PERFORM pg_advisory_xact_lock({LOCK}); {'; '.join(body)}; RETURN NULL; END $$"
    )
    trigger = (
        f"CREATE CONSTRAINT TRIGGER {name} {_event(event, columns)} ON {table} "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        f"{_when(event, columns, 'IS DISTINCT FROM')} EXECUTE FUNCTION {name}()"
    )
    return [function, trigger]
