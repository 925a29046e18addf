"""The `hefesto` command. Each subcommand is imported when it is called: a start costs what it uses."""

from __future__ import annotations

import atexit
import gc
from importlib import import_module
from typing import TYPE_CHECKING

import click

from hefesto_api.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

# Everything that is left at the end goes with the process: looking it through for garbage took 0.1 s.
atexit.register(gc.freeze)

# Command -> (module, its line in the list of commands); the list is shown without importing them.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "analyze": ("hefesto_api.cli.analyze", "Look for what is wrong in files and folders; needs no server."),
    "correlate": (
        "hefesto_api.cli.correlate",
        "Find the function at fault for a stack trace; needs no server.",
    ),
    "explain": ("hefesto_api.cli.explain", "Explain a rule: why it matters and what to do."),
    "serve": ("hefesto_api.cli.serving", "Run the whole service on this machine."),
    "worker": ("hefesto_api.cli.working", "Work the queue off, beside one or more servers."),
    "db": ("hefesto_api.cli.database", "Look after the database: upgrade, back up, restore, check."),
    "keys": ("hefesto_api.cli.keys", "Keep API keys: create, list, revoke; encrypt secrets anew."),
    "users": ("hefesto_api.cli.users", "Keep users: create, list, disable, delete; roles and passwords."),
    "audit": ("hefesto_api.cli.audit", "Verify the audit log, or write it out."),
    "export": ("hefesto_api.cli.export", "Look after what streams to BigQuery: how far it is, backfill."),
    "doctor": (
        "hefesto_api.cli.doctor",
        "Look for the usual mistakes of an installation, and tell what cures them.",
    ),
    "version": ("hefesto_api.cli.about", "Print the version."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and lines, and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="hefesto")
def main() -> None:
    """Know where code is weak, and when production breaks, which line, why, and what to do."""
