"""What a transaction tells the audit log: its notes, else that it changed something, or else nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hefesto_api.domain.errors import HefestoError, StorageError
from hefesto_api.storage.doors import driver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.domain import audit
    from hefesto_api.storage.base import Session


class Witness(Protocol):
    """Who writes the audit log (`storage.audit`)."""

    def prepare(self) -> None:
        """Do what cannot be done within a transaction; called before each."""

    def append(self, session: Session, actor: audit.Actor, notes: Sequence[audit.Note]) -> None:
        """Write what was done, in its transaction; what this raises undoes it."""


def changes(session: Session) -> int:
    """Return how many rows SQLite's connection has changed so far."""
    return int(driver(session).total_changes) if session.dialect.name == "sqlite" else 0


def due(session: Session, act: audit.Act, before: int) -> list[audit.Note]:
    """Return what the audit log must be told of a transaction; `before` are the `changes` at its begin."""
    if act.notes or act.told or act.otherwise is None:
        return list(act.notes)
    return [act.otherwise()] if _has_changed(session, before) else []


def testify(witness: Witness, session: Session, act: audit.Act, notes: list[audit.Note]) -> None:
    """Have notes written; raises StorageError, which undoes what they tell of."""
    try:
        witness.append(session, act.who(), notes)
    except HefestoError as error:
        message = "The change was not made: it could not be written to the audit log."
        reason = error.details.get("reason", "failed")
        raise StorageError(message, service="audit", reason=reason) from error


def _has_changed(session: Session, before: int) -> bool:
    if session.dialect.name == "sqlite":
        return changes(session) != before
    return bool(session.exec_driver_sql("SELECT pg_current_xact_id_if_assigned() IS NOT NULL").scalar())
