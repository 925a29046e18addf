"""`hefesto audit`: verifies the audit log and writes it out; needs no server."""

from __future__ import annotations

import sys
from datetime import UTC, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hefesto_api.cli import failures, installation
from hefesto_api.domain.audit import OUTCOMES
from hefesto_api.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_DAYS = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.group("audit")
def command() -> None:
    """Look after the audit log of the service whose database this machine reaches."""


@command.command()
@click.option("--seal", metavar="NUMBER:HASH", help="A seal that was noted elsewhere: it must be there.")
def verify(*, seal: str | None) -> None:
    """Look at every entry: is it as it was written, in its place, is none missing; exits with 1 if not.

    The last line is the newest seal: kept elsewhere, it proves later that nothing before it was changed.
    """
    from hefesto_api.features.audit import service  # noqa: PLC0415 - `--help` needs nothing of it
    from hefesto_api.storage import audit_seals  # noqa: PLC0415

    with failures.told(), installation.opened() as here:
        held = here.runtime
        verdict = service.verify(held.db, held.ledger, seal)
        if not verdict.valid:
            failures.say(f"the audit log was changed: {verdict.first_bad or 'all of it'}: {verdict.reason}")
            click.echo(f"{verdict.checked} entries were looked at.")
            failures.leave(failures.GATE_FAILED)
        click.echo(f"The {verdict.checked} entries are as they were written.")
        newest = audit_seals.seal(held.db, held.ledger) or verdict.seal
        if newest is not None:
            click.echo(str(newest))


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which entries are wanted."""
    for name, about in (
        ("user-id", "Who did it."),
        ("action", "What was done, as finding.updated."),
        ("resource-type", "To what kind of thing."),
        ("resource-id", "To which one."),
        ("project", "In which project."),
        ("ip-address", "From where."),
        ("request-id", "In which request."),
        ("q", "A text in it."),
    ):
        command = click.option(f"--{name}", metavar="TEXT", help=about)(command)
    command = click.option("--outcome", type=click.Choice(OUTCOMES), help="How it went.")(command)
    command = click.option("--start-date", type=_DAYS, help="From this day (or second, UTC) on.")(command)
    return click.option("--end-date", type=_DAYS, help="Up to this day, inclusive (or second, UTC).")(command)


@command.command()
@click.option("--format", "kind", type=click.Choice(("jsonl", "csv")), default="jsonl", help="jsonl.")
@click.option("--output", type=click.Path(path_type=Path), help="A file to make; standard output otherwise.")
@_filters
def export(*, kind: str, output: Path | None, **wanted: Any) -> None:
    """Write entries out, the oldest first: a JSON object a line, or a table."""
    from hefesto_api.features.audit import service  # noqa: PLC0415

    with failures.told(), installation.opened() as here:
        wanted["start_date"] = _moment(wanted["start_date"], end=False)
        wanted["end_date"] = _moment(wanted["end_date"], end=True)
        pieces = service.export(here.runtime.db, service.wanted(wanted), kind).pieces
        if output is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        try:
            with output.open("xb") as file:
                file.writelines(pieces)
        except OSError as error:
            raise UsageError(f"{output} cannot be made: {error.strerror}.") from error
        click.echo(f"Written to {output}.")


def _moment(given: datetime | None, *, end: bool) -> datetime | None:
    """Return an instant in UTC; a day without a time is its first one, or its last."""
    if given is None:
        return None
    if end and given.time() == time.min:
        given = given.replace(hour=23, minute=59, second=59, microsecond=999_999)
    return given.replace(tzinfo=UTC)
