"""Where a command without a server keeps its state: the user's cache folder, never the analysed tree."""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hefesto_api import settings as all_settings
from hefesto_api.domain.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hefesto_api.settings import Settings
    from hefesto_api.storage.database import Database

VARIABLE = "HEFESTO_DATABASE_URL"
LOCKS = "locks"
PATIENCE = 60.0  # seconds to wait for another command's transaction


def settings_of(environ: Mapping[str, str]) -> Settings:
    """Read the settings, without the names that platforms and other programs set for themselves."""
    return all_settings.load(environ, Path.cwd(), ours_only=True)


def folder(environ: Mapping[str, str]) -> Path:
    """Return our cache folder (XDG Base Directory Specification: a relative value does not count)."""
    given = environ.get("XDG_CACHE_HOME", "")
    base = given if given.startswith("/") else os.path.expanduser("~/.cache")  # noqa: PTH111 - never raises
    if not base.startswith("/"):
        raise StorageError("There is no home folder.", service="database", reason="unreachable")
    return Path(base, "hefesto")


@contextmanager
def opened(environ: Mapping[str, str], tell: Callable[[str], None]) -> Iterator[Database]:
    """Open the state's database, migrated: the one the environment names, else the one in the cache folder.

    Where the cache folder cannot be used, a temporary one serves, and that is told. The name is taken from
    the environment alone: a `.env` file in an analysed tree must not lead the findings elsewhere.
    """
    with ExitStack() as held:
        url = environ.get(VARIABLE)
        if url:
            db = _migrated(_readable(url))
        else:
            try:
                db = _cached(folder(environ) / "hefesto.db")
            except StorageError as error:
                tell(f"warning: nothing is remembered, a temporary folder serves. {error.message}")
                temporary = held.enter_context(tempfile.TemporaryDirectory(prefix="hefesto-"))
                db = _migrated(f"sqlite:///{temporary}/hefesto.db")
        held.callback(db.close)
        yield db


def _cached(path: Path) -> Database:
    """Open the database in the cache folder; raises StorageError, also when it can only be read."""
    if os.path.exists(path) and not os.access(path, os.W_OK):  # noqa: PTH110 - never raises
        raise StorageError(f"{path} belongs to somebody else.", service="database", reason="unreachable")
    try:
        return _migrated(f"sqlite:///{path}")
    except StorageError as error:
        raise StorageError(f"{path} cannot be used: {error.message}", **error.details) from error


def _migrated(url: str) -> Database:
    from hefesto_api.storage import migrate  # noqa: PLC0415 - a head start does not wait for SQLAlchemy
    from hefesto_api.storage.database import open_database  # noqa: PLC0415

    db = open_database(url, patience=PATIENCE)
    migrate.upgrade(db)
    return db


def is_first(environ: Mapping[str, str], project: str) -> bool:
    """Tell whether no command of this user has ever analysed a project, as far as one file tells."""
    if environ.get(VARIABLE):
        return False
    try:
        return not (folder(environ) / LOCKS / project).exists()
    except (OSError, StorageError):
        return True


@contextmanager
def exclusive(environ: Mapping[str, str], project: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Let one command at a time analyse a project; a second one waits, and says so."""
    place = folder(environ) / LOCKS
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(place / project, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (OSError, StorageError):  # then the database is a temporary one, and nobody else's
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("another command analyses this project; waiting for it to end.")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _readable(url: str) -> str:
    """Return a database URL as the settings read it, with the same message where it is none."""
    return all_settings.load({VARIABLE: url}, Path("/nonexistent")).database_url
