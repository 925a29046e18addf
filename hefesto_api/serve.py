"""`hefesto serve`: one command is the whole service on one machine.

A small supervisor migrates the database, then starts gunicorn and a worker as children and watches them: a
worker that dies is started again, a web server that dies ends the service (its own master already revives
its processes). The children die with the supervisor, however it ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog

from hefesto_api.adapters import metrics_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

    from hefesto_api.settings import Settings

log = structlog.get_logger(__name__)

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 35.0
RESTART_SECONDS = (1.0, 30.0)  # the first pause before a worker is started again, and the longest
STEADY_SECONDS = 60.0


class Part(NamedTuple):
    """One child of the service: `vital` parts end the service when they end."""

    name: str
    argv: Sequence[str]
    vital: bool


def parts(settings: Settings, *, host: str, port: int, worker: bool, reload: bool) -> list[Part]:
    """Return what has to run for the whole service on this machine."""
    wanted = [Part("web", web_argv(settings, host=host, port=port, reload=reload), vital=True)]
    if worker:
        wanted.append(Part("worker", [sys.executable, "-m", "hefesto_api", "worker"], vital=False))
    return wanted


def web_argv(settings: Settings, *, host: str, port: int, reload: bool = False) -> list[str]:
    """Return the gunicorn command: what the settings decide; the rest is in `hefesto_api.web.server`."""
    shown_host = f"[{host}]" if ":" in host else host
    argv = [sys.executable, "-m", "gunicorn", "-c", "python:hefesto_api.web.server"]
    argv += ["--bind", f"{shown_host}:{port}", "--workers", str(settings.workers)]
    argv += ["--threads", str(settings.threads)]
    return [*argv, *(["--reload"] if reload else []), "hefesto_api.app:create_app()"]


def supervise(wanted: Sequence[Part], environ: Mapping[str, str]) -> int:
    """Run the parts until a signal or the end of a vital one; return the exit status of the service."""
    stopping: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.append(number)

    previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    given = environ.get(metrics_folder.VARIABLE)
    counts = Path(given) if given else metrics_folder.make()  # one for all parts: each tells of all
    shared = {**environ, metrics_folder.VARIABLE: str(counts)}
    running = {part.name: _Running(part, shared) for part in wanted}
    try:
        return _watch(running, stopping)
    finally:
        _stop(list(running.values()))
        if not given:
            metrics_folder.remove(counts)
        for number, handler in previous.items():
            signal.signal(number, handler)


class _Running:
    """A part with its process and when it may be started again."""

    def __init__(self, part: Part, environ: Mapping[str, str]) -> None:
        self.part = part
        self._environ = environ
        self._pause = RESTART_SECONDS[0]
        self._again_at = 0.0
        self.start()

    def start(self) -> None:
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - our own commands, no shell
            self.part.argv, env=self._environ, preexec_fn=partial(die_with, os.getpid())
        )

    def ended(self) -> bool:
        return self.process.poll() is not None

    def revive(self) -> None:
        """Start the part again when its pause is over; the pause doubles while it keeps dying."""
        now = time.monotonic()
        if self._again_at == 0.0:
            steady = now - self.started_at > STEADY_SECONDS
            self._pause = RESTART_SECONDS[0] if steady else min(self._pause * 2, RESTART_SECONDS[1])
            self._again_at = now + self._pause
            log.warning(
                "part_ended", part=self.part.name, status=self.process.returncode, again_in=self._pause
            )
        elif now >= self._again_at:
            self._again_at = 0.0
            metrics_folder.forget(self.process.pid, Path(self._environ[metrics_folder.VARIABLE]))
            self.start()


def _watch(running: Mapping[str, _Running], stopping: Sequence[int]) -> int:
    while not stopping:
        for one in running.values():
            if one.ended() and one.part.vital:
                log.error("service_ended", part=one.part.name, status=one.process.returncode)
                return one.process.returncode or 1
            if one.ended():
                one.revive()
        time.sleep(0.2)
    return 0


def _stop(running: Sequence[_Running]) -> None:
    """Ask every part to finish what it does, then insist."""
    for one in running:
        if not one.ended():
            one.process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for one in running:
        try:
            one.process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            one.process.kill()
            one.process.wait()


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with(supervisor: int) -> None:
    """Have this process, a child of the supervisor, end when that does, however it ends; on Linux alone."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:  # it died before the call
            os.kill(os.getpid(), signal.SIGTERM)
