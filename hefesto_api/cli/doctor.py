"""`hefesto doctor`: looks for the usual mistakes; says what is wrong, why it matters and what cures it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hefesto_api.cli import failures
from hefesto_api.domain.errors import HefestoError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hefesto_api.cli.doctoring.values import Complaint, Examination, Patient
    from hefesto_api.settings import Settings

_COLOURS = {"error": "red", "warning": "yellow", "ok": "green"}


@click.command("doctor")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="text, or json.")
def command(form: str) -> None:
    """Look for the usual mistakes of an installation, and tell what cures them.

    Run it where the service runs, as the account and with the environment that it has. Nothing is changed.
    Exits with 1 when something is wrong that keeps the service from working or endangers its data.
    """
    with failures.told():
        checks = list(examined())
        _print_json(checks) if form == "json" else _print_text(checks)
        is_ill = any(one["severity"] == "error" for check in checks for one in check["complaints"])
        failures.leave(failures.GATE_FAILED if is_ill else failures.CLEAN)


def examined() -> Iterator[dict[str, Any]]:
    """Make every examination; yield its name, its status (ok, warning, error) and its complaints."""
    from hefesto_api import settings as all_settings  # noqa: PLC0415 - `--help` needs nothing of it
    from hefesto_api.cli.doctoring import values  # noqa: PLC0415

    try:
        settings = all_settings.from_process()
        patient = _patient(settings)
    except UsageError as problem:
        name = problem.message.partition(":")[0]
        why = "Nothing starts with it, and nothing else can be examined."
        yield _outcome(
            "settings", [values.error(problem.message, why, f"unset {name}, or set it as it says")]
        )
        return
    try:
        for name, examine in examinations().items():
            yield _outcome(name, _complaints(name, examine, patient))
    finally:
        patient.db.close()


def examinations() -> Mapping[str, Examination]:
    """Return what is looked at, in the order in which it is told."""
    from hefesto_api.cli.doctoring import access, places, working  # noqa: PLC0415

    return {
        "settings": access.names,
        "access": access.callers,
        "secret_key": access.secret_key,
        "env_file": access.env_file,
        "proxies": access.proxies,
        "permissions": places.database_folder,
        "file_system": places.file_system,
        "sqlite": places.sqlite_library,
        "disk": places.disk,
        "schema": working.schema,
        "damage": working.damage,
        "clock": working.time_of_day,
        "queue": working.queue,
        "redis": working.redis,
        "broker": working.broker,
        "roots": places.roots,
        "git": places.git,
        "analyzers": places.analyzers,
        "page": places.page,
        "log_file": places.log_file,
        "open_files": places.open_files,
        "programs": working.programs,
    }


def _patient(settings: Settings) -> Patient:
    from pathlib import Path  # noqa: PLC0415

    from hefesto_api.cli.doctoring.values import Patient  # noqa: PLC0415
    from hefesto_api.storage import migrate  # noqa: PLC0415
    from hefesto_api.storage.database import open_database  # noqa: PLC0415

    db = open_database(settings.database_url, patience=2)
    if db.is_sqlite and not Path(str(db.url.database)).is_file():
        return Patient(settings, db)  # looking must not make it
    try:
        return Patient(settings, db, answers=migrate.is_current(db))
    except HefestoError:
        return Patient(settings, db)


def _complaints(name: str, examine: Examination, patient: Patient) -> list[Complaint]:
    """Make one examination; one that fails is a complaint itself, and the others are made."""
    from hefesto_api.cli.doctoring import values  # noqa: PLC0415

    try:
        return list(examine(patient))
    except (HefestoError, OSError) as problem:
        why = "It could not be looked at."
        return [values.warning(f"{name}: {problem}", why, "Run it as the account of the service.")]


def _outcome(name: str, complaints: list[Complaint]) -> dict[str, Any]:
    severities = {one.severity for one in complaints}
    status = next((one for one in ("error", "warning") if one in severities), "ok")
    told = [
        {"severity": one.severity, "what": one.what, "why": one.why, "cure": one.cure} for one in complaints
    ]
    return {"check": name, "status": status, "complaints": told}


def _print_json(checks: list[dict[str, Any]]) -> None:
    import orjson  # noqa: PLC0415

    healthy = all(check["status"] != "error" for check in checks)
    told = {"healthy": healthy, "checks": checks}
    click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())


def _print_text(checks: list[dict[str, Any]]) -> None:
    from hefesto_api.formats.safe import one_line  # noqa: PLC0415

    for check in checks:
        click.echo(f"{click.style(check['status'].ljust(8), fg=_COLOURS[check['status']])}{check['check']}")
        for one in check["complaints"]:
            for label, text in (("", one["what"]), ("why:  ", one["why"]), ("cure: ", one["cure"])):
                click.echo(f"          {label}{one_line(text)}")
    counts = [sum(check["status"] == status for check in checks) for status in ("error", "warning")]
    click.echo(f"{len(checks)} looked at, {counts[0]} in error, {counts[1]} with a warning.")
