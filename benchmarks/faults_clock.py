"""The machine's clock jumps under the running service; what measures how long things take does not."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from benchmarks.faults_asking import Asking, plainly
from benchmarks.faults_world import disk, served

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JUMPS = (3600, -3600, 2 * 86400, -3 * 86400, 0)
"""Seconds by which the clock is wrong, one after the other."""
# What every process of the service runs first. (libfaketime, which fakes the clock for a whole process, also
# moves the absolute times that Python sleeps until: it ends in EINVAL.)
HANDS = """
import pathlib, time
from datetime import timedelta
from hefesto_api.domain import clock

_hands, _now, _time = pathlib.Path({hands!r}), clock.now, time.time

def _wrong():
    return float(_hands.read_text() or 0)

clock.now = lambda: _now() + timedelta(seconds=_wrong())
time.time = lambda: _time() + _wrong()
"""


def clock(seconds: float) -> list[str]:
    """The machine's clock jumps by hours and days, forwards and back."""
    wrong: list[str] = []
    with contextlib.ExitStack() as open_ones:
        folder = open_ones.enter_context(disk("tmpfs"))
        environ, set_clock = _hands(folder)
        service = open_ones.enter_context(served(folder, **environ))
        asking = Asking(service)
        for jump in JUMPS:
            set_clock(jump)
            told = asking.for_a_while(seconds / 2)
            began = time.monotonic()
            lost = asking.lost()
            print(
                f"  {jump:+7d} s: {told}; all done {time.monotonic() - began:.1f} s later, lost {len(lost)}"
            )
            wrong += [f"{jump:+d} s: acknowledged and not done: {one}" for one in lost[:3]]
            for (kind, status, reason), count in told.answers.items():
                if status >= 300:
                    wrong.append(f"{jump:+d} s: {count} times {kind} was answered {status} {reason}")
            health = plainly(service, "GET", "/readyz").status
            wrong += [] if health == 200 else [f"{jump:+d} s: not ready ({health})"]
    return wrong


def _hands(folder: Path) -> tuple[dict[str, str], Callable[[int], None]]:
    """Return the environment of a service whose clock can be set, and what sets it."""
    hands, code = folder / "clock", folder / "code"
    hands.write_text("0")
    code.mkdir()
    (code / "sitecustomize.py").write_text(HANDS.format(hands=str(hands)))

    def set_clock(seconds: int) -> None:
        draft = hands.with_suffix(".new")
        draft.write_text(str(seconds))
        draft.replace(hands)

    return {"PYTHONPATH": str(code)}, set_clock
