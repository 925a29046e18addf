"""`hefesto keys`: API keys, kept on the service's machine."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from hefesto_api.cli import failures, installation, rotation, withdrawal
from hefesto_api.domain.access import ROLES, SCOPES, TIERS
from hefesto_api.domain.errors import NotFound, UsageError

if TYPE_CHECKING:
    from hefesto_api.cli.installation import Installation
    from hefesto_api.features.auth.keys import Desk

_MOST_DAYS = 36_500
_LONGEST = 200  # characters of a name


def _text(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if not name.strip() or len(name) > _LONGEST:
        raise click.BadParameter(f"1 to {_LONGEST} characters.")
    return name


@click.group("keys")
def command() -> None:
    """Keep the API keys of the service whose database this machine reaches; needs no server."""


command.add_command(rotation.command)
command.add_command(withdrawal.command)


@command.command()
@click.option(
    "--name", required=True, callback=_text, help="What the key is for, as lists and histories show it."
)
@click.option("--role", type=click.Choice(tuple(ROLES)), help="A set of scopes.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(tuple(SCOPES)), help="May be repeated.")
@installation.projects
@click.option("--tier", type=click.Choice(TIERS), default="pro", help="How much it may ask: pro.")
@click.option("--expires-in", "days", type=click.IntRange(1, _MOST_DAYS), metavar="DAYS", help="Else never.")
@click.option("--user", metavar="EMAIL", help="Whose it is; it may never more than its user.")
@click.option("--require-signature", is_flag=True, help="Refuse its requests unless they are signed.")
def create(*, days: int | None, user: str | None, **wanted: Any) -> None:
    """Make a key with a role or with scopes, and print it, alone on the last line; it is shown this once."""
    from hefesto_api.domain import clock  # noqa: PLC0415 - `--help` needs nothing of it
    from hefesto_api.features.auth import keys  # noqa: PLC0415

    with failures.told(), installation.opened(examined=True) as here:
        expires_at = None if days is None else clock.now() + timedelta(days=days)
        wanted |= {"expires_at": expires_at, "user_id": _user_id(here, user)}
        made = keys.create(_desk(here), wanted)
        what = made["role"] or ", ".join(made["scopes"])
        where = installation.bound(made["projects"])
        click.echo(f"Key {made['id']} ({what}; projects: {where}; {made['tier']}). Keep it safe:")
        if "signing_secret" in made:
            click.echo(f"Its requests are signed with {made['signing_secret']}")
        click.echo(made["key"])


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="For other programs.")
def show(*, as_json: bool) -> None:
    """List the keys, the oldest first; a secret is never among it."""
    from hefesto_api.features.auth import keys  # noqa: PLC0415
    from hefesto_api.storage import api_keys  # noqa: PLC0415

    with failures.told(), installation.opened(examined=True) as here:
        with here.runtime.db.read() as session:
            told = [keys.as_told(key) for key in api_keys.matching(session)]
        if as_json:
            installation.print_json(told)
            return
        titles = ("ID", "NAME", "BEGINS", "MAY", "PROJECTS", "TIER", "STATE", "LAST USED")
        installation.table(titles, [_row(key) for key in told])


@command.command()
@click.argument("key")
@click.option("--force", is_flag=True, help="Also the last admin's.")
def revoke(key: str, *, force: bool) -> None:
    """Revoke a KEY, named by its id or by how it begins; within a second no process takes it any more."""
    from hefesto_api.features.auth import keys  # noqa: PLC0415

    with failures.told(), installation.opened(examined=True) as here:
        found = _named(here, key)
        keys.revoke(_desk(here, force=force), found["id"])
        click.echo(f"Revoked: {found['id']} ({found['name']}).")


def _desk(here: Installation, *, force: bool = False) -> Desk:
    from hefesto_api.features.auth.keys import Desk  # noqa: PLC0415

    return Desk(here.runtime.db, here.operator, lambda: here.runtime.vault, keeps_admins=not force)


def _user_id(here: Installation, email: str | None) -> str | None:
    from hefesto_api.storage import users  # noqa: PLC0415

    if email is None:
        return None
    with here.runtime.db.read() as session:
        found = users.by_email(session, email)
    if found is None:
        raise NotFound("user", email)
    return found.id


def _named(here: Installation, text: str) -> dict[str, Any]:
    """Return the one key of an id or of a beginning; what a whole key begins with names it, too."""
    from hefesto_api.features.auth import keys  # noqa: PLC0415
    from hefesto_api.storage import api_keys  # noqa: PLC0415

    with here.runtime.db.read() as session:
        every = api_keys.matching(session)
    found = [key for key in every if key.id == text or (key.hint and text.startswith(key.hint))]
    if not found:
        raise NotFound("api_key", text)
    if len(found) > 1:
        raise UsageError(f"{len(found)} keys begin like this; name one by its id: {found[0].id}, ...")
    return keys.as_told(found[0])


def _row(key: dict[str, Any]) -> tuple[object, ...]:
    may = key["role"] or ",".join(key["scopes"])
    used = (key["last_used_at"] or "never")[:16]
    where = installation.bound(key["projects"])
    return key["id"], key["name"], key["hint"], may, where, key["tier"], _state(key), used


def _state(key: dict[str, Any]) -> str:
    from hefesto_api.domain import clock  # noqa: PLC0415

    until = key["expires_at"]
    if not key["is_active"]:
        return "disabled"
    if until is None:
        return "active"
    return "expired" if until <= clock.rfc3339(clock.now()) else f"until {until[:10]}"
