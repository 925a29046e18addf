"""Generations: when what is read was last changed, told by the transaction that changed it.

Every transaction of `Database.write()` that changes what answers are made of moves, right before it is
committed, the number of each *kind* of data that it touched (of one project, where it says so), to a number
greater than all before. That number's row is locked until the commit, so that a later commit has a greater
number, and a reader who saw a number sees all commits up to it. `docs/cache.md` has the proof.
"""

from __future__ import annotations

import os
import re
import threading
import time
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.storage import direct
from hefesto_api.storage.base import Session, Text, metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hefesto_api.storage.database import Database

generations = sa.Table(
    "generations",
    metadata,
    sa.Column("kind", Text, primary_key=True),
    sa.Column("scope", Text, primary_key=True),  # a project's id, or "" for all of them
    sa.Column("value", sa.BigInteger, nullable=False),
    sa.Index(None, "value"),
)

EVERYTHING = "*"
"""The kind that every answer is made of: moved where nobody knows what was changed."""
KEYS = "keys"
"""The kind whose scopes are patterns of keys that are to be forgotten."""
_HEAD = ""  # the kind whose number is the greatest of all; its scope `origin` names the database by chance
_ORIGIN = "origin"
MACHINERY = ""

_TABLES = {
    "findings": (
        "findings", "finding_history", "finding_links", "finding_counts", "daily_counts", "file_counts",
        "line_counts", "finding_totals", "daily_totals", "project_files", "contents", "functions",
        "code_facts",
    ),
    "alerts": (
        "alerts", "alert_history", "alert_occurrences", "alert_samples", "alert_rules", "alert_groups",
        "alert_deliveries", "maintenance_windows",
    ),
    "analyses": ("analyses", "analysis_chunks", "analysis_inputs", "batches"),
    "correlations": (
        "correlations", "finding_incidents", "alert_suspects", "correlation_feedback", "learned_counts",
    ),
    "deployments": ("deployments", "deployment_verdicts"),
    "projects": ("projects",),
    "webhooks": ("webhooks", "webhook_health_metrics", "alert_delivery_queue"),
    "history": ("histories", "history_changes", "history_commits", "history_paths"),
    "anomalies": ("anomalies", "baselines", "metric_points", "baseline_recalc_schedule"),
    "events": ("outbox",),
    # What no answer is made of that is kept: who calls, what the service notes for itself.
    MACHINERY: (
        "advice", "advice_months", "alembic_version", "alert_sources", "api_key_secrets", "api_key_usage",
        "api_keys", "audit_keys", "audit_logs", "audit_seals", "audit_strands", "backup_codes",
        "code_words", "event_cursors", "export_cursors", "gauge_minutes",
        "generations", "idempotency_keys", "identities", "intake", "intake_bodies", "jobs", "kept_keys",
        "oauth_clients", "oauth_codes", "oauth_grants", "oauth_refresh_tokens", "refresh_tokens",
        "request_minutes", "scheduled_job_execution", "schedules", "second_factors", "secret_keys",
        "seen_signatures", "sessions", "signing_keys", "signing_secrets", "throttles", "tickets", "users",
        "workers",
    ),
}  # fmt: skip
KIND_OF = {table: kind for kind, tables in _TABLES.items() for table in tables}
"""What kind of data a table holds; one that is not in it counts as everything."""
KINDS = tuple(kind for kind in _TABLES if kind)

_TOUCHED, _WITHIN = "touched", "within"  # in a session's `info`
_WRITES = re.compile(
    r"\b(INSERT\s+(?:OR\s+\w+\s+)?INTO|REPLACE\s+INTO|(?<!FOR )(?<!DO )UPDATE(?:\s+OR\s+\w+)?(?:\s+ONLY)?"
    r"|DELETE\s+FROM(?:\s+ONLY)?|TRUNCATE(?:\s+TABLE)?|COPY)\s+\"?(\w+)",
    re.IGNORECASE,
)
_READS = ("SELECT", "PRAGMA", "SET ", "SHOW", "BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT", "LOCK ")
_ENOUGH = 2000  # characters of an INSERT: behind its columns there are only values

_MOVE_HEAD = (
    "INSERT INTO generations (kind, scope, value) VALUES ('', '', ?) "
    "ON CONFLICT (kind, scope) DO UPDATE SET value = max(generations.value + 1, excluded.value) "
    "RETURNING value"
)
_MOVE = (
    "INSERT INTO generations (kind, scope, value) VALUES (?, ?, ?) "
    "ON CONFLICT (kind, scope) DO UPDATE SET value = excluded.value"
)
_NAME = "INSERT INTO generations (kind, scope, value) VALUES ('', 'origin', ?) ON CONFLICT DO NOTHING"
_MOVE_POSTGRESQL = """
WITH head AS (
    INSERT INTO generations (kind, scope, value) VALUES ('', '', %(now)s)
    ON CONFLICT (kind, scope) DO UPDATE SET value = greatest(generations.value + 1, excluded.value)
    RETURNING value
), named AS (
    INSERT INTO generations (kind, scope, value) VALUES ('', 'origin', %(chance)s) ON CONFLICT DO NOTHING
)
INSERT INTO generations (kind, scope, value)
SELECT kind, scope, head.value FROM head, unnest(%(kinds)s::text[], %(scopes)s::text[]) AS moved (kind, scope)
ON CONFLICT (kind, scope) DO UPDATE SET value = excluded.value
"""
_SINCE = sa.select(generations).where(generations.c.value > sa.bindparam("seen"))
HEAD_VALUE = "SELECT value FROM generations WHERE kind = '' AND scope = ''"

Tag = tuple[str, str]
"""A kind, and the id of the project that is meant of it; "" for all of them."""


def watch(engine: sa.Engine) -> None:
    """Have every statement of an engine noted that changes something."""

    @sa.event.listens_for(engine, "before_cursor_execute")
    def note(
        connection: Session, _cursor: Any, statement: str, _values: Any, _context: Any, _many: bool
    ) -> None:
        touch(connection, statement)


def touch(session: Session, statement: str) -> None:
    """Note what a statement changes, for `move`."""
    if statement.startswith(_READS) and len(statement) < _ENOUGH and " INTO " not in statement:
        return
    kinds = _changed(statement[:_ENOUGH] if statement.startswith("INSERT INTO") else statement)
    if kinds:
        session.info.setdefault(_TOUCHED, set()).update(kinds)


def touch_all(session: Session, *kinds: str) -> None:
    """Note that kinds of data are changed, in whatever way."""
    session.info.setdefault(_TOUCHED, set()).update(kinds)


def within(session: Session, project_id: str) -> None:
    """Say that all this transaction changes belongs to a project; with several calls, to these projects."""
    session.info.setdefault(_WITHIN, set()).add(project_id)


def begin(session: Session) -> None:
    """Forget what a transaction noted that was rolled back on this connection."""
    session.info.pop(_TOUCHED, None)
    session.info.pop(_WITHIN, None)


def move(session: Session) -> None:
    """Move the generations of what a transaction touched; the last that it does before it is committed."""
    kinds = session.info.pop(_TOUCHED, None)
    scopes = session.info.pop(_WITHIN, None) or {""}
    if kinds:
        move_to(session, [(kind, scope) for kind in sorted(kinds) for scope in sorted(scopes)])


def move_to(session: Session, tags: Sequence[Tag]) -> None:
    """Move the generations of some tags, and that of all."""
    now, chance = time.time_ns() // 1000, int.from_bytes(os.urandom(7))
    if session.dialect.name == "postgresql":
        # What is checked at the end of the transaction is checked now: it may wait for others, and who has
        # the head must wait for nobody.
        session.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
        kinds, scopes = ([tag[place] for tag in tags] for place in (0, 1))
        moved = {"now": now, "chance": chance, "kinds": kinds, "scopes": scopes}
        session.exec_driver_sql(_MOVE_POSTGRESQL, moved)
        return
    direct.run(session, _NAME, (chance,))
    value = direct.run(session, _MOVE_HEAD, (now,)).fetchall()[0][0]
    for kind, scope in tags:
        direct.run(session, _MOVE, (kind, scope, value))


def distrust(db: Database) -> None:
    """Let nothing be good that was kept so far: the data were replaced by others."""
    with db.write(witnessed=False) as session:
        if sa.inspect(session).has_table("generations"):  # a backup may be of an older version
            move_to(session, [(EVERYTHING, "")])


def purge_keys(session: Session, before_microseconds: int) -> None:
    """Delete the patterns of keys that everybody has forgotten long ago."""
    old = sa.delete(generations).where(generations.c.kind == KEYS, generations.c.value < before_microseconds)
    session.execute(old)


class Moment(Struct, frozen=True):
    """The generations as they were at one moment; `head` is the greatest, `origin` names the database."""

    head: int = 0
    origin: int = 0
    values: dict[Tag, int] = {}
    latest: dict[str, int] = {}  # of each kind, over all projects
    restarts: int = 0  # how often the numbers were found to have gone back

    def since(self, tags: Iterable[Tag]) -> int:
        """Return when something of some tags was last changed, as a number."""
        found = self.latest.get(EVERYTHING, 0)
        for kind, scope in tags:
            if scope:
                one = max(self.values.get((kind, scope), 0), self.values.get((kind, ""), 0))
            else:
                one = self.latest.get(kind, 0)
            found = max(found, one)
        return found

    def patterns(self, seen: int) -> list[str]:
        """Return the patterns of keys that were to be forgotten since a number."""
        if self.latest.get(KEYS, 0) <= seen:
            return []
        return [scope for (kind, scope), value in self.values.items() if kind == KEYS and value > seen]


class Generations:
    """Looks at the generations, cheaply; threads share it, and the looks that they take at the same time."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._looks = _Looks(db)

    def look(self) -> Moment:
        """Return the generations as of a moment after this call; raises StorageError.

        On SQLite that costs microseconds while nobody commits anything, on PostgreSQL one row. Who comes
        while somebody looks waits for him and then looks himself, once for all who wait: a look that had
        begun before he came may miss what was committed in between.
        """
        looks = self._looks
        if looks.pid != os.getpid():  # what the parent of a fork knew is true of its own connections alone
            looks = self._looks = _Looks(self._db)
        return looks.take()


class _Looks:
    """The looks of one process."""

    def __init__(self, db: Database) -> None:
        self.pid = os.getpid()
        self._db = db
        self._lock = threading.Lock()
        self._begun = self._ended = 0
        self._version = ""
        self._moment = Moment()

    def take(self) -> Moment:
        """Look, or return what somebody saw who began after this call."""
        arrived = self._begun
        with self._lock:
            if self._ended > arrived:
                return self._moment
            self._begun += 1
            number = self._begun
            version = self._db.generation_mark()
            if version != self._version or not version:
                self._read()
                self._version = version
            self._ended = number
            return self._moment

    def _read(self) -> None:
        former = self._moment
        with self._db.read() as session:
            rows = _rows(session, former.head)
            if former.head and not any(row[:2] == (_HEAD, "") for row in rows):
                head = session.exec_driver_sql(HEAD_VALUE).scalar()
                if head != former.head:  # an older state of the database was brought back
                    former = Moment(restarts=former.restarts + 1)
                    rows = _rows(session, -1)
        self._moment = _after(former, rows)


def _rows(session: Session, seen: int) -> list[tuple[str, str, int]]:
    return [(row.kind, row.scope, row.value) for row in session.execute(_SINCE, {"seen": seen})]


def _after(former: Moment, rows: Sequence[tuple[str, str, int]]) -> Moment:
    if not rows:
        return former
    values, latest = dict(former.values), dict(former.latest)
    head, origin = former.head, former.origin
    for kind, scope, value in rows:
        if kind == _HEAD:
            head, origin = (head, value) if scope == _ORIGIN else (value, origin)
        else:
            values[kind, scope] = value
            latest[kind] = max(latest.get(kind, 0), value)
    return Moment(head, origin, values, latest, former.restarts)


@lru_cache(maxsize=2048)
def _changed(statement: str) -> frozenset[str]:
    """Return the kinds of data that a statement changes, by what it deletes through foreign keys, too."""
    found = [(verb.split()[0].upper(), table.lower()) for verb, table in _WRITES.findall(statement)]
    tables = {table for _, table in found} - {"set"}  # as in DO UPDATE SET
    for verb, table in found:
        if verb in {"DELETE", "REPLACE", "TRUNCATE"} or " OR REPLACE " in statement:
            tables |= _depending(table)
    return frozenset(KIND_OF.get(table, EVERYTHING) for table in tables) - {MACHINERY}


@lru_cache(maxsize=256)
def _depending(table: str) -> frozenset[str]:
    """Return the tables whose rows go, or change, with rows of a table that are deleted."""
    import_module("hefesto_api.storage.tables")
    found: set[str] = set()
    coming = [table]
    while coming:
        gone = coming.pop()
        for other in metadata.tables.values():
            keys = (key for key in other.foreign_keys if key.ondelete and key.column.table.name == gone)
            if other.name not in found and any(keys):
                found.add(other.name)
                coming.append(other.name)
    return frozenset(found)
