"""`hefesto serve`: checks what could go wrong, migrates, says where things are, and starts the service."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import traceback
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hefesto_api.cli import failures
from hefesto_api.domain.errors import HefestoError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hefesto_api.settings import Settings

SAMPLE = "examples/shop"


@click.command("serve")
@click.option("--host", metavar="ADDRESS", help="Address to bind: HEFESTO_HOST, else 127.0.0.1.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to bind, 0 for a free one: PORT, else 8080."
)
@click.option("--workers", type=click.IntRange(1, 512), help="Worker processes: one for each processor.")
@click.option("--threads", type=click.IntRange(1, 256), help="Threads of each worker process: 16.")
@click.option("--reload", is_flag=True, help="Start the web server again whenever the code changes.")
@click.option("--no-worker", is_flag=True, help="Leave the queue to `hefesto worker` elsewhere.")
def command(*, reload: bool, no_worker: bool, **given: Any) -> None:
    """Run the whole service on this machine: migrates the database, serves, works the queue off."""
    with failures.told():
        failures.leave(run(given, reload=reload, worker=not no_worker))


def run(given: dict[str, Any], *, reload: bool, worker: bool) -> int:
    """Serve until a signal comes, and return the exit status."""
    from hefesto_api import serve  # noqa: PLC0415 - `--help` needs nothing of it
    from hefesto_api import settings as all_settings  # noqa: PLC0415
    from hefesto_api.adapters import logs  # noqa: PLC0415

    settings = all_settings.from_process()
    settings = replace(settings, **{name: value for name, value in given.items() if value is not None})
    failures.warn(settings.warnings)
    settings = replace(settings, port=_free_port(settings))
    _refuse_public(settings)
    logs.configure(settings)

    def prepare() -> None:
        _migrate(settings)
        click.echo(banner(settings, worker=worker))
        _notify(settings)

    if status := _carried_out_apart(prepare):
        return status
    wanted = serve.parts(settings, host=settings.host, port=settings.port, worker=worker, reload=reload)
    return serve.supervise(wanted, _environ(settings))


def _carried_out_apart(work: Callable[[], None]) -> int:
    """Do a piece of work in a process of its own, and return its status; it tells of errors itself.

    What it imports, the supervisor would otherwise hold for as long as the service runs: 35 MB.
    """
    from hefesto_api.serve import die_with  # noqa: PLC0415

    supervisor = os.getpid()
    if process := os.fork():
        ended = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        return ended if ended >= 0 else 128 - ended
    status = failures.FAILED
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)  # the supervisor says that it was interrupted
        die_with(supervisor)
        work()
        status = failures.CLEAN
    except HefestoError as error:
        failures.say(error.message)
        status = failures.status_of(error)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def banner(settings: Settings, *, worker: bool) -> str:
    """Say where the service is, where its data are, and what to try first."""
    import sqlalchemy as sa  # noqa: PLC0415 - not in the supervisor

    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{settings.port}"
    sample = SAMPLE if (Path.cwd() / SAMPLE).is_dir() and Path.cwd() in settings.roots else "."
    queue = "worked off here" if worker else "left to `hefesto worker`"
    database = sa.make_url(settings.database_url).render_as_string(hide_password=True)
    ask = f"curl -s -X POST {url}/api/v1/analyze -H 'Content-Type: application/json'"
    if settings.auth == "required":
        ask += ' -H "Authorization: Bearer $HEFESTO_API_KEY"'
    lines = (
        f"Hefesto serves on {url}",
        f"  API documentation  {url}/docs",
        f"  Database           {database}",
        f"  May be analysed    {':'.join(map(str, settings.roots))}",
        f"  Queue              {queue}",
        "Try:",
        f"""  {ask} -d '{{"path": "{sample}"}}'""",
        "Ctrl-C ends it.",
    )
    return "\n".join(lines)


def _notify(settings: Settings) -> None:
    """Say what is to be known about who may call."""
    from hefesto_api.storage.database import open_database  # noqa: PLC0415
    from hefesto_api.web import gate  # noqa: PLC0415

    db = open_database(settings.database_url)
    for notice in gate.notices(settings, db):
        click.echo(f"Note: {notice}")
    db.close()


def _migrate(settings: Settings) -> None:
    from hefesto_api import runtime as runtimes  # noqa: PLC0415
    from hefesto_api.storage import migrate  # noqa: PLC0415
    from hefesto_api.storage.database import open_database  # noqa: PLC0415

    db = open_database(settings.database_url)
    try:
        migrate.upgrade(db)
        runtimes.prepare_secrets(settings, db)
    finally:
        db.close()


def _refuse_public(settings: Settings) -> None:
    """Refuse an address that others can reach until somebody says who may call."""
    if settings.auth or _is_loopback(settings.host):
        return
    raise UsageError(
        f"{settings.host} can be reached from other machines, and HEFESTO_AUTH is not set. Set it to "
        "required (callers need a key), or to open (everybody who can reach the address may call)."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _free_port(settings: Settings) -> int:
    """Return the port to bind, after making sure that it can be bound; for 0, one that is free."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            port: int = probe.getsockname()[1]
            return port
    except OSError as error:
        raise UsageError(_unbindable(settings, error)) from error


def _unbindable(settings: Settings, error: OSError) -> str:
    place = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return f"{place} is in use already; choose another port with --port, or end what uses it."
    return f"{place} cannot be bound: {error.strerror}."


def _environ(settings: Settings) -> dict[str, str]:
    """Return the environment of the parts: with what the command line says, without what was warned of."""
    from hefesto_api.settings import FIELDS, PREFIX  # noqa: PLC0415

    known = {f"{PREFIX}{item.name.upper()}" for item in FIELDS}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) or name in known}
    chosen = {name: str(getattr(settings, name)) for name in ("host", "port", "workers", "threads")}
    return kept | {f"{PREFIX}{name.upper()}": value for name, value in chosen.items()}
