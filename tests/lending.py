"""Parser children that go on from one test to the next: a start takes longer than what most tests parse."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from hefesto_api.analyzers.pool import ParserChild

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from hefesto_api.analyzers.base import Examination
    from hefesto_api.analyzers.pool import More
    from hefesto_api.analyzers.registry import Thresholds

_idle: dict[bytes, list[subprocess.Popen[bytes]]] = defaultdict(list)


class LentChild(ParserChild):
    """A parser child that leaves its process to the next of the same thresholds, if all was answered."""

    def __init__(self, thresholds: Thresholds) -> None:
        super().__init__(thresholds)
        self._is_sound = False

    def start(self) -> None:
        """Start the child, unless one is idle."""
        if self._process is None and not self._closed and not self._taken():
            super().start()

    def examine(self, more: More) -> Iterator[list[tuple[Examination, bytes]]]:
        """Examine as ever, and note that it came to its end."""
        self._is_sound = False
        yield from super().examine(more)
        self._is_sound = True

    def close(self) -> None:
        """Leave the process to others, or end it."""
        process = self._process
        if self._is_sound and self._ready and process is not None and process.poll() is None:
            self._closed, self._ready, self._process = True, False, None
            _idle[self._hello].append(process)
        else:
            super().close()

    def _start(self) -> None:
        if self._process is not None or not self._taken():
            super()._start()

    def _taken(self) -> bool:
        """Take the process of another over, if there is one."""
        with suppress(IndexError):
            process = _idle[self._hello].pop()
            if process.poll() is None:
                self._process, self._ready = process, True
                return True
            _end(process)
        return False


def end_idle() -> None:
    """End the processes that nobody has."""
    for processes in _idle.values():
        while processes:
            _end(processes.pop())


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    process.wait()
