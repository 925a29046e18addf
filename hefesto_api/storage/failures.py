"""What a database's own errors mean in the words of the domain; no SQL text and no value gets out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hefesto_api.domain.errors import Conflict, HefestoError, Invalid, StorageError

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext

_BUSY = ("busy", "The database is busy; try again.")
_FULL = ("disk_full", "The disk that holds the database is full.")
_READONLY = ("read_only", "The database cannot be written to.")
_LOST = ("connection_lost", "The connection to the database was lost.")
_DAMAGED = ("damaged", "The database file is damaged or is no database; restore a backup.")
_UNREACHABLE = ("unreachable", "The database cannot be opened or reached.")
_REFUSED = ("refused", "The database refused access; check the user, the password and the rights.")
_BEHIND = ("not_migrated", "The database lacks a table or column; run `hefesto db upgrade`.")
_OTHER = ("failed", "The database did not do what it was asked.")

# Primary result codes, https://sqlite.org/rescode.html
_SQLITE = {5: _BUSY, 6: _BUSY, 8: _READONLY, 10: ("io_error", "The database file cannot be read."),
           11: _DAMAGED, 13: _FULL, 14: _UNREACHABLE, 23: _REFUSED, 26: _DAMAGED}  # fmt: skip
# Codes and classes of SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html
_SQLSTATES = {"53100": _FULL, "25006": _READONLY, "55P03": _BUSY, "40001": _BUSY, "40P01": _BUSY,
              "42501": _REFUSED, "42P01": _BEHIND, "42703": _BEHIND, "3D000": _UNREACHABLE}  # fmt: skip
_CLASSES = {"08": _LOST, "57": _LOST, "53": _BUSY, "28": _REFUSED}


def translate(context: ExceptionContext) -> None:
    """Raise the domain's error for a database's (a listener of SQLAlchemy's `handle_error`)."""
    found = _domain_error(context)
    if found is not None:
        raise found from context.original_exception


def _domain_error(context: ExceptionContext) -> HefestoError | None:
    error = context.original_exception
    if isinstance(error, OverflowError | UnicodeEncodeError):
        return Invalid("value", "a number or text is outside what can be stored", "out_of_range")
    wrapped = context.sqlalchemy_exception
    if isinstance(wrapped, sa.exc.IntegrityError):
        return _conflict(error)
    if isinstance(wrapped, sa.exc.DataError):
        return Invalid("value", "a number or text is outside what can be stored", "out_of_range")
    if isinstance(wrapped, sa.exc.DBAPIError):
        return storage_error(error, lost=context.is_disconnect)
    return None


def _conflict(error: Any) -> Conflict:
    text = str(error).lower()
    if "unique" in text:
        return Conflict("It exists already.", reason="exists")
    if "foreign key" in text:
        return Conflict("Something it refers to does not exist, or is still in use.", reason="reference")
    return Conflict("The state of the data does not allow this.", reason="constraint")


def storage_error(error: Any, *, lost: bool = False) -> StorageError:
    """Return what a driver's error means."""
    reason, message = _LOST if lost else _meaning(error)
    return StorageError(message, service="database", reason=reason)


def _meaning(error: Any) -> tuple[str, str]:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        missing = code & 0xFF == 1 and str(error).startswith(("no such table", "no such column"))
        return _BEHIND if missing else _SQLITE.get(code & 0xFF, _OTHER)
    state = getattr(error, "sqlstate", None)
    if state:
        return _SQLSTATES.get(state) or _CLASSES.get(state[:2], _OTHER)
    return _UNREACHABLE if "connect" in str(error) else _OTHER
