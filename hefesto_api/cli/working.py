"""`hefesto worker`: works the queue off."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from hefesto_api.cli import failures

if TYPE_CHECKING:
    from hefesto_api.runtime import Runtime

NICENESS = 5  # inherited by ruff and the parser children, which do most of the work


@click.command("worker")
@click.option("--slots", type=click.IntRange(1, 64), default=2, help="Jobs at the same time: 2.")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    help="Tell Prometheus at this port of loopback; 0 for a free one. Else the web processes beside it do.",
)
def command(slots: int, metrics_port: int | None) -> None:
    """Work the queue off, beside one or more servers, until SIGTERM or Ctrl-C."""
    # Behind the web processes, which answer while it takes all cores; its imports are behind theirs.
    os.nice(NICENESS)
    from hefesto_api import runtime as runtimes  # noqa: PLC0415 - `--help` needs nothing of it
    from hefesto_api import settings as all_settings  # noqa: PLC0415
    from hefesto_api import worker  # noqa: PLC0415
    from hefesto_api.adapters import heap, logs  # noqa: PLC0415
    from hefesto_api.storage import migrate  # noqa: PLC0415

    heap.share()
    with failures.told():
        settings = all_settings.from_process()
        failures.warn(settings.warnings)
        logs.configure(settings)
        runtime = runtimes.build(settings)
        migrate.upgrade(runtime.db)
        runtimes.prepare_secrets(settings, runtime.db)
        runtimes.start_telemetry(runtime)
        if metrics_port is not None:
            _tell_metrics(runtime, metrics_port)
        worker.main(runtime, slots)
        runtime.close()


def _tell_metrics(runtime: Runtime, port: int) -> None:
    from hefesto_api.adapters.metrics_server import MetricsServer  # noqa: PLC0415
    from hefesto_api.features.health import gauges  # noqa: PLC0415

    runtime.metrics.role = "worker"
    server = MetricsServer(port, lambda: runtime.metrics.exposition(lambda: gauges.now(runtime)))
    runtime.endings.append(server.close)
    click.echo(f"Metrics at http://127.0.0.1:{server.port}/metrics")
