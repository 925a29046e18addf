"""The worker as a process: until a signal."""

from __future__ import annotations

import signal
from importlib import import_module
from typing import TYPE_CHECKING

from hefesto_api.worker.working import Worker

if TYPE_CHECKING:
    from types import FrameType

    from hefesto_api.runtime import Runtime


def make(runtime: Runtime, slots: int = 2) -> Worker:
    """Make the worker that the settings ask for: with a broker, Celery tells it what to begin with."""
    if not runtime.settings.broker_url:
        return Worker(runtime, slots)
    made: Worker = import_module("hefesto_api.worker.dispatched").DispatchedWorker(runtime, slots)
    return made


def main(runtime: Runtime, slots: int = 2) -> None:
    """Work until SIGTERM or SIGINT."""
    runtime.metrics.role = "worker"
    worker = make(runtime, slots)

    def stop(_number: int, _frame: FrameType | None) -> None:
        worker.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    worker.run()
