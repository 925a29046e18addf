"""Counting what API keys ask for: in memory, written in batches, so that no request waits for it."""

from __future__ import annotations

import os
import threading
from collections import Counter
from contextlib import suppress
from datetime import datetime

from hefesto_api.domain import clock
from hefesto_api.domain.errors import HefestoError
from hefesto_api.storage import api_key_usage
from hefesto_api.storage.api_key_usage import Place, Tally
from hefesto_api.storage.database import Database

EVERY_SECONDS = 5.0


class UsageCounter:
    """Counts of a process that are not written yet; a thread writes them now and then, `close` the rest.

    A forked process counts anew: what its parent has counted is the parent's to write.
    """

    def __init__(self, db: Database, every_seconds: float = EVERY_SECONDS) -> None:
        self._db = db
        self._every = every_seconds
        self._pid = 0
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._requests: Counter[Place] = Counter()
        self._errors: Counter[Place] = Counter()
        self._used: dict[str, datetime] = {}

    def count(self, key_id: str, route: str, *, failed: bool) -> None:
        """Count one request of a key."""
        now = clock.now()
        place = Place(key_id, now.date(), route)
        if self._pid != os.getpid():
            self._start()
        with self._lock:
            self._requests[place] += 1
            if failed:
                self._errors[place] += 1
            self._used[key_id] = now.replace(second=0, microsecond=0)

    def flush(self) -> None:
        """Write what was counted so far; raises StorageError, and then counts it still."""
        with self._lock:
            requests, self._requests = self._requests, Counter()
            errors, self._errors = self._errors, Counter()
            used, self._used = self._used, {}
        if not requests:
            return
        tallies = {place: Tally(many, errors[place]) for place, many in requests.items()}
        try:
            with self._db.write(durable=False, witnessed=False) as session:
                api_key_usage.add(session, tallies, used)
        except BaseException:
            with self._lock:
                self._requests.update(requests)
                self._errors.update(errors)
                self._used = used | self._used
            raise

    def close(self) -> None:
        """End the thread, and write what is left, as far as the database takes it."""
        self._closed.set()
        if self._pid == os.getpid():
            if self._thread is not None:
                self._thread.join()
            with suppress(HefestoError):
                self.flush()

    def _start(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                return
            if self._pid:
                self._requests, self._errors, self._used = Counter(), Counter(), {}
            self._pid = os.getpid()
            self._thread = threading.Thread(target=self._run, name="usage", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._closed.wait(self._every):
            with suppress(HefestoError):  # it is tried again at the next turn
                self.flush()
