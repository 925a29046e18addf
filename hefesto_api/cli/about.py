"""`hefesto version`."""

from __future__ import annotations

import click

from hefesto_api.version import __version__


@click.command("version")
def command() -> None:
    """Print the version."""
    click.echo(f"hefesto {__version__}")
