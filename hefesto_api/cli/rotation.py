"""`hefesto keys rotate-secret`: encrypts every stored secret anew, and says which keys may go."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from hefesto_api.cli import failures, installation
from hefesto_api.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hefesto_api.adapters.secrets import Vault
    from hefesto_api.settings import Settings
    from hefesto_api.storage.resealing import Outcome


@click.command("rotate-secret")
@click.option("--lost", metavar="KEY", help="Give up what the key with this fingerprint encrypted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(*, lost: str | None, yes: bool) -> None:
    """Encrypt every stored secret with the first key of HEFESTO_SECRET_KEY=new,old.

    The service may run meanwhile, with the same setting. Ended at any moment, the next run goes on; at the
    end it says which keys may be removed. Needs no server.
    """
    from hefesto_api.adapters.secrets import open_vault  # noqa: PLC0415 - `--help` needs nothing of it
    from hefesto_api.storage import resealing, secret_keys  # noqa: PLC0415

    with failures.told(), installation.opened() as here:
        db, settings = here.runtime.db, here.runtime.settings
        vault = open_vault(settings)
        if lost:
            _give_up(settings.database_url, vault, lost, yes=yes)
        secret_keys.admit(db, vault.key_ids)
        with _shown(resealing.to_do(db, vault)) as tell:
            outcome = resealing.run(db, vault, tell)
        _report(outcome, vault, settings)


def _give_up(url: str, vault: Vault, key_id: str, *, yes: bool) -> None:
    """Go on without a key that is lost, after it was asked for.

    The audit log tells of it afterwards: its own key may be among what is lost.
    """
    from hefesto_api.domain import audit  # noqa: PLC0415
    from hefesto_api.storage import secret_keys  # noqa: PLC0415
    from hefesto_api.storage.database import open_database  # noqa: PLC0415

    db = open_database(url)
    if key_id in vault.key_ids:
        raise UsageError(f"The key {key_id} is at hand: nothing that it encrypted is lost.")
    with db.read() as session:
        if key_id not in {*secret_keys.known(session), *secret_keys.in_use(session)}:
            raise UsageError(f"Nothing here is encrypted with a key {key_id}.")
    if not yes:
        click.confirm(f"What the key {key_id} encrypted must then be entered anew. Go on?", abort=True)
    with db.write() as session:
        lost = secret_keys.give_up(session, key_id)
    db.close()
    audit.note("secrets.given_up", "secret_key", key_id, dict(lost))
    for name, count in sorted(lost.items()):
        click.echo(f"Given up: {count} in {name}.")


@contextmanager
def _shown(total: int) -> Iterator[Callable[[int], None]]:
    """Give what hears of each step: a bar on a terminal, nothing elsewhere."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (
        TextColumn("Encrypting"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("secrets"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)


def _report(outcome: Outcome, vault: Vault, settings: Settings) -> None:
    """Say what was done, and which keys may go; ends with 1 when some must stay."""
    click.echo(f"{outcome.resealed} secrets were encrypted with the key {vault.key_ids[0]}.")
    for name, count in sorted(outcome.unreadable.items()):
        failures.say(f"{count} in {name} cannot be read with any key at hand; they were left as they are.")
    for key_id in vault.key_ids[1:]:
        if outcome.left.get(key_id):
            failures.say(
                f"{_place(key_id, vault, settings)} is still needed: {outcome.left[key_id]} secrets are "
                "encrypted with it. Start every process again with the new setting, then run this again."
            )
        else:
            click.echo(f"{_place(key_id, vault, settings)} is not needed any more and may be removed.")
    if outcome.left:
        failures.leave(failures.GATE_FAILED)


def _place(key_id: str, vault: Vault, settings: Settings) -> str:
    """Say where a key is from."""
    number = vault.key_ids.index(key_id)
    if number < len(settings.secret_key):
        return f"Key {number + 1} of HEFESTO_SECRET_KEY ({key_id})"
    return f"The key file beside the database ({key_id})"
