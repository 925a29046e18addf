"""The installation that a command works on beside its server, and the name it does so under."""

from __future__ import annotations

import getpass
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

from hefesto_api.cli import failures
from hefesto_api.domain import slugs
from hefesto_api.domain.access import ALL_SCOPES, Principal
from hefesto_api.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hefesto_api.domain import audit
    from hefesto_api.runtime import Runtime


class Installation(NamedTuple):
    """What a process of it holds, and who works on it here: somebody who may do everything."""

    runtime: Runtime
    operator: Principal


@contextmanager
def opened(*, examined: bool = False) -> Iterator[Installation]:
    """Open the installation that the settings name; a database that is not there yet is made.

    `examined`: only with the keys that the service itself would start with; raises UsageError.
    """
    from hefesto_api import runtime as runtimes  # noqa: PLC0415 - `--help` needs nothing of it
    from hefesto_api import settings as all_settings  # noqa: PLC0415
    from hefesto_api.adapters import logs  # noqa: PLC0415
    from hefesto_api.domain import audit  # noqa: PLC0415

    settings = all_settings.from_process()
    failures.warn(settings.warnings)
    logs.configure(settings)
    runtime = runtimes.build(settings)
    operator = Principal("cli", f"{_account()} (command line)", ALL_SCOPES, None, "system", "enterprise")
    try:
        _prepare(runtime)
        if examined:
            runtimes.examine_secrets(settings, runtime.db)
        with audit.acting(_actor(operator.name), _unnoted) as act:
            yield Installation(runtime, operator)
            if act.notes:
                with runtime.db.write(witnessed=False):
                    pass
    finally:
        runtime.close()


def _actor(name: str) -> audit.Actor:
    """Return who acts: the account of this machine that runs the command."""
    from hefesto_api.domain import audit, ids  # noqa: PLC0415

    return audit.Actor(f"cli:{_account()}", name, request_id=ids.new_id())


def _unnoted() -> audit.Note:
    """Tell of a change that the command itself has no words for."""
    from hefesto_api.domain import audit  # noqa: PLC0415

    told = {"command": click.get_current_context().command_path}
    return audit.Note("database.changed", "database", None, told)


def _checked(
    _context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> list[str] | None:
    wrong = [slug for slug in given if not slugs.is_slug(slug)]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} names no project: {slugs.RULE}")
    return list(given) or None


projects = click.option(
    "--project",
    "projects",
    multiple=True,
    metavar="SLUG",
    callback=_checked,
    help="Bind to this project; may be repeated. Else all of them.",
)
"""The option that binds somebody to projects."""


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in columns; what others have written drives no terminal."""
    from hefesto_api.formats.safe import one_line  # noqa: PLC0415

    shown = [list(titles), *([one_line("" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(titles))]
    for row in shown:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def bound(projects: Sequence[str] | None) -> str:
    """Say to which projects somebody is bound."""
    return "all" if projects is None else ",".join(projects) or "none"


def print_json(values: Sequence[Mapping[str, object]]) -> None:
    """Print values for other programs."""
    import orjson  # noqa: PLC0415

    click.echo(orjson.dumps(values, option=orjson.OPT_INDENT_2).decode())


def _prepare(runtime: Runtime) -> None:
    from hefesto_api.storage import migrate  # noqa: PLC0415

    at = migrate.current(runtime.db)
    if at is None:
        migrate.upgrade(runtime.db)
    elif at != migrate.HEAD:
        raise UsageError("The database is of another version; run `hefesto db upgrade` first.")


def _account() -> str:
    """Name the account of this machine that runs the command, as far as it has a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "somebody"
