"""What an examination comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from hefesto_api.settings import Settings
from hefesto_api.storage.database import Database

ERROR, WARNING = "error", "warning"


class Complaint(Struct, frozen=True):
    """Something that is wrong: `cure` is a command to run, or what to set."""

    severity: str
    what: str
    why: str
    cure: str


class Patient(Struct, frozen=True):
    """An installation: its settings and its database, which may be missing or out of reach.

    `answers`: whether the database could be read and is of this version; what needs it asks first.
    """

    settings: Settings
    db: Database
    answers: bool = False


Examination = Callable[[Patient], Iterator[Complaint]]


def error(what: str, why: str, cure: str) -> Complaint:
    """Complain of what keeps the service from working, or its data from being safe."""
    return Complaint(ERROR, what, why, cure)


def warning(what: str, why: str, cure: str) -> Complaint:
    """Complain of what will hurt some day."""
    return Complaint(WARNING, what, why, cure)
