"""`hefesto db`: looks after the database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hefesto_api.cli import failures, installation
from hefesto_api.domain.errors import HefestoError, UsageError

if TYPE_CHECKING:
    from hefesto_api.storage.database import Database

_FILE = click.Path(path_type=Path)


@click.group("db")
def command() -> None:
    """Look after the database that HEFESTO_DATABASE_URL names, else instance/hefesto.db."""


@command.command()
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the database to this version's schema, or to a REVISION; creates it when there is none."""
    from hefesto_api.storage import migrate  # noqa: PLC0415

    with failures.told():
        db = _database()
        before = migrate.current(db)
        done = migrate.upgrade(db, revision)
        click.echo(f"Upgraded to {migrate.current(db)}." if done else f"At {migrate.current(db)} already.")
        if done and before is not None:
            _note(db, "database.upgraded", {"revision": {"from": before, "to": migrate.current(db)}})


@command.command()
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Do not ask.")
def downgrade(revision: str, *, yes: bool) -> None:
    """Take the database back to an older REVISION; what only newer ones keep is lost (`base`: all of it)."""
    from hefesto_api.storage import migrate  # noqa: PLC0415

    with failures.told():
        db = _existing()
        if not yes:
            click.confirm(f"What revision {revision} cannot keep will be deleted. Go on?", abort=True)
        migrate.downgrade(db, revision)
        click.echo(f"At {migrate.current(db) or 'base'}.")


@command.command()
def current() -> None:
    """Print the schema revision that the database is at."""
    from hefesto_api.storage import migrate  # noqa: PLC0415

    with failures.told():
        at = migrate.current(_existing())
        note = "" if at == migrate.HEAD else f"; this version needs {migrate.HEAD}: run `hefesto db upgrade`"
        click.echo(f"{at or 'base'}{note}")


@command.command()
@click.argument("file", type=_FILE)
def backup(file: Path) -> None:
    """Copy the database to FILE, as it is at one moment, while it is in use."""
    from hefesto_api.storage import maintenance  # noqa: PLC0415

    with failures.told():
        maintenance.backup(_existing(), file)
        click.echo(f"Written to {file}.")


@command.command()
@click.argument("file", type=_FILE)
def restore(file: Path) -> None:
    """Replace the database by the backup in FILE; the former one of SQLite is kept beside it."""
    from hefesto_api.storage import generations, maintenance  # noqa: PLC0415

    with failures.told():
        db = _database()
        kept = maintenance.restore(file, db)
        generations.distrust(db)
        click.echo("Restored." + (f" The former database is kept as {kept}." if kept else ""))
        _note(db, "database.restored", {"backup": file.name, "former": kept.name if kept else None})


@command.command()
def check() -> None:
    """Look for damage, and count the rows of each table; exits with 1 when something is wrong."""
    from hefesto_api.storage import maintenance  # noqa: PLC0415

    with failures.told():
        health = maintenance.check(_existing())
        for name, rows in sorted(health.rows.items()):
            click.echo(f"{name:<20} {rows:>10}")
        for problem in health.problems:
            failures.say(problem)
        if health.problems:
            failures.say("stop the service, keep the file, and run `hefesto db restore FILE` with a backup")
        if not health.current:
            failures.say(f"the schema is {health.revision or 'missing'}; run `hefesto db upgrade`")
        sound = health.current and not health.problems
        click.echo("The database is sound." if sound else "The database is not in order.")
        failures.leave(failures.CLEAN if sound else failures.GATE_FAILED)


def _database() -> Database:
    from hefesto_api import settings as all_settings  # noqa: PLC0415
    from hefesto_api.storage.database import open_database  # noqa: PLC0415

    settings = all_settings.from_process()
    failures.warn(settings.warnings)
    return open_database(settings.database_url)


def _note(db: Database, action: str, changes: dict[str, Any]) -> None:
    """Tell the audit log of what was done, if the database is of this version and so has one."""
    from hefesto_api.domain import audit  # noqa: PLC0415
    from hefesto_api.storage import migrate  # noqa: PLC0415

    if not migrate.is_current(db):
        return
    db.close()
    try:
        with installation.opened() as here, here.runtime.db.write():
            audit.note(action, "database", None, changes)
    except HefestoError as error:
        failures.say(f"it was done, but could not be written to the audit log: {error.message}")


def _existing() -> Database:
    """Open a database that is there: looking at one must not make it."""
    db = _database()
    if db.is_sqlite and not Path(str(db.url.database)).is_file():
        raise UsageError(f"There is no database at {db.url.database}; `hefesto db upgrade` makes one.")
    return db
