"""The promise of the cache, held over every operation there is.

Every kind of data that an operation changes is moved, for the projects of which it was changed; and an answer
that is kept is made of nothing but the kinds that it is kept by. Both are looked at from beneath: by triggers
on every table, and by SQLite's authorizer.
"""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hefesto_api.features.cache.kept import KEPT
from hefesto_api.storage.generations import EVERYTHING, KIND_OF, MACHINERY
from hefesto_api.storage.tables import metadata
from tests.contract.test_access_matrix import a_world, asks, caller, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hefesto_api.storage.database import Database
    from tests.contract.conftest import Operation
    from tests.contract.test_access_matrix import World

# Machinery that kept answers may look at: whose changes they are not made of.
NO_DATA = {"generations", "alembic_version"}
_LOG = "CREATE TABLE touched (name TEXT NOT NULL, scope TEXT, PRIMARY KEY (name, scope)) WITHOUT ROWID"
_VERBS = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service with a row of everything."""
    with a_world(sqlite_template, tmp_path_factory.mktemp("kept")) as one:
        yield one


def test_every_table_has_a_kind_or_is_machinery() -> None:
    assert set(metadata.tables) - set(KIND_OF) == set()


def test_what_is_kept_is_of_kinds_that_are_moved() -> None:
    kinds = {kind for keeping in KEPT.values() for kind in keeping.kinds}
    assert kinds <= set(KIND_OF.values()) - {MACHINERY}


def test_an_answer_is_made_of_nothing_but_the_kinds_that_it_is_kept_by(world: World) -> None:
    headers = caller(world.service, "admin", None)
    app, values = world.service.client.application, world.places["zqalpha"].values
    rules = {rule.endpoint: rule for rule in app.url_map.iter_rules()}
    looked_at = 0
    for operation in world.operations:
        endpoint = next(
            (
                name
                for name in KEPT
                if operation.method == "GET" and _is_at(rules[name].rule, operation.template)
            ),
            None,
        )
        for ask in asks(operation, values, values) if endpoint else ():
            read = _tables_read(world.service.runtime.db, lambda ask=ask: _get(world, ask, headers))
            assert endpoint
            allowed = {*KEPT[endpoint].kinds, "projects"}
            strange = {table for table in read if KIND_OF.get(table, table) not in allowed}
            assert strange - NO_DATA - _of_callers() == set(), (str(ask), strange)
            looked_at += 1
    assert looked_at > len(KEPT)


def test_every_kind_that_an_operation_changes_is_moved_with_it(world: World) -> None:
    headers = caller(world.service, "admin", None)
    service, values = world.service, world.places["zqbeta"].values
    db = service.runtime.db
    _log_what_is_touched(db)
    changed: set[str] = set()
    writing = [operation for operation in world.operations if operation.method != "GET"]
    for operation in sorted(writing, key=_last_what_deletes):
        for ask in asks(operation, values, values):
            before = _generations(db)
            service.client.open(
                ask.url, method=ask.method, json=ask.body, query_string=dict(ask.query), headers=headers
            )
            service.worker.drain()
            moved = {tag for tag, value in _generations(db).items() if value > before.get(tag, 0)}
            for table, scope in _touched(db):
                kind = KIND_OF[table]
                if kind == MACHINERY:
                    continue
                wanted = {(kind, ""), (EVERYTHING, ""), (kind, scope)}
                if (
                    "project_id" not in metadata.tables[table].columns
                ):  # it is of the project of what it is of
                    wanted |= {tag for tag in moved if tag[0] == kind}
                assert wanted & moved, (name_of(operation), table, scope, moved)
                changed.add(kind)
    assert changed >= {"findings", "alerts", "analyses", "deployments", "projects", "webhooks"}


def _last_what_deletes(operation: Operation) -> tuple[bool, bool]:
    return operation.method == "DELETE", operation.template.endswith("{slug}")


def _is_at(rule: str, template: str) -> bool:
    parts, wanted = rule.split("/"), template.split("/")
    return (
        len(parts) == len(wanted)
        and all(
            (part.startswith("<") and other.startswith("{")) or part == other
            for part, other in zip(parts, wanted, strict=True)
        )
        and _named(parts) == _named(wanted)
    )


def _named(parts: list[str]) -> list[str]:
    return [part.strip("<>{}").rpartition(":")[2] for part in parts if part[:1] in {"<", "{"}]


def _get(world: World, ask: Any, headers: dict[str, str]) -> None:
    answer = world.service.client.get(ask.url, query_string=dict(ask.query), headers=headers)
    assert answer.status_code in {200, 404, 422}, (str(ask), answer.get_json())


def _of_callers() -> set[str]:
    """Return the tables that are read to find out who calls."""
    return {"api_keys", "api_key_secrets", "users"}


def _tables_read(db: Database, act: Any) -> set[str]:
    """Return the tables that are read meanwhile, by connections made anew: others know their statements."""
    read: set[str] = set()
    asking = threading.current_thread()

    def look(action: int, table: str | None, *_: Any) -> int:
        mine = threading.current_thread() is asking  # others write now and then what was measured
        if (
            mine
            and action == sqlite3.SQLITE_READ
            and table
            and not table.startswith(("sqlite_", "json_", "pragma_"))
        ):
            read.add(table)
        return sqlite3.SQLITE_OK

    def watch(connection: Any, _record: Any) -> None:
        connection.set_authorizer(look)

    db.close()
    sa.event.listen(sa.engine.Engine, "connect", watch)
    try:
        act()
    finally:
        sa.event.remove(sa.engine.Engine, "connect", watch)
        db.close()
    return read & set(metadata.tables)


def _log_what_is_touched(db: Database) -> None:
    with db.schema() as session:
        session.exec_driver_sql(_LOG)
        for table in metadata.tables.values():
            for verb, row in _VERBS.items():
                scope = f"coalesce({row}.project_id, '')" if "project_id" in table.columns else "''"
                session.exec_driver_sql(
                    f"CREATE TRIGGER touched_{table.name}_{verb} AFTER {verb} ON {table.name} "  # noqa: S608
                    f"BEGIN INSERT INTO touched VALUES ('{table.name}', {scope}) ON CONFLICT DO NOTHING; END"
                )


def _touched(db: Database) -> list[tuple[str, str]]:
    with db.schema() as session:
        found = [(str(row[0]), str(row[1])) for row in session.exec_driver_sql("SELECT * FROM touched")]
        session.exec_driver_sql("DELETE FROM touched")
        return found


def _generations(db: Database) -> dict[tuple[str, str], int]:
    with db.read() as session:
        rows = session.exec_driver_sql("SELECT kind, scope, value FROM generations WHERE kind != ''")
        return {(str(row[0]), str(row[1])): int(row[2]) for row in rows}
