"""`hefesto export`: looks after what streams out of the service; needs no server."""

from __future__ import annotations

import click

from hefesto_api.cli import failures, installation
from hefesto_api.domain.errors import UsageError


@click.group("export")
def command() -> None:
    """Look after what streams out of the service whose database this machine reaches."""


@command.command()
@click.option("--backfill", is_flag=True, help="Send all that is on record, (again) from the beginning.")
def bigquery(*, backfill: bool) -> None:
    """Tell how far the stream to BigQuery is; the workers send, also what `--backfill` asks for.

    On record are all findings with what ever happened to them, and the events of the last days.
    """
    from hefesto_api.storage import exports  # noqa: PLC0415 - `--help` needs nothing of it

    with failures.told(), installation.opened() as here:
        if not here.runtime.settings.bigquery:
            raise UsageError(
                "BigQuery is not set up. Set HEFESTO_BIGQUERY_PROJECT and HEFESTO_BIGQUERY_DATASET."
            )
        db = here.runtime.db
        if backfill:
            with db.write() as session:
                exports.rewind(session)
        with db.read() as session:
            cursors = exports.every(session)
            waiting = exports.waiting(session)
        for name, one in cursors.items():
            refused = f", {one.rows_refused} refused" if one.rows_refused else ""
            failing = f"; the last {one.failures} tries failed: {one.last_error}" if one.failures else ""
            click.echo(f"{name}: {one.rows_sent} rows sent{refused}, {waiting[name]} wait{failing}")
        if not cursors:
            click.echo("No worker has begun to send yet.")
