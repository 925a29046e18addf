"""The service with a fault: its cache looks for changes once a second, as caches that only expire do."""

from __future__ import annotations

import time

from hefesto_api import runtime as runtimes
from hefesto_api.app import create_app
from hefesto_api.settings import from_process

runtime = runtimes.build(from_process())
_truly = runtime.answers._look  # noqa: SLF001 - the fault is planted there
_seen: dict[int, object] = {}


def _look_now_and_then() -> object:
    second = int(time.monotonic())
    if second not in _seen:
        _seen.clear()
        _seen[second] = _truly()
    return _seen[second]


runtime.answers._look = _look_now_and_then  # type: ignore[assignment] # noqa: SLF001
app = create_app(runtime=runtime)
