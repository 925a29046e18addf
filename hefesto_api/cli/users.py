"""`hefesto users`: those who log in, kept on the service's machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from hefesto_api.cli import failures, installation
from hefesto_api.domain import emails
from hefesto_api.domain.access import ROLES, TIERS
from hefesto_api.domain.errors import NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hefesto_api.cli.installation import Installation

_BYTES = 18  # of a password that is made up: 24 characters


def _address(_context: click.Context, _parameter: click.Parameter, email: str) -> str:
    if not emails.is_email(email.strip()):
        raise click.BadParameter(f"{email!r} is not an address of mail.")
    return emails.normal(email)


_email = click.argument("email", callback=_address)
_force = click.option("--force", is_flag=True, help="Also the last admin.")


def _how_to_enter(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options by which a password comes in, when nobody sits at a terminal."""
    stdin = click.option("--password-stdin", "stdin", is_flag=True, help="Read it from standard input.")
    made_up = click.option("--generate-password", "generate", is_flag=True, help="Make one up and print it.")
    return stdin(made_up(command))


@click.group("users")
def command() -> None:
    """Keep the users of the service whose database this machine reaches; needs no server."""


@command.command()
@_email
@click.option("--role", type=click.Choice(tuple(ROLES)), default="viewer", help="What the user may: viewer.")
@click.option("--name", help="As lists show it; the address unless said otherwise.")
@installation.projects
@click.option("--tier", type=click.Choice(TIERS), default="pro", help="How much the user may ask: pro.")
@click.option("--no-password", "bare", is_flag=True, help="Who logs in through another provider needs none.")
@_how_to_enter
def create(*, email: str, bare: bool, stdin: bool, generate: bool, **columns: Any) -> None:
    """Make a user; the password is asked for, unless an option says where it comes from."""
    from hefesto_api.features.auth import people  # noqa: PLC0415 - `--help` needs nothing of it

    with failures.told(), installation.opened(examined=True) as here:
        password = None if bare else _password(email, stdin=stdin, generate=generate)
        hashed = None if password is None else here.runtime.passwords.hash(password)
        made = people.create(here.runtime.db, email, password_hash=hashed, **columns)
        where = installation.bound(made["projects"])
        click.echo(f"User {made['id']}: {email} ({made['role']}; projects: {where}; {made['tier']}).")
        _show(password, shown=generate)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="For other programs.")
def show(*, as_json: bool) -> None:
    """List the users, the oldest first."""
    from hefesto_api.features.auth import people  # noqa: PLC0415
    from hefesto_api.storage import users  # noqa: PLC0415

    with failures.told(), installation.opened(examined=True) as here:
        with here.runtime.db.read() as session:
            told = [people.as_told(user) for user in users.every(session)]
        if as_json:
            installation.print_json(told)
            return
        titles = ("ID", "EMAIL", "ROLE", "PROJECTS", "TIER", "STATE", "LAST LOGIN")
        installation.table(titles, [_row(user) for user in told])


@command.command()
@_email
@click.argument("role", type=click.Choice(tuple(ROLES)))
@_force
def role(*, email: str, role: str, force: bool) -> None:
    """Give a user another ROLE; it counts within a second."""
    _change(email, {"role": role}, force=force)


@command.command()
@_email
@_force
def disable(*, email: str, force: bool) -> None:
    """Let a user in no more, neither by what was given out already nor by the user's keys."""
    _change(email, {"is_active": False}, force=force)


@command.command()
@_email
def enable(*, email: str) -> None:
    """Let a user log in again."""
    _change(email, {"is_active": True}, force=False)


@command.command()
@_email
@_how_to_enter
def password(*, email: str, stdin: bool, generate: bool) -> None:
    """Give a user another password; whoever was logged in by the former one is not any more."""
    from hefesto_api.features.auth import people  # noqa: PLC0415

    with failures.told(), installation.opened(examined=True) as here:
        user_id = _id(here, email)
        entered = _password(email, stdin=stdin, generate=generate)
        people.change(here.runtime.db, user_id, {"password_hash": here.runtime.passwords.hash(entered)})
        click.echo(f"{email} has another password.")
        _show(entered, shown=generate)


@command.command()
@_email
@_force
def delete(*, email: str, force: bool) -> None:
    """Delete a user with the user's keys; what was done keeps the name."""
    from hefesto_api.features.auth import people  # noqa: PLC0415

    with failures.told(), installation.opened(examined=True) as here:
        people.delete(here.runtime.db, _id(here, email), keeps_admins=not force)
        click.echo(f"Deleted: {email}.")


@command.command("reset-mfa")
@_email
def reset_mfa(*, email: str) -> None:
    """Take the second factor from a user who lost it; the password alone is asked for then."""
    from hefesto_api.features.auth import mfa  # noqa: PLC0415

    with failures.told(), installation.opened(examined=True) as here:
        mfa.disable(here.runtime.db, _id(here, email))
        click.echo(f"{email} has no second factor any more.")


@command.command()
@_email
def unlock(*, email: str) -> None:
    """Hear a user again at once who typed too many wrong passwords."""
    from hefesto_api.features.auth import login  # noqa: PLC0415

    with failures.told(), installation.opened(examined=True) as here:
        unlocked = login.unlock(here.runtime.db, _id(here, email))
        told = "is heard from everywhere again" if unlocked else "was not locked out"
        click.echo(f"{email} {told}.")


def _change(email: str, wanted: dict[str, Any], *, force: bool) -> None:
    from hefesto_api.features.auth import people  # noqa: PLC0415

    with failures.told(), installation.opened(examined=True) as here:
        told = people.change(here.runtime.db, _id(here, email), wanted, keeps_admins=not force)
        click.echo(f"{email}: {told['role']}, {'active' if told['is_active'] else 'disabled'}.")


def _id(here: Installation, email: str) -> str:
    from hefesto_api.storage import users  # noqa: PLC0415

    with here.runtime.db.read() as session:
        found = users.by_email(session, email)
    if found is None:
        raise NotFound("user", email)
    return found.id


def _password(email: str, *, stdin: bool, generate: bool) -> str:
    """Return a password that will do, wherever it comes from; raises UsageError when it will not."""
    import secrets  # noqa: PLC0415

    from hefesto_api.domain import passwords  # noqa: PLC0415

    if generate:
        return secrets.token_urlsafe(_BYTES)
    if stdin:
        return passwords.check(sys.stdin.readline().rstrip("\r\n"), email)
    if not sys.stdin.isatty():
        raise UsageError(
            "Nobody is here to be asked for a password: --password-stdin or --generate-password."
        )
    return passwords.check(click.prompt("Password", hide_input=True, confirmation_prompt=True), email)


def _show(password: str | None, *, shown: bool) -> None:
    """Print a password that was made up, alone on the last line."""
    if shown and password is not None:
        click.echo("The password is shown this once:")
        click.echo(password)


def _row(user: dict[str, Any]) -> tuple[object, ...]:
    state = "active" if user["is_active"] else "disabled"
    seen = (user["last_login_at"] or "never")[:16]
    where = installation.bound(user["projects"])
    return user["id"], user["email"], user["role"], where, user["tier"], state, seen
