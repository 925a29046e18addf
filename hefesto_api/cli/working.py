"""`hefesto worker`: works the queue off."""

from __future__ import annotations

import click

from hefesto_api.cli import failures


@click.command("worker")
@click.option("--slots", type=click.IntRange(1, 64), default=2, help="Jobs at the same time: 2.")
def command(slots: int) -> None:
    """Work the queue off, beside one or more servers, until SIGTERM or Ctrl-C."""
    from hefesto_api import runtime as runtimes  # noqa: PLC0415 - `--help` needs nothing of it
    from hefesto_api import settings as all_settings  # noqa: PLC0415
    from hefesto_api import worker  # noqa: PLC0415
    from hefesto_api.adapters import logs  # noqa: PLC0415
    from hefesto_api.storage import migrate  # noqa: PLC0415

    with failures.told():
        settings = all_settings.from_process()
        failures.warn(settings.warnings)
        logs.configure(settings)
        runtime = runtimes.build(settings)
        migrate.upgrade(runtime.db)
        runtimes.prepare_secrets(settings, runtime.db)
        runtimes.start_telemetry(runtime)
        worker.main(runtime, slots)
        runtime.close()
