"""`hefesto keys withdraw-tokens`: for when a key that signs access tokens may be known to others."""

from __future__ import annotations

import click

from hefesto_api.cli import failures, installation


@click.command("withdraw-tokens")
def command() -> None:
    """Refuse every access token that is out, within a second, and sign with a new key from now on.

    Nobody has to log in again: clients get other tokens for their refresh tokens. Needs no server.
    """
    from hefesto_api.domain import audit  # noqa: PLC0415 - `--help` needs nothing of it
    from hefesto_api.storage import signing_keys  # noqa: PLC0415

    with failures.told(), installation.opened() as here:
        with here.runtime.db.write() as session:
            many = signing_keys.withdraw(session)
            audit.note("signing_keys.withdrawn", "signing_keys", None, {"keys": many})
        click.echo("Access tokens that were given out so far are refused from now on.")
