"""gunicorn's worker as we use it."""

from __future__ import annotations

from gunicorn.workers.gthread import _DEFER
from hefesto_api.web.server_worker import Worker


class Silent:
    """A connection that was opened and says nothing: a browser's spare one, or a pool's."""

    initialized = data_ready = False

    def __init__(self) -> None:
        self.waited: list[float] = []

    def wait_for_data(self, timeout: float) -> bool:
        self.waited.append(timeout)
        return False


def test_no_thread_waits_for_a_connection_that_says_nothing() -> None:
    silent = Silent()
    assert Worker.__new__(Worker).handle(silent) is _DEFER
    assert silent.waited == [0]
