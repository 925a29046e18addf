"""Watching the statements that go to a database, for those who follow what a piece of work is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext

_KEY = "watched"


class Watched(Protocol):
    """Who is told that a statement has ended."""

    def end(self, *, failed: str = "") -> None:
        """Take in that it ended; `failed` says what went wrong."""


Watcher = Callable[[str, str], Watched | None]
"""Called with the kind of database and the text of a statement, in which values are placeholders."""


def watch(begin: Watcher) -> Callable[[], None]:
    """Have every statement of this process watched from now on; return what ends that."""

    def before(
        session: sa.Connection, _cursor: Any, text: str, _values: Any, _context: Any, _many: bool
    ) -> None:
        left = session.info.pop(_KEY, None)
        if left is not None:  # another listener raised before ours was told of the failure
            left.end(failed="Error")
        watched = begin(session.dialect.name, text)
        if watched is not None:
            session.info[_KEY] = watched

    def after(
        session: sa.Connection, _cursor: Any, _text: str, _values: Any, _context: Any, _many: bool
    ) -> None:
        watched = session.info.pop(_KEY, None)
        if watched is not None:
            watched.end()

    def failed(context: ExceptionContext) -> None:
        watched = context.connection.info.pop(_KEY, None) if context.connection is not None else None
        if watched is not None:
            watched.end(failed=type(context.original_exception).__name__)

    listeners = (("before_cursor_execute", before), ("after_cursor_execute", after))
    for name, listener in listeners:
        sa.event.listen(sa.Engine, name, listener)
    sa.event.listen(sa.Dialect, "handle_error", failed)

    def end() -> None:
        for name, listener in listeners:
            sa.event.remove(sa.Engine, name, listener)
        sa.event.remove(sa.Dialect, "handle_error", failed)

    return end
