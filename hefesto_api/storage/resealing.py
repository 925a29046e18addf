"""Encrypting every stored secret anew with the first key: in small steps, each of which may be the last.

How far it got stands in the rows themselves: a text names the key that sealed it. So a kill at any moment
leaves each secret readable with one of the keys, and the next run goes on with what is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
import structlog
from msgspec import Struct

from hefesto_api.domain import audit, sealed
from hefesto_api.domain.errors import ServiceUnavailable
from hefesto_api.storage import secret_keys, sqlite
from hefesto_api.storage.base import Session, Text
from hefesto_api.storage.sealed import SealedColumn, columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hefesto_api.storage.database import Database
    from hefesto_api.storage.secret_keys import Sealer

log = structlog.get_logger("secrets")

_EMPTY_LOG = "PRAGMA wal_checkpoint(TRUNCATE)"
BATCH = 100  # secrets in one transaction: milliseconds, between which others write


class Outcome(Struct):
    """What a run did: secrets sealed anew, those of each column that could not be read, and those left.

    `left` counts, by key, what is still not sealed with the first one ("": by none); `retired` are the keys
    that nothing needs any more.
    """

    resealed: int = 0
    unreadable: dict[str, int] = {}
    left: dict[str, int] = {}
    retired: list[str] = []


def seal_plain(db: Database, vault: Sealer) -> int:
    """Seal the secrets that earlier versions stored as they were; return how many.

    SQLite's file is written anew then: what was stored before still stands in parts of it that nothing uses.
    """
    outcome = Outcome()
    for column in columns():
        _reseal(db, vault, column, sealed.beginning(), outcome, lambda _count: None)
    if outcome.resealed:
        _scrub(db, "VACUUM", _EMPTY_LOG)
    return outcome.resealed


def to_do(db: Database, vault: Sealer) -> int:
    """Count the secrets that are not sealed with the first key."""
    with db.read() as session:
        return sum(_left(session, vault).values())


def run(db: Database, vault: Sealer, tell: Callable[[int], None] = lambda _count: None) -> Outcome:
    """Seal every secret with the first key, and forget the keys that nothing needs any more.

    `tell` hears how many more were looked at, after each step.
    """
    outcome = Outcome()
    beginning = sealed.beginning(vault.key_ids[0])
    for column in columns():
        _reseal(db, vault, column, beginning, outcome, tell)
    with db.write() as session:
        outcome.left = _left(session, vault)
        for key_id in secret_keys.known(session):
            if key_id != vault.key_ids[0] and not outcome.left.get(key_id):
                secret_keys.forget(session, key_id)
                outcome.retired.append(key_id)
        if outcome.resealed or outcome.retired:
            told = {
                "resealed": outcome.resealed,
                "left": sum(outcome.left.values()),
                "retired": outcome.retired,
            }
            audit.note("secrets.resealed", "secret_key", vault.key_ids[0], told)
    _scrub(db, _EMPTY_LOG)
    return outcome


def _left(session: Session, vault: Sealer) -> dict[str, int]:
    counts = secret_keys.in_use(session)
    return {key_id: count for key_id, count in counts.items() if key_id != vault.key_ids[0]}


def _reseal(
    db: Database,
    vault: Sealer,
    column: SealedColumn,
    beginning: str,
    outcome: Outcome,
    tell: Callable[[int], None],
) -> None:
    """Seal the texts of a column that do not begin so."""
    for batch in _batches(db, column, beginning):
        changes = [change for row in batch if (change := _changed(vault, column, row, outcome))]
        if changes:
            with db.write(witnessed=False) as session:
                if db.is_sqlite:
                    session.exec_driver_sql("PRAGMA secure_delete=ON")  # what was there before is overwritten
                # A secret that was changed meanwhile is left to whoever changed it.
                session.execute(_update(column), changes)
        outcome.resealed += len(changes)
        tell(len(batch))


def _scrub(db: Database, *statements: str) -> None:
    """Remove former texts from SQLite's files, as far as no other process is in the way."""
    if not db.is_sqlite:
        return
    connection = sqlite.library().connect(db.url.database, isolation_level=None, timeout=10)
    try:
        for statement in statements:
            connection.execute(statement)
    except sqlite.library().OperationalError as error:
        log.warning("former_secrets_left", database=str(db.url.database), reason=str(error))
    finally:
        connection.close()


def _batches(db: Database, column: SealedColumn, beginning: str) -> Iterator[Sequence[Any]]:
    """Yield what is to be sealed, in the order of the key, each row once."""
    other = sa.func.substr(column.column, 1, len(beginning), type_=Text()) != beginning
    chosen = sa.select(
        column.key.label("key"), column.row.label("row"), sa.type_coerce(column.column, Text).label("text")
    ).where(column.column.is_not(None), other)
    statement = chosen.order_by(column.key).limit(BATCH)
    with db.read() as session:
        batch = session.execute(statement).all()
    while batch:
        yield batch
        with db.read() as session:
            batch = session.execute(statement.where(column.key > batch[-1].key)).all()


def _changed(vault: Sealer, column: SealedColumn, row: Any, outcome: Outcome) -> dict[str, Any] | None:
    """Return how a row is to change; None, and it is counted, when its secret cannot be read."""
    purpose = column.kind.purpose
    try:
        plain = (
            vault.decrypt(row.text, purpose=purpose, row=row.row)
            if sealed.is_sealed(row.text)
            else row.text.encode("utf-8", "surrogatepass")
        )
    except ServiceUnavailable:
        outcome.unreadable[column.name] = outcome.unreadable.get(column.name, 0) + 1
        return None
    return {"of_key": row.key, "old": row.text, "new": vault.encrypt(plain, purpose=purpose, row=row.row)}


def _update(column: SealedColumn) -> sa.Update:
    same = sa.type_coerce(column.column, Text) == sa.bindparam("old", type_=Text())
    return (
        sa.update(column.table)
        .where(column.key == sa.bindparam("of_key"), same)
        .values({column.column.name: sa.bindparam("new", type_=column.kind)})
    )
