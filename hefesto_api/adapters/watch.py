"""A check that is made now and then in the background, so that asking for its outcome costs nothing."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from hefesto_api.domain import clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

EVERY_SECONDS = 30.0
UNWELL_SECONDS = 1.0  # between two checks while it is unwell: who is well again is to be sent work at once


class Watch:
    """Calls `check` every few seconds in a daemon thread, from the first time that somebody asks.

    What the check raises counts as unwell. A forked process watches anew.
    """

    def __init__(self, check: Callable[[], object], every_seconds: float = EVERY_SECONDS) -> None:
        self._check = check
        self._every = every_seconds
        self._pid = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._well = True
        self.checked_at: datetime | None = None

    def well(self) -> bool:
        """Return the latest outcome; before the first check, True."""
        if self._pid != os.getpid():
            self._start()
        return self._well

    def look(self) -> bool:
        """Check now and return the outcome."""
        try:
            self._check()
        except Exception:  # whatever it is, it is not well
            self._well = False
        else:
            self._well = True
        self.checked_at = clock.now()
        return self._well

    def stop(self) -> None:
        """End the thread at its next turn."""
        self._stopped.set()

    def _start(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                return
            self._pid = os.getpid()
            threading.Thread(target=self._run, name="watch", daemon=True).start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.look()
            self._stopped.wait(self._every if self._well else min(UNWELL_SECONDS, self._every))
