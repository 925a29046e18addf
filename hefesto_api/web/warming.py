"""Making answers before somebody asks: by request, and once a minute those that people look at just now.

Each process does so for itself, and only while somebody uses what it keeps ready; what one process makes, the
others take over, through Redis or their host.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app, g, request
from werkzeug.test import EnvironBuilder

from hefesto_api.adapters import logs
from hefesto_api.domain import access
from hefesto_api.domain.access import Principal
from hefesto_api.web import context

if TYPE_CHECKING:
    from hefesto_api.runtime import Runtime

KEY = "hefesto.warming"
EVERY_SECONDS = 60.0
LATELY_SECONDS = 300.0
MOST = 32  # addresses that are kept ready
_READS = access.ROLES["viewer"]


class Warming:
    """What people look at just now in one process, and the thread that keeps it ready."""

    def __init__(self, app: Flask, every_seconds: float = EVERY_SECONDS) -> None:
        self._app = app
        self._every = every_seconds
        self._lock = threading.Lock()
        self._used: dict[tuple[str, frozenset[str] | None], float] = {}
        self._pid = 0
        self._ended = threading.Event()
        held: Runtime = app.extensions[context.KEY]
        held.endings.append(self._ended.set)

    def use(self, address: str, projects: frozenset[str] | None) -> None:
        """Note that somebody looked at an address, and may see some projects."""
        with self._lock:
            self._used[address, projects] = time.monotonic()
            if self._pid == os.getpid():
                return
            self._pid = os.getpid()
        threading.Thread(target=self._run, name="warming", daemon=True).start()

    def turn(self) -> int:
        """Make ready what was used lately; return how many answers that were."""
        since = time.monotonic() - LATELY_SECONDS
        with self._lock:
            lately = sorted(self._used.items(), key=lambda used: -used[1])[:MOST]
            self._used = {place: at for place, at in lately if at >= since}
            places = list(self._used)
        held: Runtime = self._app.extensions[context.KEY]
        held.answers.local.forget([address for address, _ in places])  # what is about to expire is made, too
        with self._app.app_context():
            return sum(warm(address, projects) for address, projects in places)

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            try:
                self.turn()
            except Exception as error:
                logs.of("cache").warning("warming_failed", reason=str(error))


def install(app: Flask) -> None:
    """Have a process keep ready what people look at."""
    app.extensions[KEY] = Warming(app)


def use(address: str, projects: frozenset[str] | None) -> None:
    """Note that somebody looked at an address of the application at hand."""
    if KEY in current_app.extensions and not request.environ.get("hefesto.warming"):
        current_app.extensions[KEY].use(address, projects)


def warm(address: str, projects: frozenset[str] | None) -> bool:
    """Make the answer of an address for who may see some projects; tell whether there is one now."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined] # noqa: SLF001
    environ = EnvironBuilder(address).get_environ()
    environ["hefesto.warming"] = True
    with app.request_context(environ):
        if request.endpoint is None:
            return False
        g.principal = Principal("system", "warming", _READS | {"manage:webhooks"}, projects, "system")
        try:
            view: Any = app.view_functions[request.endpoint]
            answer = app.make_response(view(**(request.view_args or {})))
        except Exception as error:
            logs.of("cache").warning("not_warmed", address=address, reason=str(error))
            return False
        return bool(answer.status_code < 400)
