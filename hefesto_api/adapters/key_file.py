"""The key of an installation that was given none: a file beside its SQLite database, for the owner alone."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from hefesto_api.domain.errors import UsageError
from hefesto_api.settings.readers import LEAST_KEY, NEW_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "secret.key"
_MOST = 4096  # bytes read of it
_REMEDY = f"Set HEFESTO_SECRET_KEY, for example to what `{NEW_KEY}` prints."


def path_beside(database_url: str) -> Path | None:
    """Return where the key file of a database is; None for a database that is no file of this machine."""
    url = sa.make_url(database_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database).absolute().with_name(NAME)


def secret_beside(database_url: str) -> str:
    """Return the key in the file beside a database, made now when there is none.

    However many processes ask at once, one key is made. Raises UsageError that names the remedy.
    """
    path = path_beside(database_url)
    if path is None:
        raise UsageError(f"A database that several machines may share needs a key for its secrets. {_REMEDY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone_with(path) as descriptor:
            return _read(descriptor, path) or _write(descriptor, path)
    except OSError as error:
        raise UsageError(f"The key file {path} cannot be used: {error.strerror}. {_REMEDY}") from error


def former(database_url: str) -> tuple[str, ...]:
    """Return the key in the file beside a database where there is one, from before a key was set."""
    path = path_beside(database_url)
    return (secret_beside(database_url),) if path is not None and path.is_file() else ()


@contextmanager
def _alone_with(path: Path) -> Iterator[int]:
    """Open the file, which no other process reads or writes meanwhile."""
    descriptor = _opened(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    """Open the file to be written where that is allowed: a mounted secret can only be read."""
    flags = os.O_CLOEXEC | os.O_NONBLOCK
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)
    except OSError as error:
        if error.errno not in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise
        return os.open(path, os.O_RDONLY | flags)


def _read(descriptor: int, path: Path) -> str:
    """Return the key, "" of a new file; raises UsageError for what is no key file of ours."""
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        raise UsageError(f"{path} is not a file. {_REMEDY}")
    if about.st_mode & 0o077 and about.st_uid == os.geteuid():
        os.fchmod(descriptor, 0o600)
    text = os.read(descriptor, _MOST).decode("utf-8", "replace")
    if text and (not text.endswith("\n") or len(text.strip()) < LEAST_KEY):
        raise UsageError(
            f"The key file {path} is damaged. Restore it from a backup; without it, secrets that are "
            "stored cannot be read any more."
        )
    return text.strip()


def _write(descriptor: int, path: Path) -> str:
    """Put a new key into the file, on disk before anything is encrypted with it."""
    secret = secrets.token_urlsafe(32)
    os.write(descriptor, f"{secret}\n".encode())
    os.fsync(descriptor)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return secret
