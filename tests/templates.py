"""What tests need not make anew each time: the tables of a database, and the SQL of a statement.

Making 84 tables takes a tenth of a second, and each engine would compile each statement again.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.util import LRUCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from hefesto_api.storage.database import Database


def start_from(template: Path, db: Database) -> None:
    """Begin a database of SQLite that is not there with the tables of a migrated one."""
    path = Path(db.url.database or "")
    if db.is_sqlite and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copy(template, path)


def alike(make: Callable[..., sa.Engine]) -> Callable[..., sa.Engine]:
    """Make engines that share what they compile and, as it is kept by dialect, one that has connected."""
    first: tuple[sa.Dialect, Any] | None = None

    def made(*arguments: Any, **named: Any) -> sa.Engine:
        nonlocal first
        built = make(*arguments, **named)
        if built.dialect.name == "sqlite":
            sa.event.listen(built, "connect", _hurry)
        if first is None or first[0].server_version_info is None:
            first = built.dialect, LRUCache(5_000)
        built.dialect, built._compiled_cache = first
        return built

    return made


def _hurry(connection: Any, _record: Any) -> None:
    """Leave it to the system when a file reaches the disk: a kill loses nothing, nobody cuts the power."""
    connection.execute("PRAGMA synchronous=OFF")
